//! One try of a job: its worker works, then what it changes is written.

use std::sync::Arc;
use std::time::Duration;

use syncline_storage::jobs::JobError;
use tokio::time::timeout;

use super::outcome::End;
use crate::worker::{NotWritten, SystemClient, SystemWrite, Task, Worked, Worker};

/// What the tries of a kind need.
pub(super) struct Means {
    /// Does the work.
    pub(super) worker: Arc<dyn Worker>,
    /// Writes what it changes.
    pub(super) system: Arc<dyn SystemClient>,
    /// How long the work may take, and as long again the writing.
    pub(super) time: Duration,
}

/// Tries to do a job. It may be dropped at any moment: what was not begun then is not done.
pub(super) async fn attempt(means: &Means, task: &Task) -> End {
    let Ok(worked) = timeout(means.time, means.worker.work(task)).await else {
        return too_long("its work", means.time);
    };
    let (end, changes) = match worked {
        Worked::Done(changes) => (End::Done, changes),
        Worked::Again { due_at_ms, changes } => (End::Again(due_at_ms), changes),
        Worked::Failed { error, wait_ms } => return End::Failed { error, wait_ms },
        Worked::Busy { wait_ms } => return End::Busy { wait_ms },
        Worked::Hopeless(error) => return End::Hopeless(error),
    };
    let Some(changes) = changes else { return end };
    let write = means.system.write(SystemWrite::of(task, changes));
    match timeout(means.time, write).await {
        Ok(Ok(())) => end,
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
