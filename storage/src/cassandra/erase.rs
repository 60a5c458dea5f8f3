//! What a space holds, and removing everything of it. What the server keeps of it goes with the
//! first compaction after `gc_grace_seconds`, or with `nodetool garbagecollect`.

use std::collections::BTreeMap;

use syncline_protocol::ids::{SpaceKey, TableName};
use syncline_protocol::stamp::WallMs;

use super::failure::{Failure, contended};
use super::jobs;
use super::row::{ALIVE, SpaceRow, kind};
use super::server::{Columns, Server, Writes, of};
use super::space::{TRIES_MAX, find, opened, unmoved};
use super::statements::Text;
use super::value::Value;
use super::walk::Walk;
use crate::random;
use crate::types::{EPOCH_APART_MS, Erased, Holdings, SpaceView, epoch_after_erasure};

/// [`crate::Store::holdings`].
pub(super) async fn holdings(server: &Server, space: &SpaceKey) -> Result<Holdings, Failure> {
    Ok(counted(server, space).await?.1)
}

/// What a space holds, the state in which it does, and what else says of its dead jobs.
async fn counted(
    server: &Server,
    space: &SpaceKey,
) -> Result<(SpaceRow, Holdings, Vec<jobs::Dead>), Failure> {
    for _ in 0..TRIES_MAX {
        let row = opened(server, space).await?;
        let mut walk = Walk::of(server, space, row);
        let mut tables: BTreeMap<String, u64> = BTreeMap::new();
        let [mut records, mut clients, mut dead_letters] = [0u64; 3];
        let count_record = |row: &super::row::Row<'_>, place: super::row::Place| {
            records += 1;
            if row.dead_at()? == ALIVE {
                *tables.entry(place.a).or_default() += 1;
            }
            Ok(())
        };
        walk.all((kind::RECORD, Columns::Light), count_record)
            .await?;
        for (kind, count) in [
            (kind::CLIENT, &mut clients),
            (kind::LETTER, &mut dead_letters),
        ] {
            let add = |_: &super::row::Row<'_>, _| {
                *count += 1;
                Ok(())
            };
            walk.all((kind, Columns::Light), add).await?;
        }
        let (jobs, dead) = jobs::dead_of(&mut walk, space).await?;
        if walk.has_moved() {
            continue;
        }
        let tables = tables.iter();
        let holdings = Holdings {
            view: row.view,
            tables: tables
                .map(|(name, n)| (TableName::trusted(name), *n))
                .collect(),
            records,
            clients,
            dead_letters,
            jobs,
        };
        return Ok((row, holdings, dead));
    }
    Err(contended().into())
}

/// [`crate::Store::erase`].
pub(super) async fn erase(
    server: &Server,
    space: &SpaceKey,
    now_ms: WallMs,
) -> Result<Holdings, Failure> {
    for _ in 0..TRIES_MAX {
        let (row, mut holdings, dead) = counted(server, space).await?;
        let id = random()? as i64;
        let at_ms = now_ms.max(row.view.epoch_at_ms + EPOCH_APART_MS);
        let epoch = epoch_after_erasure(row.view.epoch, random()?);
        let head = Value::Int(row.view.head.0 as i64);
        let mut writes = Writes::default();
        let mut values = vec![
            Value::Int(epoch.0 as i64),
            Value::Int(at_ms as i64),
            Value::Int(at_ms as i64),
            head.clone(),
            head,
            Value::Int(id),
        ];
        values.extend(of(space));
        values.extend(unmoved(&row));
        writes.push(Text::Empty, values);
        push_remove_rows(&mut writes, space);
        let done = match server.write(&writes).await {
            Ok(done) => done,
            // A second one would find nothing to name in its receipt, and spend a lineage.
            Err(failure @ (Failure::GivenUp(_) | Failure::Lost(_))) => {
                let found = find(server, space).await?.space();
                match found.map(|row| row.last_commit) {
                    Some(last) if last == id => true,
                    Some(last) if last == row.last_commit && failure.is_settled() => false,
                    _ => return Err(failure),
                }
            }
            Err(failure) => return Err(failure),
        };
        if done {
            jobs::forget(server, &dead).await;
            holdings.view = SpaceView {
                epoch,
                epoch_at_ms: at_ms,
                erased: Erased::at(at_ms),
                gc_seq: row.view.head,
                swept: row.view.head,
                live: 0,
                ..row.view
            };
            return Ok(holdings);
        }
    }
    Err(contended().into())
}

/// Removes every row of a space but those that end the kinds: a deletion wins over what is written
/// at the same time.
pub(super) fn push_remove_rows<'a>(writes: &mut Writes<'a>, space: &'a SpaceKey) {
    for kind in kind::ALL {
        let mut values = of(space);
        values.extend([
            Value::Kind(kind),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
        ]);
        writes.push(Text::RemoveRange, values);
    }
}
