//! How long leases are held.
//!
//! They are told by the runner's own time, which no jump of the hub's clock moves. Whoever else has
//! another clock, or no answer of ours, may take a job that is held; the store decides by the
//! lease's number. When the hub's clock jumps, all leases are extended before anything is claimed:
//! by the new time they may be over, and the runner would take its own jobs from itself.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{LeaseError, LeasedJob};

use super::super::event::{Effect, LeaseAnswers, Now, TryId};
use super::super::told::{StoreCall, Told};
use super::beginning::began;
use super::{RunnerState, Stage, Try};
use crate::jobs::lease::LeaseStep;

/// From one attempt to extend a lease to the next, while the store does not answer, in
/// milliseconds.
const EXTEND_AGAIN_MS: u64 = 1_000;

/// Leases that are extended at once.
const EXTEND_MAX: usize = 256;

/// What the hub's clock and the runner's time may come apart from one step to the next, in
/// milliseconds. More is a jump.
const JUMP_MS: u64 = 1_000;

/// What is known of the hub's clock.
#[derive(Debug, Default)]
pub(super) struct HubClock {
    /// How far it was ahead of the runner's time at the last step; `None` before the first.
    ahead_ms: Option<i64>,
    /// How often it jumped.
    pub(super) jumps: u64,
    /// It jumped, and what is leased is not all told by it as it is now.
    pub(super) mending: bool,
}

impl RunnerState {
    /// Notes whether the hub's clock jumped.
    pub(super) fn look_at_clock(&mut self, now: Now) {
        let ahead_ms = now.wall_ms as i64 - now.run_ms as i64;
        let before = self.clock.ahead_ms.replace(ahead_ms);
        if before.is_some_and(|before| before.abs_diff(ahead_ms) > JUMP_MS) {
            self.clock.jumps += 1;
            self.clock.mending = true;
            self.leases_due_run_ms = now.run_ms;
        }
    }

    /// Leases are still as the clock was before it jumped: the store is asked to mend that until it
    /// has.
    pub(super) fn is_after_jump(&self) -> bool {
        let is_before = |one: &Try| one.is_held() && one.by_jump < self.clock.jumps;
        self.clock.mending && self.tries.values().any(is_before)
    }

    /// Extends what must be extended, stops what must be stopped.
    pub(super) fn look_at_leases(&mut self, now: Now) {
        if now.run_ms < self.leases_due_run_ms {
            return;
        }
        let mut next_run_ms = u64::MAX;
        let (mut lost, mut extend) = (Vec::new(), Vec::new());
        for (id, one) in &self.tries {
            let rules = &self.rules.kinds[one.pool];
            let is_stuck = match one.stage {
                Stage::Waiting { .. } => false,
                // Its time is over twice, for its work and for what it writes: it does not even let
                // itself be stopped, and another process may do better.
                Stage::Running(began_run_ms) => {
                    let may_take_ms = rules.time_ms.saturating_mul(2);
                    now.run_ms.saturating_sub(began_run_ms) > may_take_ms
                }
                Stage::Stopping | Stage::Ended { .. } => continue,
            };
            let stop_run_ms = one.until_run_ms.saturating_sub(rules.lease.margin_ms);
            let is_before_jump = one.by_jump < self.clock.jumps && one.extending.is_none();
            match rules.lease.step(one.until_run_ms, now.run_ms) {
                LeaseStep::Stop => lost.push(*id),
                _ if one.extending.is_none() && now.run_ms < one.extend_after_run_ms => {
                    next_run_ms = next_run_ms.min(one.extend_after_run_ms.min(stop_run_ms));
                }
                LeaseStep::Wait(_) if is_before_jump => {
                    let until_run_ms = now.run_ms + rules.lease.lease_ms;
                    extend.push((rules.lease.lease_ms, *id, until_run_ms));
                    next_run_ms = next_run_ms.min(stop_run_ms);
                }
                LeaseStep::Wait(at_run_ms) => next_run_ms = next_run_ms.min(at_run_ms),
                LeaseStep::Extend(_)
                    if one.extending.is_some() || (is_stuck && !is_before_jump) =>
                {
                    next_run_ms = next_run_ms.min(stop_run_ms);
                }
                LeaseStep::Extend(until_run_ms) => {
                    extend.push((rules.lease.lease_ms, *id, until_run_ms));
                    next_run_ms = next_run_ms.min(stop_run_ms);
                }
            }
        }
        self.leases_due_run_ms = next_run_ms;
        lost.sort_unstable();
        for id in lost {
            self.lose(id, now);
        }
        extend.sort_unstable();
        for alike in extend.chunk_by(|(one, ..), (other, ..)| one == other) {
            for chunk in alike.chunks(EXTEND_MAX) {
                let (lease_ms, _, until_run_ms) = chunk[0];
                let ids: Vec<TryId> = chunk.iter().map(|(_, id, _)| *id).collect();
                self.extend(&ids, until_run_ms, now.wall_ms.saturating_add(lease_ms));
            }
        }
        self.clock.mending = self.is_after_jump();
    }

