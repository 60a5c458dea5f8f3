//! A runner for as long as its process runs: one that ends by a fault is followed by another.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{Runner, RunnerParts};

/// From the end of a runner to the next one. Each wait is twice the one before, until one has run
/// for as long as the longest.
const WAIT_FIRST: Duration = Duration::from_secs(1);

const WAIT_LONGEST: Duration = Duration::from_secs(60);

/// Keeps a runner until it is drained, and starts another one of the same parts, which the same bell
/// wakes, whenever one has ended by a fault of its own. What that one had leased is free when its
/// leases run out. `doing` is told whether jobs are done here, at first and whenever that changes.
pub async fn kept(
    mut runner: Runner,
    parts: RunnerParts,
    mut drain: oneshot::Receiver<()>,
    doing: impl Fn(bool) + Send,
) {
    let bell = runner.bell();
    let mut wait = WAIT_FIRST;
    loop {
        doing(true);
        let began = Instant::now();
        tokio::select! {
            () = runner.ended() => {}
            _ = &mut drain => return runner.drain().await,
        }
        doing(false);
        if began.elapsed() >= WAIT_LONGEST {
            wait = WAIT_FIRST;
        }
        runner = loop {
            tokio::select! {
                () = sleep(wait) => {}
                // One that is no more has nothing to finish.
                _ = &mut drain => return,
            }
            wait = (2 * wait).min(WAIT_LONGEST);
            if let Ok(next) = Runner::start_with(parts.clone(), bell.clone()).await {
                break next;
            }
        };
    }
}
