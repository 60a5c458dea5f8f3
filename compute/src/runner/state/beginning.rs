//! How tries begin, and what ends before anything of it is done.

use syncline_storage::jobs::{JobError, JobKind, Outcome};

use super::super::event::{Effect, Now, TryId};
use super::super::outcome::{Concluded, Tried, given_up_or_not};
use super::super::told::{How, Told};
use super::{RunnerState, Stage, Try};
use crate::jobs::schedules::{Firing, GONE_MS, GONE_WAIT_MS};
use crate::worker::Task;

/// A worker was at a try, and not merely too busy for it, which nobody knows before it says so.
pub(super) fn began(one: &Try, kind: &JobKind, began_run_ms: u64, now: Now) -> Effect {
    let ran_ms = now.run_ms.saturating_sub(began_run_ms);
    let late_ms = now.wall_ms.saturating_sub(one.due_at_ms);
    let lag_ms = late_ms.saturating_sub(ran_ms);
    Effect::Tell(Told::Began {
        kind: kind.clone(),
        lag_ms: (one.attempt == 1).then_some(lag_ms),
    })
}

impl RunnerState {
    /// Workers that are free take what is ready.
    pub(super) fn begin(&mut self, now: Now) {
        for pool in 0..self.pools.len() {
            while self.pools[pool].running < self.workers(pool) {
                let Some(id) = self.pools[pool].ready.pop_front() else {
                    break;
                };
                self.begin_try(id, now);
            }
        }
    }

    fn begin_try(&mut self, id: TryId, now: Now) {
        // Others were given back while they were ready, or their lease was lost.
        let Some(one) = self.tries.get(&id).filter(|one| one.stage.is_waiting()) else {
            return;
        };
        let schedules = self.rules.schedules.clone();
        let firing = schedules.firing(&one.lease.name);
        if let Some(concluded) = self.ends_before(one, firing, now) {
            return self.conclude(id, concluded, now);
        }
        let pool = one.pool;
        let began = Stage::Running(now.run_ms);
        let Some(Stage::Waiting { mut leased, .. }) = self.turn(id, began) else {
            unreachable!("it was looked whether {id:?} waits");
        };
        if let Some(schedule) = firing.schedule() {
            // The job was put when the schedule said something else, perhaps.
            leased.job.args = schedule.args().clone();
        }
        let task = Box::new(Task::of(leased, now.wall_ms));
        self.effects.push(Effect::Begin { id, pool, task });
    }

    /// What becomes of a job of which nothing is done.
    fn ends_before(&self, one: &Try, firing: Firing<'_>, now: Now) -> Option<Concluded> {
        let of = Tried {
            attempt: one.attempt,
            due_at_ms: one.due_at_ms,
            schedule: firing.schedule(),
        };
        if matches!(firing, Firing::Gone) {
            let late_ms = now.wall_ms.saturating_sub(one.due_at_ms);
            let at_ms = now.wall_ms.saturating_add(GONE_WAIT_MS);
            if late_ms < GONE_MS {
                return Some(given_up_or_not(Outcome::Wait { at_ms }, of, now.wall_ms));
            }
            return Some(Concluded {
                outcome: Outcome::Done,
                how: How::Missed,
                error: Some(JobError::new(
                    "schedule_gone: its schedule is in the config no more",
                )),
            });
        }
        let kind = &self.rules.kinds[one.pool];
        if let Some(outcome) = kind.retry.before_start(one.attempt) {
            return Some(given_up_or_not(outcome, of, now.wall_ms));
        }
        // What was begun in time is tried to its end.
        let schedule = of.schedule.filter(|_| one.attempt == 1)?;
        let due_at_ms = schedule.instead_of(one.due_at_ms, now.wall_ms)?;
        Some(Concluded {
            outcome: Outcome::Again { due_at_ms },
            how: How::Missed,
            error: Some(JobError::new(
                "overtaken: a later time of its schedule has come",
            )),
        })
    }
}