    fn extend(&mut self, asked: &[TryId], until_run_ms: u64, until_ms: WallMs) {
        let (mut ids, mut leases) = (Vec::new(), Vec::new());
        let jumps = self.clock.jumps;
        for id in asked {
            if let Some(one) = self.tries.get_mut(id) {
                one.extending = Some(jumps);
                ids.push(*id);
                leases.push(one.lease.clone());
            }
        }
        if !ids.is_empty() {
            self.effects.push(Effect::Extend {
                ids,
                leases,
                until_ms,
                until_run_ms,
            });
        }
    }

    pub(super) fn extended(
        &mut self,
        ids: &[TryId],
        until_run_ms: u64,
        answer: LeaseAnswers,
        now: Now,
    ) {
        let answers: Vec<_> = match answer {
            Ok(answers) => answers,
            Err(error) => ids.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut failed = None;
        for (id, answer) in ids.iter().zip(answers) {
            let Some(one) = self.tries.get_mut(id) else {
                continue;
            };
            match answer {
                Ok(()) => {
                    one.by_jump = one.extending.take().unwrap_or(one.by_jump);
                    one.until_run_ms = one.until_run_ms.max(until_run_ms);
                    self.leases_due_run_ms = self.leases_due_run_ms.min(now.run_ms);
                }
                Err(LeaseError::Lost(_)) => self.lose(*id, now),
                // Its space is not to take those of others down with it.
                Err(LeaseError::Store(error)) => {
                    one.extending = None;
                    one.extend_after_run_ms = now.run_ms + EXTEND_AGAIN_MS;
                    self.leases_due_run_ms = self.leases_due_run_ms.min(one.extend_after_run_ms);
                    failed = Some(error);
                }
            }
        }
        if let Some(error) = failed {
            self.store_failed(StoreCall::Extend, &error);
        }
        self.clock.mending = self.is_after_jump();
    }

    /// A job that is leased once more is not held by its older lease.
    pub(super) fn lose_older(&mut self, leased: &LeasedJob, now: Now) {
        // Those before the last one are lost already.
        let Some(id) = self.last_of.get(&leased.lease.name).copied() else {
            return;
        };
        let is_same = |one: &&Try| one.lease.no == leased.lease.no;
        if self.tries.get(&id).filter(is_same).is_some() {
            self.lose(id, now);
        }
    }

    /// Somebody else may have the job: nothing more is done of it, and the store is told nothing.
    fn lose(&mut self, id: TryId, now: Now) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let kind = self.rules.kinds[one.pool].kind.clone();
        match one.stage {
            // The store tells of what ended whether it was lost before.
            Stage::Ended { .. } | Stage::Stopping => return,
            Stage::Running(began_run_ms) => {
                self.effects.push(began(one, &kind, began_run_ms, now));
                self.turn(id, Stage::Stopping);
                self.effects.push(Effect::Stop(id));
            }
            Stage::Waiting { .. } => self.forget(id),
        }
        self.tell(Told::LeaseLost { kind });
    }
}
