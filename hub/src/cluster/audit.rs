//! The look at the store: which live spaces are elsewhere than their sessions believe?
//!
//! At once when messages were lost, and now and then in any case. Spaces are read many at a time,
//! and only sessions that are behind are told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::debug;

use crate::session::entry::Entry;
use crate::session::event::Event;
use crate::session::registry::Sessions;
use crate::telemetry::labels::CatchUpCause;

/// Spaces in one read.
const BATCH: usize = 256;

/// Reads at once, when messages were lost.
const READS_AT_ONCE: usize = 4;

/// From one read to the next, when nothing is known to be lost.
const PAUSE: Duration = Duration::from_millis(50);

/// From the end of one look to the begin of the next, however many are wanted.
const APART: Duration = Duration::from_secs(1);

/// The shortest time from one regular look to the next, and how much longer it may be.
const EVERY_MS: (u64, u64) = (30_000, 30_000);

/// The same while the bus is away: it is all that tells what came to other nodes.
const EVERY_AWAY_MS: (u64, u64) = (3_000, 3_000);

/// Looks for ever: when it is wanted, and now and then.
pub(super) async fn run(
    sessions: Sessions,
    mut wanted: mpsc::Receiver<CatchUpCause>,
    is_away: impl Fn() -> bool,
) {
    loop {
        let regular = async {
            sleep(until_next(is_away(), random())).await;
            look_slowly(&sessions).await;
        };
        let cause = tokio::select! {
            cause = wanted.recv() => cause,
            () = regular => continue,
        };
        // Who wanted it is gone only when the node ends.
        let Some(cause) = cause else { return };
        while !look_at_once(&sessions, cause).await {
            sleep(APART).await;
        }
        sleep(APART).await;
    }
}

/// Nodes that were started together do not look together.
fn until_next(is_away: bool, random: u64) -> Duration {
    let (shortest, more) = if is_away { EVERY_AWAY_MS } else { EVERY_MS };
    Duration::from_millis(shortest + random % (more + 1))
}

/// Without randomness all wait alike.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

async fn look_slowly(sessions: &Sessions) {
    for batch in batches(sessions) {
        look(sessions, batch, CatchUpCause::Audit).await;
        sleep(PAUSE).await;
    }
}

/// Whether the store answered every read.
async fn look_at_once(sessions: &Sessions, cause: CatchUpCause) -> bool {
    let looks = stream::iter(batches(sessions)).map(|batch| look(sessions, batch, cause));
    looks
        .buffer_unordered(READS_AT_ONCE)
        .fold(true, |all, one| std::future::ready(all && one))
        .await
}

fn batches(sessions: &Sessions) -> Vec<Vec<Arc<Entry>>> {
    sessions.open().chunks(BATCH).map(<[_]>::to_vec).collect()
}

/// Whether the store answered.
async fn look(sessions: &Sessions, entries: Vec<Arc<Entry>>, cause: CatchUpCause) -> bool {
    let spaces: Vec<_> = entries.iter().map(|entry| entry.space.clone()).collect();
    let views = match sessions.store().views(&spaces).await {
        Ok(views) => views,
        Err(error) => {
            debug!(%error, "an audit cannot read the store");
            return false;
        }
    };
    for (entry, view) in entries.iter().zip(views) {
        if !view.is_some_and(|view| entry.is_at(view.epoch, view.head)) {
            sessions.catch_up(entry, Event::Missed, cause);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_and_more_often_without_the_bus() {
        for (is_away, range) in [(false, 30_000..=60_000), (true, 3_000..=6_000)] {
            let waits = [0, 1, 7_654_321, u64::MAX].map(|random| until_next(is_away, random));
            for wait in waits {
                assert!(range.contains(&(wait.as_millis() as u64)), "{wait:?}");
            }
            assert_ne!(waits[0], waits[2]);
        }
    }
}
