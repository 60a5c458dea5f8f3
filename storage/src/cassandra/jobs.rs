//! Jobs in the cluster. Those of a space are rows of its partition, so a commit writes them in its own
//! batch, and whoever leases or ends one writes that batch under the same condition as everybody: that
//! nothing was written since it looked. So [`plan`], which says what becomes of jobs, is pure, and what
//! it is applied to is of one moment ([`seen`]).
//!
//! What finds them is the table `turns`: for each space and kind that has any to be done a row with the
//! time to look there next, as the queues of other engines. It is of another partition, so it is
//! written before the batch that names it, and removed only after a batch by which nothing that named
//! it can pass any more ([`change`]). A row that no batch named is met once, at its time, and ends.
//! `dead_jobs` finds the dead of all spaces in the same way.

mod change;
mod changing;
mod claim;
mod dead;
mod failing;
mod finish;
mod lanes;
mod numbers;
mod people;
mod places;
mod plan;
mod row;
mod seen;
mod store;
mod transfer;
mod turns;

use syncline_protocol::stamp::WallMs;

use crate::jobs::{Job, JobNo, JobState, StoredJob};

pub(super) use change::{Beside, Settled, push_rows};
pub(super) use dead::dead_of;
pub(super) use failing::Failing;
pub(super) use numbers::Numbers;
#[cfg(test)]
pub(super) use people::SPACES_COUNTED_MAX;
pub(super) use places::{Name, dead, living, ordered_name};
pub(super) use row::JOB_COLUMNS;
pub(super) use seen::{Made, of_commit};
pub(super) use transfer::{export, exported, forget, import, lanes_there, open_queues};
pub(super) use turns::LastLook;
#[cfg(test)]
pub(super) use turns::{leave_deletions, put_turn_of_nobody};

/// A job as it stands in its space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    no: JobNo,
    /// The number of its last lease.
    lease: u64,
    /// When it may be claimed; of a dead one when it died.
    at_ms: WallMs,
    /// Another one of its lane can be claimed.
    is_behind: bool,
    /// Random: of the row of `dead_jobs` that is its, if it is dead. `None` also of what died before there
    /// were such rows; that has one of `dead`.
    dead_id: Option<i64>,
    stored: StoredJob,
}

impl Kept {
    fn is_dead(&self) -> bool {
        matches!(self.stored.state, JobState::Dead { .. })
    }

    /// A new one. In a lane it is behind until that is settled.
    fn put(job: Job, no: JobNo) -> Kept {
        Kept {
            no,
            lease: 0,
            at_ms: job.due_at_ms,
            is_behind: job.lane.is_some(),
            dead_id: None,
            stored: StoredJob {
                job,
                state: JobState::Scheduled,
                attempt: 0,
                error: None,
            },
        }
    }
}

/// When a space is to be looked at next for jobs of a kind, and which row of `turns` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    turn_at_ms: WallMs,
    /// Turns since it last had nothing due.
    turn: u64,
    /// Random: of the row of `turns`.
    hint: i64,
}

#[cfg(test)]
mod tests;
