//! What a runner tells of what it does, for metrics and logs.

use syncline_storage::jobs::{JobError, JobKind, JobName};

/// What a runner did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It leased jobs.
    Claimed {
        /// Of which kind.
        kind: JobKind,
        /// How many.
        jobs: usize,
    },
    /// A worker began a job, and has ended: one that had enough to do has begun nothing
    /// ([`Worked::Busy`](crate::worker::Worked::Busy)).
    Began {
        /// Of which kind.
        kind: JobKind,
        /// How long after it was due it began, in milliseconds; `None` if it is not its first try.
        lag_ms: Option<u64>,
    },
    /// The store knows how a try ended.
    Ended {
        /// Which job.
        name: JobName,
        /// How.
        how: How,
        /// Why it failed, for people.
        error: Option<JobError>,
        /// How long its worker took, in milliseconds; `None` if none had begun.
        ran_ms: Option<u64>,
    },
    /// Somebody else may have the job: what was done of it counts for nothing.
    LeaseLost {
        /// Of which kind.
        kind: JobKind,
    },
    /// A worker panicked, and another one took its place.
    Panicked {
        /// Of which kind.
        kind: JobKind,
        /// What it said.
        error: JobError,
    },
    /// The store did not answer; it is asked again.
    StoreFailed {
        /// What was asked.
        call: StoreCall,
        /// Why.
        error: String,
    },
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// It is done, perhaps to be due once more.
    Done,
    /// It failed and is tried again.
    Failed,
    /// It was given up.
    Dead,
    /// One firing of a schedule was given up: the schedule goes on with its next.
    Missed,
    /// Nothing of it was done, and it waits until who does it has less to do.
    GivenBack,
}

/// A call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreCall {
    /// [`JobStore::claim`](syncline_storage::JobStore::claim).
    Claim,
    /// [`JobStore::next_due`](syncline_storage::JobStore::next_due).
    NextDue,
    /// [`JobStore::extend`](syncline_storage::JobStore::extend).
    Extend,
    /// [`JobStore::finish`](syncline_storage::JobStore::finish).
    Finish,
}
