//! Durable jobs: work that a commit enqueues in its own transaction, leased to whoever does it.
//!
//! [`names`] and [`types`] are the vocabulary, [`store`] is the contract that every engine keeps;
//! [`moves`] says what several moves of one job in a commit amount to. What a job does, when it is
//! tried again and when it is given up is not decided here.
//!
//! ```text
//!           put               claim                 finish
//!  (nothing) ──► scheduled ───────────► leased ──────────────► done: the row is gone
//!                    ▲                   │ ▲ │
//!                    │ again             │ │ └─ dead: kept for people, until replayed
//!                    └───────────────────┤ │
//!                              retry ◄───┘ │
//!                                └─ claim ─┘    (so is a lease that nobody extends)
//! ```
//!
//! A job that is done leaves nothing, and its key is free. So what must happen once per commit has
//! the commit in its key, since a commit happens once; and what repeats keeps one row and one key
//! ([`Outcome::Again`]), so nobody has to remember which repetitions there were.

mod moves;
mod names;
mod states;
mod store;
mod types;

pub use moves::{Net, first_due_ms, net};
pub(crate) use names::name;
pub use names::{JobKey, JobKind, JobLane, JobName, TriggerId};
pub(crate) use states::{DEAD, LEASED, RETRY, SCHEDULED, StateColumns};
pub use store::JobStore;
pub use types::{
    ArgsTooLarge, Claim, DeadCursor, DeadJob, Ended, IfThere, Job, JobArgs, JobCounts, JobError,
    JobMove, JobNo, JobState, Lease, LeaseError, LeaseLost, LeasedJob, Origin, Outcome, StoredJob,
    Wanted,
};

/// Bytes of a kind.
pub const JOB_KIND_BYTES_MAX: usize = 64;

/// Bytes of a key: a trigger, a table, an id and a commit fit.
pub const JOB_KEY_BYTES_MAX: usize = 640;

/// Bytes of a lane: a trigger, a table and an id fit.
pub const JOB_LANE_BYTES_MAX: usize = 640;

/// Bytes of a trigger's name.
pub const TRIGGER_BYTES_MAX: usize = 64;

/// Bytes of a job's arguments. Work on something larger names the record.
pub const JOB_ARGS_BYTES_MAX: usize = 64 << 10;

/// Bytes of an error that are kept; the rest is cut off.
pub const JOB_ERROR_BYTES_MAX: usize = 1 << 10;

/// Jobs of a kind that [`JobStore::job_counts`] counts, and dead ones likewise: there are at least
/// as many as it says. Cassandra, where each space must be asked, counts those of 200 spaces of a kind.
pub const JOBS_COUNTED_MAX: u64 = 10_000;

/// Spaces that a claim passes over, of a kind. A runner names fewer: a space that has all that it may have
/// holds an eighth of what a pool holds, or more. Who names more may be given jobs of those past it, and
/// gives them back.
pub const CLAIM_FULL_MAX: usize = 16;

/// Passes of a claim over queues of which none had anything. Queues are told of what comes, not of
/// what went, so some are looked at in vain, each once.
pub(crate) const CLAIM_PASSES_MAX: usize = 4;
