//! The table `turns`: which space is to be looked at, and when.
//!
//! A row is written once and removed once, and is of no condition, so nobody agrees on it. The table may
//! forget a deletion after a minute, and does with the next compaction that has it before it: until
//! then whoever reads what is due steps over it, and passes over what is due for long if there are more
//! than the server steps over. A replica that missed one brings back a row that is met in vain, once.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use super::Queue;
use super::plan::LOST_AFTER_MS;
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::jobs::JobKind;

/// Partitions that the turns of a kind are spread over: a million spaces that wait are some ten
/// mebibytes in each.
const SHARDS: i64 = 8;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) at_ms: WallMs,
    pub(super) turn: u64,
    pub(super) hint: i64,
    pub(super) space: SpaceKey,
}

impl Turn {
    pub(super) fn of(space: &SpaceKey, queue: Queue) -> Turn {
        Turn {
            at_ms: queue.turn_at_ms,
            turn: queue.turn,
            hint: queue.hint,
            space: space.clone(),
        }
    }
}

fn shard(space: &SpaceKey) -> i64 {
    let digest = Sha256::digest(format!("{}/{}", space.app, space.space));
    i64::from(digest[0]) % SHARDS
}

fn place<'a>(kind: &'a JobKind, turn: &Turn) -> Vec<Value<'a>> {
    vec![
        Value::Text(kind.as_str()),
        Value::Int(shard(&turn.space)),
        Value::Int(turn.at_ms as i64),
        Value::Int(turn.turn as i64),
        Value::Int(turn.hint),
    ]
}

pub(super) async fn put(server: &Server, kind: &JobKind, turn: &Turn) -> Result<(), Failure> {
    let mut values = place(kind, turn);
    values.extend([
        Value::Text(turn.space.app.as_str()),
        Value::Text(turn.space.space.as_str()),
    ]);
    server.put(Text::PutTurn, values).await
}

/// Removes what is no longer named. If that fails it is met in vain, once.
pub(super) async fn remove(server: &Server, kind: &JobKind, turn: &Turn) {
    let removed = server.put(Text::RemoveTurn, place(kind, turn)).await;
    drop(removed);
}

/// Those up to a time, the first first, of each shard at most `limit`.
pub(super) async fn until(
    server: &Server,
    kind: &JobKind,
    (to_ms, limit): (WallMs, usize),
) -> Result<Vec<Turn>, Failure> {
    let last_ms = server.last_look().note(to_ms);
    let reading = (0..SHARDS).map(async |shard| {
        let all = between(server, (kind, shard), (0, to_ms), limit).await;
        match all {
            // More was removed than the server steps over. What is due for longer is found once it is
            // compacted, or a job is put beside it.
            Err(Failure::Tombstones(_)) => {
                let from_ms = last_ms.saturating_sub(LOST_AFTER_MS);
                between(server, (kind, shard), (from_ms, to_ms), limit).await
            }
            all => all,
        }
    });
    let mut turns = try_join_all(reading).await?.concat();
    turns.sort();
    Ok(turns)
}

async fn between(
    server: &Server,
    (kind, shard): (&JobKind, i64),
    (from_ms, to_ms): (WallMs, WallMs),
    limit: usize,
) -> Result<Vec<Turn>, Failure> {
    let at = |ms: WallMs| Value::Int(i64::try_from(ms).unwrap_or(i64::MAX));
    let values = vec![
        Value::Text(kind.as_str()),
        Value::Int(shard),
        at(from_ms),
        at(to_ms),
        Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    let rows = server.ask((Text::Turns, Level::Hint), values).await?;
    let mut turns = Vec::new();
    for cells in rows.cells()? {
        turns.push(Turn {
            at_ms: cells.number_there(0)? as u64,
            turn: cells.number_there(1)? as u64,
            hint: cells.number_there(2)?,
            space: SpaceKey {
                app: AppId::trusted(cells.text(3)?),
                space: SpaceId::trusted(cells.text(4)?),
            },
        });
    }
    Ok(turns)
}

/// By the clocks of who claims, the latest time up to which turns were asked for.
#[derive(Debug, Default)]
pub(in crate::cassandra) struct LastLook(AtomicU64);

impl LastLook {
    /// Takes note of a time, unless it is that of who asks for all. Returns the latest one.
    fn note(&self, to_ms: WallMs) -> WallMs {
        let to_ms = if to_ms == WallMs::MAX { 0 } else { to_ms };
        self.0.fetch_max(to_ms, Ordering::Relaxed).max(to_ms)
    }
}

/// Leaves deletions in the shard of a space, of turns a millisecond apart.
#[cfg(test)]
pub(in crate::cassandra) async fn leave_deletions(
    server: &Server,
    kind: &JobKind,
    (space, from_ms, count): (&SpaceKey, WallMs, u64),
) {
    for n in 0..count {
        let turn = Turn {
            at_ms: from_ms + n,
            turn: 0,
            hint: 7,
            space: space.clone(),
        };
        remove(server, kind, &turn).await;
    }
}

/// As if its writer had ended before it wrote what the row is of.
#[cfg(test)]
pub(in crate::cassandra) async fn put_turn_of_nobody(
    server: &Server,
    kind: &JobKind,
    (space, turn_at_ms): (&SpaceKey, WallMs),
) {
    let queue = Queue {
        turn_at_ms,
        turn: 0,
        hint: 7,
    };
    let written = put(server, kind, &Turn::of(space, queue)).await;
    written.expect("it is written");
}
