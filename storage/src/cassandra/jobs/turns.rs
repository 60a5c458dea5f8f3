//! The table `turns`: which space is to be looked at, and when.
//!
//! A row is written once and removed once, and is of no condition, so nobody agrees on it. The table may
//! forget a deletion after a minute, and does with the next compaction that has it before it: until
//! then whoever reads what is due steps over it. If there are more than the server steps over, what is due is
//! read in parts, the oldest first, and remembered is before which time nothing was, so that this is not
//! done each time. A replica that missed a deletion brings back a row that is met in vain, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Parts that are read of a shard at once. Behind so many only what came due lately is looked at.
const PARTS_MAX: usize = 256;

/// No turn is later, as no number of a job is.
const LATEST_MS: WallMs = 1 << 42;

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
        let from_ms = server.last_look().floor((kind, shard), last_ms);
        let span = (from_ms, to_ms);
        match between(server, (kind, shard), span, limit).await {
            Err(Failure::Tombstones(_)) => {
                past_deletions(server, (kind, shard), (span, last_ms), limit).await
            }
            all => all,
        }
    });
    let mut turns = try_join_all(reading).await?.concat();
    turns.sort();
    Ok(turns)
}

/// The first of a span in which more was removed than the server steps over: part by part, and a part in
/// which there is still too much in two.
async fn past_deletions(
    server: &Server,
    (kind, shard): (&JobKind, i64),
    (span, last_ms): ((WallMs, WallMs), WallMs),
    limit: usize,
) -> Result<Vec<Turn>, Failure> {
    let span = (span.0, span.1.min(LATEST_MS));
    let mut parts = parts(span, last_ms);
    let mut turns = Vec::new();
    for _ in 0..PARTS_MAX {
        let Some((from_ms, to_ms)) = parts.pop().filter(|_| turns.len() < limit) else {
            let look = server.last_look();
            look.raise((kind, shard), (turns.first(), last_ms));
            return Ok(turns);
        };
        let left = limit - turns.len();
        match between(server, (kind, shard), (from_ms, to_ms), left).await {
            Err(Failure::Tombstones(_)) if from_ms < to_ms => {
                let middle_ms = from_ms + (to_ms - from_ms) / 2;
                parts.extend([(middle_ms + 1, to_ms), (from_ms, middle_ms)]);
            }
            // More in a millisecond than can be told of.
            Err(Failure::Tombstones(_)) => {}
            read => turns.extend(read?),
        }
    }
    let lately = (last_ms.saturating_sub(LOST_AFTER_MS), span.1);
    between(server, (kind, shard), lately, limit).await
}

/// The parts of a span, the first one last: of what came due lately one, and of what is before each twice as
/// long as the one behind it.
fn parts((from_ms, to_ms): (WallMs, WallMs), last_ms: WallMs) -> Vec<(WallMs, WallMs)> {
    let (mut parts, mut width_ms) = (Vec::new(), LOST_AFTER_MS);
    let (mut begin_ms, mut end_ms) = (last_ms.saturating_sub(width_ms).min(to_ms), to_ms);
    while begin_ms > from_ms {
        parts.push((begin_ms, end_ms));
        end_ms = begin_ms - 1;
        width_ms = width_ms.saturating_mul(2);
        begin_ms = end_ms.saturating_sub(width_ms);
    }
    parts.push((from_ms, end_ms));
    parts
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

/// What is remembered of the looks at turns, by the clocks of who claims.
#[derive(Debug, Default)]
pub(in crate::cassandra) struct LastLook {
    /// The latest time up to which turns were asked for.
    to_ms: AtomicU64,
    /// By kind and shard, where there was too much to step over.
    floors: Mutex<BTreeMap<(JobKind, i64), Floor>>,
}

/// No turn is before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    before_ms: WallMs,
    /// When that was looked at. It is forgotten after [`LOST_AFTER_MS`], because somebody may have put one
    /// there since, for a time that was over.
    since_ms: WallMs,
}

impl LastLook {
    /// Takes note of a time, unless it is that of who asks for all. Returns the latest one.
    fn note(&self, to_ms: WallMs) -> WallMs {
        let to_ms = if to_ms == WallMs::MAX { 0 } else { to_ms };
        self.to_ms.fetch_max(to_ms, Ordering::Relaxed).max(to_ms)
    }

    fn floors(&self) -> MutexGuard<'_, BTreeMap<(JobKind, i64), Floor>> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From where on a shard is to be read.
    fn floor(&self, (kind, shard): (&JobKind, i64), now_ms: WallMs) -> WallMs {
        let floors = self.floors();
        let floor = floors.get(&(kind.clone(), shard));
        let floor = floor.filter(|floor| now_ms < floor.since_ms + LOST_AFTER_MS);
        floor.map_or(0, |floor| floor.before_ms)
    }

    /// Remembers what was the first turn of a shard. Those that others bring are of now, by clocks that may
    /// be behind.
    fn raise(&self, (kind, shard): (&JobKind, i64), (first, now_ms): (Option<&Turn>, WallMs)) {
        let lately_ms = now_ms.saturating_sub(LOST_AFTER_MS);
        let before_ms = first.map_or(lately_ms, |turn| turn.at_ms.min(lately_ms));
        let mut floors = self.floors();
        let floor = floors.entry((kind.clone(), shard)).or_insert(Floor {
            before_ms,
            since_ms: now_ms,
        });
        floor.before_ms = before_ms;
        // Only who began at the beginning has looked at all.
        if now_ms >= floor.since_ms + LOST_AFTER_MS {
            floor.since_ms = now_ms;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: WallMs = 60_000;

    #[test]
    fn parts_are_one_behind_the_other_and_the_first_is_taken_first() {
        let now_ms = 1_000 * MINUTE_MS;
        for span in [
            (0, now_ms),
            (0, LATEST_MS),
            (now_ms - 25 * MINUTE_MS, now_ms),
            (0, 7),
        ] {
            let mut parts = parts(span, now_ms);
            let mut next_ms = span.0;
            while let Some((from_ms, to_ms)) = parts.pop() {
                assert!(
                    from_ms == next_ms && from_ms <= to_ms,
                    "{from_ms} {to_ms} of {span:?}"
                );
                next_ms = to_ms + 1;
            }
            assert_eq!(next_ms, span.1 + 1, "{span:?}");
        }
        let all = parts((0, now_ms), now_ms);
        assert_eq!(all[0], (now_ms - 10 * MINUTE_MS, now_ms));
    }

    #[test]
    fn what_was_empty_is_looked_at_again_after_ten_minutes() {
        let (look, kind) = (LastLook::default(), JobKind::trusted("k"));
        let now_ms = 1_000 * MINUTE_MS;
        let floor = |after_ms| look.floor((&kind, 3), now_ms + after_ms);
        assert_eq!(floor(0), 0);
        look.raise((&kind, 3), (None, now_ms));
        look.raise((&kind, 3), (None, now_ms + 9 * MINUTE_MS));
        assert_eq!(floor(9 * MINUTE_MS), now_ms - MINUTE_MS);
        assert_eq!(floor(10 * MINUTE_MS), 0);
        assert_eq!(look.floor((&kind, 4), now_ms), 0);
    }
}
