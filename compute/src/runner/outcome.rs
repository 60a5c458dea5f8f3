//! What becomes of a job whose try ended.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobError, Outcome};

use super::told::How;
use crate::jobs::cron::Schedule;
use crate::jobs::retry::{Moment, RetryPolicy};

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done, and changed nothing.
    Done,
    /// The same, and it is due once more.
    Again(WallMs),
    /// It is done, and the commit of what it changes has ended its lease so.
    Written(Outcome),
    /// What it changes was not written, since its lease is lost.
    LeaseLost,
    /// It could not be done now.
    Failed {
        /// Why.
        error: JobError,
        /// No sooner than after so many milliseconds.
        wait_ms: u64,
    },
    /// It was not begun, and is no try.
    Busy {
        /// It waits for so many milliseconds.
        wait_ms: u64,
    },
    /// It can never be done.
    Hopeless(JobError),
    /// Its worker panicked, or went without a word.
    Panicked(JobError),
    /// It was stopped, since its lease is lost.
    Stopped,
}

/// Which try ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried<'s> {
    /// Which one, from 1.
    pub(super) attempt: u32,
    /// When it was due.
    pub(super) due_at_ms: WallMs,
    /// The schedule that it is a firing of.
    pub(super) schedule: Option<&'s Schedule>,
}

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Concluded {
    /// What the store is told.
    pub(super) outcome: Outcome,
    /// What people are told.
    pub(super) how: How,
    /// Why it did not go well.
    pub(super) error: Option<JobError>,
}

/// What becomes of a job that was done: it is due again if its worker says so, or its schedule.
pub(super) fn went_well(
    again_ms: Option<WallMs>,
    (due_at_ms, schedule): (WallMs, Option<&Schedule>),
    now_ms: WallMs,
) -> Outcome {
    match (again_ms, schedule) {
        (Some(due_at_ms), _) => Outcome::Again { due_at_ms },
        (None, Some(schedule)) => schedule.after(due_at_ms, now_ms),
        (None, None) => Outcome::Done,
    }
}

/// What becomes of a job whose try ended, and whose lease has not.
pub(super) fn concluded(end: End, of: Tried<'_>, policy: &RetryPolicy, at: Moment) -> Concluded {
    let failed = |error: JobError| policy.after_failure(of.attempt, error, at);
    let well = |again_ms| went_well(again_ms, (of.due_at_ms, of.schedule), at.now_ms);
    let outcome = match end {
        End::Done => well(None),
        End::Again(due_at_ms) => well(Some(due_at_ms)),
        End::Written(outcome) => outcome,
        End::Failed { error, wait_ms } => match failed(error) {
            Outcome::Retry { at_ms, error } => {
                let at_ms = at_ms.max(at.now_ms.saturating_add(wait_ms));
                Outcome::Retry { at_ms, error }
            }
            outcome => outcome,
        },
        End::Busy { wait_ms } => Outcome::Wait {
            at_ms: at.now_ms.saturating_add(wait_ms),
        },
        End::Panicked(error) => failed(error),
        End::LeaseLost => failed(JobError::new("its lease is lost")),
        End::Stopped => failed(JobError::new("it was stopped")),
        End::Hopeless(error) => Outcome::Dead { error },
    };
    given_up_or_not(outcome, of, at.now_ms)
}

/// The same, if the outcome is known. A firing of a schedule that is given up is only that: its job
/// is due again at the next time, since else one bad night would be a schedule's last.
pub(super) fn given_up_or_not(outcome: Outcome, of: Tried<'_>, now_ms: WallMs) -> Concluded {
    let (how, error) = match &outcome {
        Outcome::Done | Outcome::Again { .. } => (How::Done, None),
        Outcome::Retry { error, .. } => (How::Failed, Some(error.clone())),
        Outcome::Dead { error } => (How::Dead, Some(error.clone())),
        Outcome::Wait { .. } => (How::GivenBack, None),
    };
    match (how, of.schedule) {
        (How::Dead, Some(schedule)) => Concluded {
            outcome: schedule.after(of.due_at_ms, now_ms),
            how: How::Missed,
            error,
        },
        _ => Concluded {
            outcome,
            how,
            error,
        },
    }
}

#[cfg(test)]
mod tests;
