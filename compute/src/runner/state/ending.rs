//! How leases end: what became of tries, told to the store many at a time.
//!
//! While one call is under way the next gathers. A call that failed is made again, since it may have
//! taken effect or not, and either is well: of an end that was taken the repetition is a lost lease.

use std::collections::VecDeque;

use syncline_storage::jobs::{Ended, LeaseError, LeaseLost, Outcome};
use syncline_storage::types::StoreError;

use super::super::backoff::Backoff;
use super::super::event::{Effect, LeaseAnswers, Now, TryId};
use super::super::outcome::Concluded;
use super::super::told::{How, StoreCall, Told};
use super::{RunnerState, Stage};

/// Ends in one call.
const FINISH_MAX: usize = 256;

/// What the store is to be told.
#[derive(Debug)]
pub(super) struct Ending {
    /// What ended, in order.
    waiting: VecDeque<TryId>,
    /// What the store is told now.
    asked: Vec<TryId>,
    backoff: Backoff,
    /// Ends in the next call: few after one that failed, so that one that the store cannot take
    /// does not keep the others.
    at_once: usize,
}

impl Default for Ending {
    fn default() -> Ending {
        Ending {
            waiting: VecDeque::new(),
            asked: Vec::new(),
            backoff: Backoff::default(),
            at_once: FINISH_MAX,
        }
    }
}

impl Ending {
    pub(super) fn wake_at_ms(&self) -> Option<u64> {
        let waits = self.asked.is_empty() && !self.waiting.is_empty();
        waits.then_some(self.backoff.until_run_ms)
    }
}

impl RunnerState {
    /// A try ended, or a job is given back.
    pub(super) fn conclude(&mut self, id: TryId, concluded: Concluded, now: Now) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let ran_ms = match one.stage {
            // Who gives a job back has not begun it.
            Stage::Running(began_run_ms) if concluded.how != How::GivenBack => {
                Some(now.run_ms.saturating_sub(began_run_ms))
            }
            _ => None,
        };
        let ended = Stage::Ended {
            concluded,
            ran_ms,
            told: false,
        };
        self.turn(id, ended);
        self.ending.waiting.push_back(id);
    }

    /// Tells the store what ended.
    pub(super) fn finish(&mut self, now: Now) {
        let ending = &mut self.ending;
        if !ending.asked.is_empty() || !ending.backoff.is_over(now.run_ms) {
            return;
        }
        let mut ended = Vec::new();
        while ended.len() < ending.at_once {
            let Some(id) = ending.waiting.pop_front() else {
                break;
            };
            if let Some(one) = self.tries.get(&id)
                && let Stage::Ended { concluded, .. } = &one.stage
            {
                ended.push(Ended {
                    lease: one.lease.clone(),
                    outcome: concluded.outcome.clone(),
                });
                ending.asked.push(id);
            }
        }
        if !ended.is_empty() {
            let now_ms = now.wall_ms;
            self.effects.push(Effect::Finish { ended, now_ms });
        }
    }

    pub(super) fn finished(&mut self, answer: LeaseAnswers, now: Now) {
        let asked = std::mem::take(&mut self.ending.asked);
        match answer {
            Ok(answers) => {
                self.ending.backoff.went_well();
                self.ending.at_once = FINISH_MAX;
                let (mut failed, mut why) = (Vec::new(), None);
                for (id, answer) in asked.into_iter().zip(answers) {
                    match answer {
                        Ok(()) => self.ended(id, Ok(()), now),
                        Err(LeaseError::Lost(lost)) => self.ended(id, Err(lost), now),
                        Err(LeaseError::Store(error)) => {
                            failed.push(id);
                            why = Some(error);
                        }
                    }
                }
                if let Some(error) = why {
                    self.finish_again(failed, &error, now);
                }
            }
            Err(error) => self.finish_again(asked, &error, now),
        }
    }

    /// The store has it, or it does not matter any more.
    fn ended(&mut self, id: TryId, answer: Result<(), LeaseLost>, now: Now) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let Stage::Ended {
            concluded,
            ran_ms,
            told,
        } = &one.stage
        else {
            return;
        };
        // Told before, it may well be that call that ended it.
        if answer.is_err() && !told {
            return self.lease_lost(id, now);
        }
        let news = Told::Ended {
            name: one.lease.name.clone(),
            how: concluded.how,
            error: concluded.error.clone(),
            ran_ms: *ran_ms,
        };
        let outcome = concluded.outcome.clone();
        self.tell(news);
        self.leave(id, &outcome, now);
    }

    /// What a try wrote has ended its lease.
    pub(super) fn ended_with_write(&mut self, id: TryId, outcome: &Outcome, now: Now) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let ran_ms = match one.stage {
            Stage::Running(began_run_ms) => Some(now.run_ms.saturating_sub(began_run_ms)),
            _ => None,
        };
        let news = Told::Ended {
            name: one.lease.name.clone(),
            how: How::Done,
            error: None,
            ran_ms,
        };
        self.tell(news);
        self.leave(id, outcome, now);
    }

    /// Somebody else has it, or nobody.
    pub(super) fn lease_lost(&mut self, id: TryId, now: Now) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let kind = self.rules.kinds[one.pool].kind.clone();
        self.tell(Told::LeaseLost { kind });
        self.leave(id, &Outcome::Done, now);
    }

    /// Its lease has ended so. What comes back is looked for, and what was behind it in its lane.
    fn leave(&mut self, id: TryId, outcome: &Outcome, now: Now) {
        let has_lane = self.tries.get(&id).is_some_and(|one| one.has_lane);
        let lane_goes_on = has_lane.then_some(now.wall_ms);
        let due_at_ms = match outcome {
            Outcome::Retry { at_ms, .. } | Outcome::Wait { at_ms } => Some(*at_ms),
            Outcome::Again { due_at_ms } => lane_goes_on.or(Some(*due_at_ms)),
            Outcome::Done | Outcome::Dead { .. } => lane_goes_on,
        };
        self.forget(id);
        if let Some(due_at_ms) = due_at_ms {
            self.rung(due_at_ms, now);
        }
    }

    /// Those that failed go behind the others.
    fn finish_again(&mut self, asked: Vec<TryId>, error: &StoreError, now: Now) {
        self.store_failed(StoreCall::Finish, error);
        let seed = self.draw();
        self.ending.backoff.failed(now.run_ms, seed);
        self.ending.at_once = (asked.len() / 2).max(1);
        if let ([id], StoreError::Damaged(_)) = (&asked[..], error) {
            // It will not pass: the lease runs out, and whoever claims the job meets it next.
            self.forget(*id);
            return;
        }
        for id in asked {
            if let Some(Stage::Ended { told, .. }) =
                self.tries.get_mut(&id).map(|one| &mut one.stage)
            {
                *told = true;
                self.ending.waiting.push_back(id);
            }
        }
    }
}
