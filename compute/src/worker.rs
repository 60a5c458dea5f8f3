//! What does jobs of a kind, and how it says what became of one.
//!
//! A [`Worker`] looks, asks outside, and answers with what is to be written; it writes nothing
//! itself. Its changes go through [`SystemClient`], the session of the space, under a name that is
//! the job's own: however often a job is tried, its changes take effect once.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use syncline_protocol::error::Refusal;
use syncline_protocol::ids::{Epoch, SpaceKey};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Job, JobError, JobNo, LeasedJob};

/// A job to be done.
#[derive(Clone, Debug)]
pub struct Task {
    /// Whose it is.
    pub space: SpaceKey,
    /// Its number: the same in every try of it.
    pub no: JobNo,
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
            space: leased.lease.name.space,
            no: leased.lease.no,
            job: leased.job,
            attempt: leased.attempt,
            now_ms,
        }
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
    /// Where.
    pub space: SpaceKey,
    /// What it is called, 32 hex digits: the same in every try of a job, and another one each time the
    /// job is due. What is written under one name takes effect once.
    pub name: String,
    /// The history that the job is of: what is about data that was erased since is not written.
    pub epoch: Epoch,
    /// When the job was due.
    pub due_at_ms: WallMs,
    /// How many jobs stand between these changes and somebody's own: one more than the job's.
    pub depth: u8,
    /// What.
    pub changes: Changes,
}

impl SystemWrite {
    /// What a job writes. Its name follows from the job's, from what put it and from when it is due,
    /// and not from its number, which is another one in a store that was moved.
    pub fn of(task: &Task, changes: Changes) -> SystemWrite {
        let Job {
            kind,
            key,
            due_at_ms,
            depth,
            origin,
            ..
        } = &task.job;
        let (epoch, seq) = (origin.epoch, origin.seq.0);
        // No name holds a line feed.
        let mut named = format!("{kind}\n{key}\n{epoch}\n{seq}\n{due_at_ms}");
        if mutant(Mutant::NameByTry) {
            named = format!("{named}\n{}", task.attempt);
        }
        let digest = Sha256::digest(named.as_bytes());
        SystemWrite {
            space: task.space.clone(),
            name: digest[..16]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            epoch,
            due_at_ms: *due_at_ms,
            depth: depth.saturating_add(1),
            changes,
        }
    }
}

/// Why changes of a job were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
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
    /// Has changes merged and stored. What was written before under the same name is not written
    /// again.
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten>;
}
