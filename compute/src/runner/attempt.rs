//! One try of a job: its worker works, then what it changes is written.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;
use tokio::time::timeout;

use super::outcome::{End, went_well};
use crate::jobs::schedules::Schedules;
use crate::worker::{NotWritten, SystemClient, SystemWrite, Task, Worked, Worker};

/// What the tries of a kind need.
pub(super) struct Means {
    /// Does the work.
    pub(super) worker: Arc<dyn Worker>,
    /// Writes what it changes.
    pub(super) system: Arc<dyn SystemClient>,
    /// Which jobs are firings of schedules, and so due again when they are done.
    pub(super) schedules: Arc<Schedules>,
    /// The hub's clock.
    pub(super) now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    /// How long the work may take, and as long again the writing.
    pub(super) time: Duration,
}

/// Tries to do a job. It may be dropped at any moment: what was not begun then is not done.
pub(super) async fn attempt(means: &Means, task: &Task) -> End {
    let Ok(worked) = timeout(means.time, means.worker.work(task)).await else {
        return too_long("its work", means.time);
    };
    let (again_ms, changes) = match worked {
        Worked::Done(changes) => (None, changes),
        Worked::Again { due_at_ms, changes } => (Some(due_at_ms), changes),
        Worked::Failed { error, wait_ms } => return End::Failed { error, wait_ms },
        Worked::Busy { wait_ms } => return End::Busy { wait_ms },
        Worked::Hopeless(error) => return End::Hopeless(error),
    };
    let Some(changes) = changes else {
        return again_ms.map_or(End::Done, End::Again);
    };
    let firing = means.schedules.firing(&task.lease.name);
    let due_at_ms = task.job.due_at_ms;
    let outcome = went_well(again_ms, (due_at_ms, firing.schedule()), (means.now)());
    let write = SystemWrite::of(task, outcome.clone(), changes);
    match timeout(means.time, means.system.write(write)).await {
        Ok(Ok(())) => End::Written(outcome),
        Ok(Err(NotWritten::LeaseLost)) => End::LeaseLost,
        Ok(Err(NotWritten::Refused(refusal))) => {
            let why = format!("its changes were refused: {refusal}");
            End::Hopeless(JobError::new(&why))
        }
        Ok(Err(NotWritten::Later(refusal))) => {
            failed(&format!("its changes were not written: {refusal}"))
        }
        Err(_) => too_long("writing its changes", means.time),
    }
}

fn failed(why: &str) -> End {
    End::Failed {
        error: JobError::new(why),
        wait_ms: 0,
    }
}

fn too_long(what: &str, time: Duration) -> End {
    failed(&format!("{what} took longer than {} ms", time.as_millis()))
}
