//! Removing what has grown too old.
//!
//! What is found is removed only if nothing was written since the first look, so all of it is of
//! one state.

use std::collections::HashMap;

use syncline_protocol::codec;
use syncline_protocol::ids::{RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::record::Record;

use super::failure::{Failure, contended};
use super::row::{Place, Row, SpaceRow, kind, verdicts_of};
use super::server::{Columns, Level, Rows, Server, Writes, of};
use super::space::{TRIES_MAX, at, opened, unmoved};
use super::statements::Text;
use super::value::Value;
use super::walk::Walk;
use crate::random;
use crate::types::{Collect, Collected, Keys, NEVER_MS, SpaceView};

/// What was found.
struct Old {
    dead: Vec<Dead>,
    /// Rows that say of a record that it is dead, and it is not, or died at another time.
    stale: Vec<Place>,
    unused: Vec<(Place, WriterNo)>,
    more: bool,
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
    for _ in 0..TRIES_MAX {
        let row = opened(server, space).await?;
        let Some(old) = find_old(server, (space, row), collect).await? else {
            continue;
        };
        if old.dead.is_empty() && old.stale.is_empty() && old.unused.is_empty() {
            return Ok(Collected::nothing(row.view));
        }
        let view = after(&row.view, &old, collect.keys);
        let id = random()? as i64;
        let done = match server.write(&writes(space, (&row, &view, id), &old)).await {
            Ok(done) => done,
            Err(Failure::GivenUp(_)) => opened(server, space).await?.last_commit == id,
            Err(failure) => return Err(failure),
        };
        // Of what only was in the way nothing is told; what is behind it is looked at again.
        let is_told = !old.dead.is_empty() || !old.unused.is_empty() || !old.more;
        if done && is_told {
            return Ok(Collected {
                view,
                tombstones: old.dead.len(),
                marks: old.unused.len(),
                more: old.more,
            });
        }
    }
    Err(contended().into())
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

/// `None` if something was written meanwhile.
async fn find_old(
    server: &Server,
    (space, row): (&SpaceKey, SpaceRow),
    collect: Collect,
) -> Result<Option<Old>, Failure> {
    let from = Place::begin(kind::DEATH);
    // Before the first that is young enough.
    let before = i64::try_from(collect.dead_before_ms).unwrap_or(i64::MAX - 1);
    let to = Place::new(kind::DEATH, before.min(i64::MAX - 1), ("", ""));
    let limit = collect.limit;
    let asked = (Columns::Light, Level::Serial, limit.saturating_add(1));
    let rows = server.range(space, (&from, &to), asked).await?;
    let mut deaths = Vec::new();
    for found in rows.all()? {
        deaths.push(found.place()?);
    }
    let mut more = deaths.len() > limit;
    deaths.truncate(limit);
    let Some((mut dead, stale)) = dead(server, (space, row), deaths).await? else {
        return Ok(None);
    };
    let fit = collect.fit(dead.iter().map(|dead| dead.bytes));
    more |= fit < dead.len();
    dead.truncate(fit);
    if collect.keys == Keys::Keep && !strip(server, (space, row), &mut dead).await? {
        return Ok(None);
    }
    let Some(mut unused) = unused(server, (space, row), collect).await? else {
        return Ok(None);
    };
    more |= unused.len() > limit;
    unused.truncate(limit);
    Ok(Some(Old {
        dead,
        stale,
        unused,
        more,
    }))
}

/// Those that are dead since then, and the rows that are wrong about it. `None` if something was
/// written meanwhile.
async fn dead(
    server: &Server,
    (space, of): (&SpaceKey, SpaceRow),
    deaths: Vec<Place>,
) -> Result<Option<(Vec<Dead>, Vec<Place>)>, Failure> {
    let asked = (deaths.iter(), Columns::Light);
    let Some(rows) = rows_of(server, (space, of), asked).await? else {
        return Ok(None);
    };
    let found = by_record(&rows)?;
    let (mut dead, mut stale) = (Vec::new(), Vec::new());
    for death in deaths {
        let names = (death.a.as_str(), death.b.as_str());
        let row = found.get(&death.record_key());
        let Some(row) = row.filter(|row| row.dead_at().is_ok_and(|at| at == death.n)) else {
            stale.push(death);
            continue;
        };
        let seq = row.seq()?.unwrap_or_default();
        dead.push(Dead {
            record: Place::new(kind::RECORD, 0, names),
            change: Place::new(kind::CHANGE, seq.0 as i64, names),
            seq,
            bytes: row.bytes()?,
            kept: None,
            death,
        });
    }
    Ok(Some((dead, stale)))
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

/// The clients not used for the longest time, with one more than is wanted if there are more.
async fn unused(
    server: &Server,
    (space, row): (&SpaceKey, SpaceRow),
    collect: Collect,
) -> Result<Option<Vec<(Place, WriterNo)>>, Failure> {
    let before = i64::try_from(collect.marks_before_ms).unwrap_or(i64::MAX);
    let mut walk = Walk::of(server, space, row);
    let mut unused = Vec::new();
    walk.all((kind::CLIENT, Columns::Light), |row, place| {
        let used_at = row.used_at()?;
        if row.last()?.is_some() && used_at < before {
            unused.push((used_at, place, row.writer()?));
        }
        Ok(())
    })
    .await?;
    if walk.has_moved() {
        return Ok(None);
    }
    unused.sort();
    let oldest = unused.into_iter().take(collect.limit.saturating_add(1));
    Ok(Some(
        oldest.map(|(_, place, writer)| (place, writer)).collect(),
    ))
}

fn writes<'a>(
    space: &'a SpaceKey,
    (row, view, id): (&SpaceRow, &SpaceView, i64),
    old: &'a Old,
) -> Writes<'a> {
    let mut writes = Writes::default();
    let mut values = vec![
        Value::Int(view.head.0 as i64),
        Value::Int(view.swept.0 as i64),
        Value::Int(view.gc_seq.0 as i64),
        Value::Int(id),
    ];
    values.extend(of(space));
    values.extend(unmoved(row));
    writes.push(Text::Sweep, values);
    for place in &old.stale {
        writes.push(Text::Remove, at(space, place));
    }
    for dead in &old.dead {
        writes.push(Text::Remove, at(space, &dead.death));
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
    for (place, writer) in &old.unused {
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
