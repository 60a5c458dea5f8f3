//! Wakes a runner when there is something to do before it would have looked.
//!
//! It is rung once for each commit that puts jobs, so it is cheap: who rings lowers one number, and
//! wakes the runner only if nobody has since it last looked. A ring that is lost costs the time until
//! the runner looks by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syncline_protocol::stamp::WallMs;
use tokio::sync::Notify;

/// Nobody rang.
const QUIET: u64 = u64::MAX;

/// A runner's bell.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Rung>);

#[derive(Debug)]
struct Rung {
    /// The earliest due time that was said since the runner looked.
    due_at_ms: AtomicU64,
    woken: Notify,
}

impl Bell {
    pub(super) fn new() -> Bell {
        Bell(Arc::new(Rung {
            due_at_ms: AtomicU64::new(QUIET),
            woken: Notify::new(),
        }))
    }

    /// Says that jobs are there which are due then. Called when they are committed.
    pub fn ring(&self, due_at_ms: WallMs) {
        let due_at_ms = due_at_ms.min(QUIET - 1);
        let before = self.0.due_at_ms.fetch_min(due_at_ms, Ordering::AcqRel);
        // Whoever said something before has woken it, or is about to.
        if before == QUIET {
            self.0.woken.notify_one();
        }
    }

    /// Waits until somebody rings. Returns the earliest due time that was said.
    pub(super) async fn rung(&self) -> WallMs {
        loop {
            let due_at_ms = self.0.due_at_ms.swap(QUIET, Ordering::AcqRel);
            if due_at_ms < QUIET {
                return due_at_ms;
            }
            self.0.woken.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const HUNG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn rings_before_it_looks_are_one_with_the_earliest_time() {
        let bell = Bell::new();
        for due_at_ms in [7, 3, u64::MAX] {
            bell.clone().ring(due_at_ms);
        }
        assert_eq!(timeout(HUNG, bell.rung()).await, Ok(3));
        bell.ring(u64::MAX);
        assert_eq!(timeout(HUNG, bell.rung()).await, Ok(u64::MAX - 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_rings_last_is_heard() {
        let bell = Bell::new();
        let ringing = bell.clone();
        let rings = 10_000;
        let ringer = tokio::spawn(async move {
            for n in (0..rings).rev() {
                ringing.ring(n);
                tokio::task::yield_now().await;
            }
        });
        // The last one is the earliest, so it is heard in the end or all have waited in vain.
        while timeout(HUNG, bell.rung()).await.expect("it is woken") > 0 {}
        ringer.await.unwrap();
    }
}
