//! Removing what has grown too old.
//!
//! A first look, at hints, tells whether anything may be: where nothing is, nobody is asked to agree on anything.
//! What is found is removed only if nothing was written since a look of now, so all of it is of one state.

use std::collections::HashMap;

use syncline_protocol::codec;
use syncline_protocol::ids::{RecordKey, Seq, SpaceKey};
use syncline_protocol::record::Record;

use super::failure::{Failure, contended};
use super::hold::Hold;
use super::interlude::Step;
use super::outcome::{self, Sent};
use super::row::{Place, Row, SpaceRow, kind, verdicts_of};
use super::server::{Columns, Level, Rows, Server, Writes, of};
use super::space::{at, opened, unmoved};
use super::statements::Text;
use super::tries::{RACES_MAX, Tries};
use super::used::{self, Look, Unused, upto_values};
use super::value::Value;
use crate::random;
use crate::types::{Collect, Collected, Keys, NEVER_MS, SpaceView};

/// What was found.
#[derive(Default)]
struct Old {
    dead: Vec<Dead>,
    /// The last of the rows that say when these died. What else is before it says of a record that it is
    /// dead, and it is not, or died at another time.
    upto: Option<Place>,
    unused: Unused,
    more: bool,
}

impl Old {
    /// Whether there is not even a row that says nothing.
    fn is_nothing(&self) -> bool {
        self.upto.is_none() && self.unused.is_nothing()
    }
}

/// A dead record.
struct Dead {
    death: Place,
    record: Place,
    change: Place,
    seq: Seq,
    /// Of its state.
    bytes: usize,
    /// What is left of it, if anything is.
    kept: Option<(Record, i64)>,
}

/// [`crate::Store::collect`].
pub(super) async fn collect(
    server: &Server,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Collected, Failure> {
    if let Some(view) = young(server, space, collect).await? {
        return Ok(Collected::nothing(view));
    }
    for _ in 0..RACES_MAX {
        if let Some(collected) = until_unmoved(server, space, collect).await? {
            return Ok(collected);
        }
    }
    Err(contended().into())
}

/// Before the first that is young enough, as stored.
fn before(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).min(i64::MAX - 1)
}

