//! What does jobs of a kind, and how it says what became of one.
//!
//! A [`Worker`] looks, asks outside, and answers with what is to be written; it writes nothing
//! itself. Its changes go through [`SystemClient`], the session of the space, whose commit also ends
//! the job's lease: they are written by whoever has the job, and once.

use async_trait::async_trait;
use syncline_protocol::error::Refusal;
use syncline_protocol::ids::{Epoch, SpaceKey};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Ended, Job, JobError, JobNo, Lease, LeasedJob, Outcome};

/// A job to be done.
#[derive(Clone, Debug)]
pub struct Task {
    /// The right to do it.
    pub lease: Lease,
    /// The job.
    pub job: Job,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The hub's clock when the try begins.
    pub now_ms: WallMs,
}

impl Task {
    /// A try of a leased job.
    pub fn of(leased: LeasedJob, now_ms: WallMs) -> Task {
        Task {
            lease: leased.lease,
            job: leased.job,
            attempt: leased.attempt,
            now_ms,
        }
    }

    /// Whose it is.
    pub fn space(&self) -> &SpaceKey {
        &self.lease.name.space
    }

    /// Its number: the same in every try of it.
    pub fn no(&self) -> JobNo {
        self.lease.no
    }
}

/// Changes of records as a client would push them, `[{"table","id","op",…}…]`: JSON that is read
/// where it is written, by the same rules as a device's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes(pub String);

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worked {
    /// It is done, once its changes are written.
    Done(Option<Changes>),
    /// The same, and it is due once more.
    Again {
        /// When.
        due_at_ms: WallMs,
        /// What it writes.
        changes: Option<Changes>,
    },
    /// It could not be done now, and is tried again as its kind's policy says.
    Failed {
        /// Why, for people.
        error: JobError,
        /// No sooner than after so many milliseconds.
        wait_ms: u64,
    },
    /// It was not begun, since who does it has enough to do; it is claimed again after so many
    /// milliseconds, and this was no try.
    Busy {
        /// How many.
        wait_ms: u64,
    },
    /// It can never be done.
    Hopeless(JobError),
}

/// Does the jobs of a kind. It may be dropped at any moment, and is asked again then.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Tries to do a job.
    async fn work(&self, task: &Task) -> Worked;
}

/// Changes that a job makes.
#[derive(Clone, Debug)]
pub struct SystemWrite {
    /// How its lease ends with them.
    pub ended: Ended,
    /// The history that the job is of: what is about data that was erased since is not written.
    pub epoch: Epoch,
    /// How many jobs stand between these changes and somebody's own: one more than the job's.
    pub depth: u8,
    /// What.
    pub changes: Changes,
}

impl SystemWrite {
    /// What a job writes that ends so.
    pub fn of(task: &Task, outcome: Outcome, changes: Changes) -> SystemWrite {
        SystemWrite {
            ended: Ended {
                lease: task.lease.clone(),
                outcome,
            },
            epoch: task.job.origin.epoch,
            depth: task.job.depth.saturating_add(1),
            changes,
        }
    }
}

/// Why changes of a job were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// Somebody else has the job, or nobody: see
    /// [`LeaseLost`](syncline_storage::jobs::LeaseLost). Of a write that is made again the first one
    /// may have ended it.
    #[error("the lease is lost")]
    LeaseLost,
    /// They can never be.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Not now, or nobody knows.
    #[error("{}", .0.message)]
    Later(Refusal),
}

/// Writes to spaces for jobs: an ordinary client, whose changes devices receive by sync.
#[async_trait]
pub trait SystemClient: Send + Sync + 'static {
    /// Has changes merged and stored by the commit that ends the job's lease.
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten>;
}
