//! The table `turns`: which space is to be looked at, and when.
//!
//! A row is written once and removed once, and is of no condition, so nobody agrees on it. The table
//! forgets deletions after a minute: a replica that missed one brings back a row that is met in
//! vain, once. So whoever reads what is due steps over what was removed in the last minute.

use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use super::Queue;
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
    (at_ms, limit): (WallMs, usize),
) -> Result<Vec<Turn>, Failure> {
    let reading = (0..SHARDS).map(async |shard| {
        let values = vec![
            Value::Text(kind.as_str()),
            Value::Int(shard),
            Value::Int(i64::try_from(at_ms).unwrap_or(i64::MAX)),
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
        Ok::<_, Failure>(turns)
    });
    let mut turns = try_join_all(reading).await?.concat();
    turns.sort();
    Ok(turns)
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
