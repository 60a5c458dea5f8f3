//! Jobs that may end their process.
//!
//! When a process is gone, nobody knows which of the jobs it held ended it, so each of them has lost a try. One
//! that has lost two, and of which no try ever said how it ended, is *suspected*. A runner holds one of these
//! at a time, of whatever kind; the others are given back, which is no try. So what stood beside such a job
//! twice is done without it the third time, and loses no more. One that is suspected for nothing is done a little
//! later. A job that failed in between, as far as its worker could say, is not suspected.

use syncline_storage::jobs::LeasedJob;

use super::{RunnerState, Try};

/// The try from which on a job is suspected.
const SUSPECTED_TRY: u32 = 3;

/// Whether a job may be what ended its process.
pub(super) fn is_suspected(leased: &LeasedJob) -> bool {
    leased.attempt >= SUSPECTED_TRY && !leased.has_failed
}

impl RunnerState {
    /// A suspected job is to be done, or is at work.
    pub(super) fn holds_suspect(&self) -> bool {
        let suspect = self.suspect.and_then(|id| self.tries.get(&id));
        suspect.is_some_and(Try::is_held)
    }
}
