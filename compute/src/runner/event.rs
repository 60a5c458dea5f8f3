//! What the runner's state hears, and what it wants done.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Claim, Ended, JobKind, Lease, LeaseError, LeasedJob};
use syncline_storage::types::StoreError;

use super::outcome::End;
use super::told::Told;
use crate::worker::Task;

/// A try, by a number that no other of its runner has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TryId(pub u64);

/// The moment of a step, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The hub's clock, which may jump: what the store is told.
    pub wall_ms: WallMs,
    /// How long the runner has run, in milliseconds. It never jumps: what is waited for.
    pub run_ms: u64,
}

/// The store's answer for each of several leases, in their order.
pub type LeaseAnswers = Result<Vec<Result<(), LeaseError>>, StoreError>;

/// What happens to a runner.
#[derive(Debug)]
pub enum Event {
    /// Its time has come, see [`RunnerState::wake_at_ms`](super::state::RunnerState::wake_at_ms).
    Woke,
    /// Somebody put jobs that are due then.
    Rung(WallMs),
    /// To [`Effect::Claim`].
    Claimed(Result<Vec<LeasedJob>, StoreError>),
    /// To [`Effect::NextDue`].
    Due(Result<Option<WallMs>, StoreError>),
    /// To [`Effect::Begin`], once for each, also if it was stopped.
    Tried {
        /// Which.
        id: TryId,
        /// How it ended.
        end: End,
    },
    /// To [`Effect::Extend`].
    Extended {
        /// Which were asked for.
        ids: Vec<TryId>,
        /// Until when, in the runner's time.
        until_run_ms: u64,
        /// Whether they are.
        answer: LeaseAnswers,
    },
    /// To [`Effect::Finish`].
    Finished(LeaseAnswers),
    /// It is to end.
    Drain,
}

/// What a runner wants done.
#[derive(Debug)]
pub enum Effect {
    /// To claim. There is one question about what is due at a time, this or the next.
    Claim(Claim),
    /// To ask when something is due.
    NextDue(Vec<JobKind>),
    /// To begin a try.
    Begin {
        /// Which.
        id: TryId,
        /// Which pool: the place of its kind.
        pool: usize,
        /// The job.
        task: Box<Task>,
    },
    /// To stop a try that was begun, whose lease is lost.
    Stop(TryId),
    /// To have leases last longer.
    Extend {
        /// Whose.
        ids: Vec<TryId>,
        /// The leases.
        leases: Vec<Lease>,
        /// Until when, by the hub's clock.
        until_ms: WallMs,
        /// The same in the runner's time.
        until_run_ms: u64,
    },
    /// To end leases. There is one such call at a time.
    Finish {
        /// How they ended.
        ended: Vec<Ended>,
        /// The hub's clock.
        now_ms: WallMs,
    },
    /// To tell who counts.
    Tell(Told),
    /// It holds nothing any more, and will not.
    Drained,
}