/// The space, if nothing in it is old. What was acknowledged is seen.
async fn young(
    server: &Server,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Option<SpaceView>, Failure> {
    let (begin, end) = (Place::begin(kind::DEATH), Place::end(kind::DEATH));
    let asked = (Columns::Light, Level::Hint, 1);
    let rows = server.range(space, (&begin, &end), asked).await?;
    let row = rows.found()?.opened()?;
    let first = rows.all()?.first().map(Row::place).transpose()?;
    let is_old = |place: Place| place.n < before(collect.dead_before_ms);
    let look = used::look(server, space, before(collect.marks_before_ms)).await?;
    if look == Look::Unplaced {
        used::place_all(server, space).await?;
    }
    let is_young = look == Look::Young && !first.is_some_and(is_old);
    Ok(is_young.then_some(row.view))
}

/// What became of a try.
enum Became {
    Collected(Collected),
    /// What was there only was in the way, and went. There is more behind it.
    Cleared,
    /// Something was written meanwhile.
    Moved,
}

/// `None` if there is more behind what only was in the way.
async fn until_unmoved(
    server: &Server,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Option<Collected>, Failure> {
    let mut tries = Tries::of(server, space);
    loop {
        let hold = tries.next().await?;
        let became = once(server, (space, collect), hold).await;
        tries.end().await;
        match became? {
            Became::Collected(collected) => return Ok(Some(collected)),
            Became::Cleared => return Ok(None),
            Became::Moved => {}
        }
    }
}

async fn once(
    server: &Server,
    (space, collect): (&SpaceKey, Collect),
    hold: Hold,
) -> Result<Became, Failure> {
    let row = opened(server, space).await?;
    let Some(old) = find_old(server, (space, row), collect).await? else {
        return Ok(Became::Moved);
    };
    if old.is_nothing() {
        return Ok(Became::Collected(Collected::nothing(row.view)));
    }
    let view = after(&row.view, &old, collect.keys);
    let id = random()? as i64;
    let begin = Place::begin(kind::BEGIN);
    let writes = writes((space, &begin), (&row, &view, id), (&old, hold));
    server.interludes.at(Step::PlanAndBatch).await;
    let sent = Sent::unmoved(id, &row);
    if !outcome::write(server, (space, &writes), sent).await? {
        return Ok(Became::Moved);
    }
    let (tombstones, marks) = (old.dead.len(), old.unused.clients.len());
    if tombstones == 0 && marks == 0 && old.more {
        return Ok(Became::Cleared);
    }
    Ok(Became::Collected(Collected {
        view,
        tombstones,
        marks,
        more: old.more,
    }))
}

fn after(view: &SpaceView, old: &Old, keys: Keys) -> SpaceView {
    if old.dead.is_empty() {
        return *view;
    }
    let head = view.head.next();
    let last = old.dead.iter().map(|dead| dead.seq).max();
    let gc_seq = match keys {
        Keys::Remove => view.gc_seq.max(last.unwrap_or_default()),
        Keys::Keep => view.gc_seq,
    };
    SpaceView {
        head,
        swept: head,
        gc_seq,
        ..*view
    }
}

/// `None` if something was written meanwhile, unless there is nothing in any case.
async fn find_old(
    server: &Server,
    (space, row): (&SpaceKey, SpaceRow),
    collect: Collect,
) -> Result<Option<Old>, Failure> {
    let limit = collect.limit;
    let deaths = deaths(server, space, collect).await?;
    let asked = (before(collect.marks_before_ms), limit);
    let Some(unused) = Unused::find(server, (space, &row), asked).await? else {
        return Ok(None);
    };
    let mut old = Old {
        more: deaths.len() > limit || unused.more,
        unused,
        ..Old::default()
    };
    if deaths.is_empty() {
        return Ok(Some(old));
    }
    let deaths = &deaths[..deaths.len().min(limit)];
    let Some(mut dead) = dead(server, (space, row), deaths).await? else {
        return Ok(None);
    };
    let fit = collect.fit(dead.iter().map(|dead| dead.bytes));
    old.more |= fit < dead.len();
    let rest = dead.get(fit).map(|dead| dead.death.clone());
    let mut upto = deaths.iter();
    old.upto = upto
        .rfind(|death| rest.as_ref().is_none_or(|rest| *death < rest))
        .cloned();
    dead.truncate(fit);
    if collect.keys == Keys::Keep && !strip(server, (space, row), &mut dead).await? {
        return Ok(None);
    }
    old.dead = dead;
    Ok(Some(old))
}

/// The first rows that say of a record that it is dead for long, with one more than is wanted if there
/// are more.
async fn deaths(
    server: &Server,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Vec<Place>, Failure> {
    let from = Place::begin(kind::DEATH);
    let to = Place::new(kind::DEATH, before(collect.dead_before_ms), ("", ""));
    let asked = (
        Columns::Light,
        Level::Serial,
        collect.limit.saturating_add(1),
    );
    let rows = server.range(space, (&from, &to), asked).await?;
    let mut deaths = Vec::new();
    for found in rows.all()? {
        deaths.push(found.place()?);
    }
    Ok(deaths)
}

/// Those that are dead since then. `None` if something was written meanwhile.
async fn dead(
    server: &Server,
    (space, of): (&SpaceKey, SpaceRow),
    deaths: &[Place],
) -> Result<Option<Vec<Dead>>, Failure> {
    let asked = (deaths.iter(), Columns::Light);
    let Some(rows) = rows_of(server, (space, of), asked).await? else {
        return Ok(None);
    };
    let found = by_record(&rows)?;
    let mut dead = Vec::new();
    for death in deaths {
        let names = (death.a.as_str(), death.b.as_str());
        let row = found.get(&death.record_key());
        let Some(row) = row.filter(|row| row.dead_at().is_ok_and(|at| at == death.n)) else {
            continue;
        };
        let seq = row.seq()?.unwrap_or_default();
        dead.push(Dead {
            record: Place::new(kind::RECORD, 0, names),
            change: Place::new(kind::CHANGE, seq.0 as i64, names),
            seq,
            bytes: row.bytes()?,
            kept: None,
            death: death.clone(),
        });
    }
    Ok(Some(dead))
}

/// Reads what is left of the dead. False if something was written meanwhile.
async fn strip(
    server: &Server,
    (space, of): (&SpaceKey, SpaceRow),
    dead: &mut [Dead],
) -> Result<bool, Failure> {
    let deaths = dead.iter().map(|dead| &dead.death);
    let Some(rows) = rows_of(server, (space, of), (deaths, Columns::All)).await? else {
        return Ok(false);
    };
    let found = by_record(&rows)?;
    for dead in dead {
        let Some(row) = found.get(&dead.death.record_key()) else {
            return Ok(false);
        };
        let (mut record, _) = row.record()?;
        record.fields.clear();
        dead.kept = Some((record, row.committed_at()?.unwrap_or(0)));
    }
    Ok(true)
}

/// The rows of records that died. `None` if something was written meanwhile.
async fn rows_of<'d>(
    server: &Server,
    (space, of): (&SpaceKey, SpaceRow),
    (deaths, columns): (impl Iterator<Item = &'d Place>, Columns),
) -> Result<Option<Rows>, Failure> {
    let records = deaths.map(|death| Place::record(&death.record_key()));
    let places: Vec<Place> = records.chain([Place::end(kind::RECORD)]).collect();
    let rows = server.at(space, &places, (columns, Level::Serial)).await?;
    let is_unmoved = rows.found()?.opened()?.last_commit == of.last_commit;
    Ok(is_unmoved.then_some(rows))
}

fn by_record(rows: &Rows) -> Result<HashMap<RecordKey, Row<'_>>, Failure> {
    let mut found = HashMap::new();
    for row in rows.all()? {
        let place = row.place()?;
        if !place.is_end() && row.seq()?.is_some() {
            found.insert(place.record_key(), row);
        }
    }
    Ok(found)
}

fn writes<'a>(
    (space, begin): (&'a SpaceKey, &'a Place),
    (row, view, id): (&SpaceRow, &SpaceView, i64),
    (old, hold): (&'a Old, Hold),
) -> Writes<'a> {
    let mut writes = Writes::by(hold);
    let mut values = vec![
        Value::Int(view.head.0 as i64),
        Value::Int(view.swept.0 as i64),
        Value::Int(view.gc_seq.0 as i64),
        Value::Int(id),
    ];
    values.extend(of(space));
    values.extend(unmoved(row));
    values.push(hold.value());
    writes.push(Text::Sweep, values);
    if let Some(upto) = &old.upto {
        // At once, so that the next one steps over one deletion and not over each.
        writes.push(Text::RemoveUpto, upto_values(space, upto));
    }
    writes.push(Text::PutPlace, at(space, begin));
    for dead in &old.dead {
        match &dead.kept {
            None => {
                writes.push(Text::Remove, at(space, &dead.record));
                writes.push(Text::Remove, at(space, &dead.change));
            }
            Some((record, committed_at)) => {
                let state = codec::encode_record(record);
                let bytes = i32::try_from(state.len()).unwrap_or(i32::MAX);
                let mut values = at(space, &dead.record);
                values.extend([
                    Value::Int(dead.seq.0 as i64),
                    Value::Small(bytes),
                    Value::Int(NEVER_MS),
                    Value::Int(*committed_at),
                    Value::Blob(state),
                ]);
                writes.push(Text::PutRecord, values);
            }
        }
    }
    old.unused.push_rows(&mut writes, space);
    for (place, writer) in &old.unused.clients {
        let mut values = vec![Value::Int(NEVER_MS)];
        values.extend(at(space, place));
        writes.push(Text::ForgetMark, values);
        let (begin, end) = verdicts_of(*writer);
        let mut values = of(space);
        values.extend([
            Value::Kind(kind::VERDICT),
            Value::Int(begin),
            Value::Int(end),
        ]);
        writes.push(Text::RemoveRange, values);
    }
    writes
}
