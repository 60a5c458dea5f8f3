//! Does jobs: claims what is due, has it done by pools of workers, and ends it.
//!
//! [`state`] decides everything, as a step function of an [`event`] and the time; `shell` carries out
//! what it wants, `pool` are the workers of a kind, `attempt` is one try, [`outcome`] what becomes of
//! the job, [`bell`] wakes the runner, `kept` starts another one when it ended by a fault, and [`told`] is
//! what it says of itself. A hub has one runner,
//! and a process without sockets may have nothing else; however many there are, the store's leases
//! see to it that a job is held by one.

mod attempt;
mod backoff;
pub mod bell;
pub mod event;
mod kept;
pub mod outcome;
mod pool;
mod shell;
pub mod state;
pub mod told;

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;
use syncline_storage::JobStore;
use syncline_storage::jobs::JobKind;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::attempt::Means;
pub use self::bell::Bell;
pub use self::kept::kept;
use self::pool::Pool;
use self::state::{KindRules, RunnerRules};
pub use self::told::{How, StoreCall, Told};
use crate::jobs::lease::LeasePolicy;
use crate::jobs::retry::RetryPolicy;
use crate::jobs::schedules::Schedules;
use crate::worker::{SystemClient, Worker};

/// The longest time without a look at the store, unless it is said otherwise, in milliseconds.
pub const POLL_MS: u64 = 1_000;

/// Jobs of a kind, and how they are done.
#[derive(Clone)]
pub struct KindSpec {
    /// The kind.
    pub kind: JobKind,
    /// What does them.
    pub worker: Arc<dyn Worker>,
    /// Jobs at once, at least 1, and of one space a quarter of that. Half as many more are leased ahead.
    pub concurrency: usize,
    /// How long leases last.
    pub lease: LeasePolicy,
    /// When they are tried again.
    pub retry: RetryPolicy,
    /// How long a try may take, in milliseconds, and as long again the writing of its changes.
    pub time_ms: u64,
}

impl std::fmt::Debug for KindSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindSpec")
            .field("kind", &self.kind)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// What a runner is made of.
#[derive(Clone)]
pub struct RunnerParts {
    /// Where the jobs are.
    pub jobs: Arc<dyn JobStore>,
    /// Who holds leases, for people to see.
    pub node: NodeId,
    /// The hub's clock.
    pub now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    /// Any number: it parts runners that were started together.
    pub seed: u64,
    /// The longest time without a look at the store, in milliseconds; see [`POLL_MS`].
    pub poll_ms: u64,
    /// What it does, each kind once.
    pub kinds: Vec<KindSpec>,
    /// Which jobs are firings of schedules.
    pub schedules: Arc<Schedules>,
    /// Writes what jobs change.
    pub system: Arc<dyn SystemClient>,
    /// Is told what it does. It is called on the runner's own task, so it is quick.
    pub told: Arc<dyn Fn(Told) + Send + Sync>,
}

impl std::fmt::Debug for RunnerParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunnerParts")
            .field("node", &self.node)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

/// A runner that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the workers of {kind} cannot be started: {why}")]
pub struct NotStarted {
    /// Whose.
    pub kind: JobKind,
    /// Why.
    pub why: String,
}

/// A running runner. When it is dropped it stops in the middle of what it does, as a crash would:
/// its leases run out.
#[derive(Debug)]
pub struct Runner {
    bell: Bell,
    drain: oneshot::Sender<()>,
    task: Aborting,
}

/// A task that ends with its handle.
#[derive(Debug)]
struct Aborting {
    task: JoinHandle<()>,
    /// It has ended, and was waited for.
    is_over: bool,
}

impl Aborting {
    async fn end(&mut self) {
        if !self.is_over {
            // Also a task that panicked has ended.
            let _ = (&mut self.task).await;
            self.is_over = true;
        }
    }
}

impl Drop for Aborting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Runner {
    /// Starts the pools and looks for jobs at once.
    pub async fn start(parts: RunnerParts) -> Result<Runner, NotStarted> {
        Runner::start_with(parts, Bell::new()).await
    }

    /// The same, and this bell wakes it.
    async fn start_with(parts: RunnerParts, bell: Bell) -> Result<Runner, NotStarted> {
        let mut pools = Vec::with_capacity(parts.kinds.len());
        for spec in &parts.kinds {
            let means = Means {
                worker: spec.worker.clone(),
                system: parts.system.clone(),
                schedules: parts.schedules.clone(),
                now: parts.now.clone(),
                time: Duration::from_millis(spec.time_ms),
            };
            let pool = Pool::start(Arc::new(means), spec.concurrency).await;
            pools.push(pool.map_err(|error| NotStarted {
                kind: spec.kind.clone(),
                why: error.to_string(),
            })?);
        }
        let rules = |spec: &KindSpec| KindRules {
            kind: spec.kind.clone(),
            concurrency: spec.concurrency,
            lease: spec.lease,
            retry: spec.retry,
            time_ms: spec.time_ms,
        };
        let rules = RunnerRules {
            node: parts.node,
            seed: parts.seed,
            poll_ms: parts.poll_ms,
            kinds: parts.kinds.iter().map(rules).collect(),
            schedules: parts.schedules,
        };
        let (drain, drained) = oneshot::channel();
        let shell = shell::Shell {
            jobs: parts.jobs,
            now: parts.now,
            told: parts.told,
            bell: bell.clone(),
            pools,
        };
        let task = Aborting {
            task: tokio::spawn(shell.run(rules, drained)),
            is_over: false,
        };
        Ok(Runner { bell, drain, task })
    }

    /// What wakes it when jobs are put.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Claims nothing more, gives back what has not begun, lets finish what has, and returns when
    /// the store has all of it: that may be long. Whoever does not wait any longer drops it.
    pub async fn drain(mut self) {
        // A task that is gone has nothing to drain.
        let _ = self.drain.send(());
        self.task.end().await;
    }

    /// Returns when it is no more. Nobody told it to end, so it is a fault of its own, and its
    /// leases run out.
    pub async fn ended(&mut self) {
        self.task.end().await;
    }
}

#[cfg(test)]
mod tests;
