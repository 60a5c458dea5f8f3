//! Clients by the day of their use, so that a collection finds those not used for long without looking at
//! the others, of which a space may have as many as there were idempotency keys.
//!
//! A client stands under the day on which it got its first number, in the batch that gave it, and stays there
//! however often it is used: who finds the row old looks the client up, and puts it under the day of its last
//! use. So every client with a number has a row of its last use or of before, and a commit writes none but of
//! clients that had no number. The row that ends them is written once those are there that an older version
//! did not write.

use std::collections::{BTreeSet, HashMap};

use syncline_protocol::ids::{SpaceKey, WriterNo};

use super::failure::{Failure, contended};
use super::hold::Hold;
use super::row::{Place, Row, SpaceRow, kind};
use super::server::{Columns, Level, Server, Writes, of};
use super::space::{at, push_place};
use super::statements::Text;
use super::tries::RACES_MAX;
use super::value::Value;
use crate::random;
use crate::types::NEVER_MS;

/// Clients that are looked at and put in their place at once.
const PLACED_AT_ONCE: usize = 2_000;

/// Where a client stands that was used then.
pub(super) fn place(used_at_ms: i64, (user, client): (&str, &str)) -> Place {
    Place::new(kind::USED, used_at_ms, (user, client))
}

/// What a first look says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// None is old.
    Young,
    /// There may be one.
    Old,
    /// Nobody put those in their places that an older version wrote.
    Unplaced,
}

/// Whether any was last used before a time, or stands where it may have been.
pub(super) async fn look(
    server: &Server,
    space: &SpaceKey,
    before_ms: i64,
) -> Result<Look, Failure> {
    let (begin, end) = (Place::begin(kind::USED), Place::end(kind::USED));
    let asked = (Columns::Light, Level::Hint, 1);
    let rows = server.range(space, (&begin, &end), asked).await?;
    let first = rows.all()?.first().map(Row::place).transpose()?;
    Ok(match first {
        None => Look::Unplaced,
        Some(place) if place.n < before_ms => Look::Old,
        Some(_) => Look::Young,
    })
}

/// The clients that are old, and what becomes of the rows that say where they stand.
#[derive(Debug, Default)]
pub(super) struct Unused {
    /// Those last used before the time.
    pub(super) clients: Vec<(Place, WriterNo)>,
    /// Where those stand from now on that were used since.
    moved: Vec<Place>,
    /// The last row that was looked at: up to here all go.
    upto: Option<Place>,
    /// There are others behind it.
    pub(super) more: bool,
}

impl Unused {
    /// Whether no row was there at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.upto.is_none()
    }

    /// The first `limit` rows of before a time. `None` if something was written since `row`.
    pub(super) async fn find(
        server: &Server,
        (space, row): (&SpaceKey, &SpaceRow),
        (before_ms, limit): (i64, usize),
    ) -> Result<Option<Unused>, Failure> {
        let (begin, to) = (Place::begin(kind::USED), place(before_ms, ("", "")));
        let asked = (Columns::Light, Level::Serial, limit.saturating_add(1));
        let rows = server.range(space, (&begin, &to), asked).await?;
        let mut unused = Unused::default();
        let mut old = Vec::new();
        for found in rows.all()? {
            old.push(found.place()?);
        }
        unused.more = old.len() > limit;
        old.truncate(limit);
        let Some(last) = old.last() else {
            return Ok(Some(unused));
        };
        unused.upto = Some(last.clone());
        let client = |old: &Place| Place::new(kind::CLIENT, 0, (&old.a, &old.b));
        // One that was forgotten and came again may have two.
        let clients: BTreeSet<Place> = old.iter().map(client).collect();
        let places: Vec<Place> = clients
            .iter()
            .cloned()
            .chain([Place::end(kind::RECORD)])
            .collect();
        let asked = (Columns::Light, Level::Serial);
        let rows = server.at(space, &places, asked).await?;
        if rows.found()?.opened()?.last_commit != row.last_commit {
            return Ok(None);
        }
        let mut found: HashMap<Place, Row<'_>> = HashMap::new();
        for row in rows.all()? {
            found.insert(row.place()?, row);
        }
        for client in clients {
            let Some(row) = found.get(&client) else {
                continue;
            };
            match row.used_at()? {
                _ if row.last()?.is_none() => {}
                NEVER_MS => {}
                used_at if used_at < before_ms => {
                    unused.clients.push((client, row.writer()?));
                }
                used_at => unused.moved.push(place(used_at, (&client.a, &client.b))),
            }
        }
        Ok(Some(unused))
    }

    /// What becomes of the rows. Those that come are behind all that go.
    pub(super) fn push_rows<'a>(&'a self, writes: &mut Writes<'a>, space: &'a SpaceKey) {
        if let Some(upto) = &self.upto {
            writes.push(Text::RemoveUpto, upto_values(space, upto));
        }
        for place in &self.moved {
            push_place(writes, space, place);
        }
    }
}

/// Everything of a kind up to a row.
pub(super) fn upto_values<'a>(space: &'a SpaceKey, upto: &'a Place) -> Vec<Value<'a>> {
    let mut values = of(space);
    values.extend([
        Value::Kind(upto.kind),
        Value::Int(i64::MIN),
        Value::Text(""),
        Value::Text(""),
    ]);
    values.extend(at(space, upto).into_iter().skip(2));
    values
}

/// Puts the clients in their places that an older version wrote, once for a space.
pub(super) async fn place_all(server: &Server, space: &SpaceKey) -> Result<(), Failure> {
    let (mut from, mut failed) = (Place::begin(kind::CLIENT), 0);
    while !from.is_end() {
        match place_some(server, space, &from).await? {
            Some(last) => from = last,
            None if failed == RACES_MAX => return Err(contended().into()),
            None => failed += 1,
        }
    }
    Ok(())
}

/// The last that was looked at, or the end. `None` if the space was held or erased meanwhile. What else is
/// written is in nobody's way: a client that is used is one that stands too early.
async fn place_some(
    server: &Server,
    space: &SpaceKey,
    from: &Place,
) -> Result<Option<Place>, Failure> {
    let asked = (Columns::Light, Level::Hint, PLACED_AT_ONCE);
    let end = Place::end(kind::CLIENT);
    let rows = server.range(space, (from, &end), asked).await?;
    let row = rows.found()?.opened()?;
    let (mut places, mut last) = (Vec::new(), end);
    for row in rows.all()? {
        last = row.place()?;
        if last.is_end() {
            places.push(Place::end(kind::USED));
        } else if row.last()?.is_some() && row.used_at()? != NEVER_MS {
            places.push(place(row.used_at()?, (&last.a, &last.b)));
        }
    }
    let mut writes = Writes::default();
    let mut values = vec![Value::Int(random()? as i64)];
    values.extend(of(space));
    values.extend([Value::Int(row.view.epoch.0 as i64), Hold::NONE.value()]);
    writes.push(Text::Note, values);
    for place in &places {
        push_place(&mut writes, space, place);
    }
    Ok(server.write(&writes).await?.then_some(last))
}
