//! Where something is to be done later: reservations that run out, and transfers that may be left in the
//! middle. A hint is written before what it is of, and goes after that: so nothing is without one, and
//! one may be in vain. It has the random id of a posting that was never there before.

use futures_util::future::try_join_all;
use syncline_protocol::stamp::WallMs;

use super::row::{number_of, number_value};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::ledger::{PostingId, posting_of};

/// Partitions that the hints of a kind are spread over.
const SHARDS: i64 = 8;

/// Where more was removed than the server steps over, only what came later than this is seen, until it
/// is compacted: a day.
const LOST_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// A reservation runs out.
    RunOut,
    /// A transfer is brought to its end.
    Finish,
}

impl Errand {
    fn code(self) -> i64 {
        match self {
            Errand::RunOut => 0,
            Errand::Finish => 1,
        }
    }
}

/// A hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hint {
    pub(super) at_ms: WallMs,
    pub(super) posting: PostingId,
    /// The account.
    pub(super) number: u128,
}

impl Hint {
    fn place(&self, errand: Errand) -> Vec<Value<'static>> {
        vec![
            Value::Int(errand.code()),
            Value::Int((self.number % SHARDS as u128) as i64),
            bigint(self.at_ms),
            number_value(self.posting.0),
        ]
    }
}

fn bigint(at_ms: WallMs) -> Value<'static> {
    Value::Int(i64::try_from(at_ms).unwrap_or(i64::MAX))
}

pub(super) async fn put(server: &Server, errand: Errand, hint: Hint) -> Result<(), Failure> {
    let mut values = hint.place(errand);
    values.push(number_value(hint.number));
    server.put(Text::PutHint, values).await
}

/// Removes what is done. If that fails it is met in vain, once.
pub(super) async fn remove(server: &Server, errand: Errand, hint: Hint) {
    let removed = server.put(Text::RemoveHint, hint.place(errand)).await;
    drop(removed);
}

/// Those up to a time, the first first, at most `limit`.
pub(super) async fn until(
    server: &Server,
    errand: Errand,
    (to_ms, limit): (WallMs, usize),
) -> Result<Vec<Hint>, Failure> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let reading = (0..SHARDS).map(async |shard| {
        let all = between(server, (errand, shard), (0, to_ms), limit).await;
        match all {
            Err(Failure::Tombstones(_)) => {
                let from_ms = to_ms.saturating_sub(LOST_AFTER_MS);
                between(server, (errand, shard), (from_ms, to_ms), limit).await
            }
            all => all,
        }
    });
    let mut hints = try_join_all(reading).await?.concat();
    hints.sort();
    hints.truncate(limit);
    Ok(hints)
}

async fn between(
    server: &Server,
    (errand, shard): (Errand, i64),
    (from_ms, to_ms): (WallMs, WallMs),
    limit: usize,
) -> Result<Vec<Hint>, Failure> {
    let values = vec![
        Value::Int(errand.code()),
        Value::Int(shard),
        bigint(from_ms),
        bigint(to_ms),
        Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    let rows = server.ask((Text::Hints, Level::Hint), values).await?;
    let mut hints = Vec::new();
    for cells in rows.cells()? {
        hints.push(Hint {
            at_ms: cells.number_there(0)? as u64,
            posting: posting_of(cells.bytes_there(1)?)?,
            number: number_of(cells.bytes_there(2)?)?,
        });
    }
    Ok(hints)
}

/// Every partition of hints, for who empties a keyspace.
#[cfg(test)]
pub(in crate::cassandra) fn shards_of_hints() -> impl Iterator<Item = (i64, i64)> {
    let errands = [Errand::RunOut, Errand::Finish];
    errands
        .into_iter()
        .flat_map(|errand| (0..SHARDS).map(move |shard| (errand.code(), shard)))
}
