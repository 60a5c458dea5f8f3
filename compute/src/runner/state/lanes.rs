//! Jobs of one lane, one after the other.
//!
//! Those that are held here stand in the order they were put. Before one begins the store is asked
//! whether another one, held by nobody or by somebody else, must be done first; the next is asked
//! for when the store has it that the one before is done. When one is not done, those behind it are
//! given back: they would only keep workers waiting. So would a long lane, of which each but the first
//! waits: no more than two of one are held, and what more is leased is given back at once.

use std::collections::VecDeque;

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Ahead, JobLane, JobNo, LeaseLost, Outcome};
use syncline_storage::types::StoreError;

use super::super::event::{Effect, Now, TryId};
use super::super::outcome::Concluded;
use super::super::told::{How, StoreCall};
use super::{RunnerState, Stage, Waits};

/// The shortest wait of a job that is given back, and the longest while the one before it is at
/// work somewhere, in milliseconds. In between, a quarter of what it has waited so far.
const WAIT_MS: (u64, u64) = (50, 2_000);

/// The longest wait of a job for one that is not due, in milliseconds; a quarter of what it has waited
/// so far if that is longer.
const LATER_MS: u64 = 60_000;

/// Jobs of one lane that are held: the one whose turn it is, and the next.
const HELD_MAX: usize = 2;

/// A lane of a space and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    pub(super) space: SpaceKey,
    /// The place of the kind.
    pub(super) pool: usize,
    pub(super) lane: JobLane,
}

/// The tries that stand in a lane, the first one first. It is never empty.
#[derive(Debug, Default)]
pub(super) struct Lane {
    tries: VecDeque<TryId>,
    /// The store was asked about the first, or it has begun.
    asked: bool,
}

/// When a job is looked at again at the latest that waits for another one.
fn later_ms(due_at_ms: WallMs, now: Now) -> WallMs {
    let waited_ms = now.wall_ms.saturating_sub(due_at_ms);
    now.wall_ms + (waited_ms / 4).max(LATER_MS)
}

impl RunnerState {
    /// Until when a job is given back that comes to a lane which is full; `None` if it is not full.
    /// A lane that is quick is soon looked for again, and what is given back keeps its order.
    pub(super) fn full_until_ms(&self, key: &LaneKey, now: Now) -> Option<WallMs> {
        let lane = self.lanes.get(key)?;
        if lane.tries.len() < HELD_MAX {
            return None;
        }
        let first = lane.tries.front().and_then(|id| self.tries.get(id))?;
        let ran_ms = match first.stage {
            Stage::Running(began_run_ms) => now.run_ms.saturating_sub(began_run_ms),
            _ => 0,
        };
        Some(now.wall_ms + ran_ms.clamp(WAIT_MS.0, WAIT_MS.1))
    }

    /// Takes its place by number.
    pub(super) fn enter_lane(&mut self, key: &LaneKey, id: TryId) {
        let no = |id: &TryId| self.tries.get(id).map_or(JobNo(0), |one| one.lease.no);
        let lane = self.lanes.entry(key.clone()).or_default();
        let before = lane
            .tries
            .iter()
            .filter(|other| no(other) < no(&id))
            .count();
        let place = before.max(usize::from(lane.asked));
        lane.tries.insert(place, id);
        self.ask_ahead(key);
    }

    fn ask_ahead(&mut self, key: &LaneKey) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let first = lane.tries.front().filter(|_| !lane.asked).copied();
        if let Some((id, one)) = first.and_then(|id| Some((id, self.tries.get(&id)?))) {
            lane.asked = true;
            let lease = one.lease.clone();
            self.effects.push(Effect::Ahead { id, lease });
            self.wait_for(id, Waits::Answer);
        }
    }

    pub(super) fn told_ahead(&mut self, id: TryId, answer: Result<Ahead, StoreError>, now: Now) {
        // It was lost or given back meanwhile.
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        if !one.stage.is_waiting() {
            return;
        }
        let lease_ms = self.rules.kinds[one.pool].lease.lease_ms;
        let soon_ms = now.wall_ms + self.soon_ms(one.due_at_ms, now);
        let later_ms = later_ms(one.due_at_ms, now);
        let until_ms = match answer {
            Ok(Ok(None)) => return self.offer(id),
            Ok(Err(LeaseLost)) => return self.lease_lost(id, now),
            // It may be a lease, whose end says nothing of when the job is done.
            Ok(Ok(Some(at_ms))) if at_ms <= now.wall_ms.saturating_add(lease_ms) => {
                at_ms.min(soon_ms)
            }
            // Somebody may take it away, or have it done sooner.
            Ok(Ok(Some(at_ms))) => at_ms.min(later_ms),
            Err(error) => {
                self.store_failed(StoreCall::Ahead, &error);
                soon_ms
            }
        };
        self.give_back(id, until_ms, now);
    }

    pub(super) fn soon_ms(&self, due_at_ms: WallMs, now: Now) -> u64 {
        let waited_ms = now.wall_ms.saturating_sub(due_at_ms);
        (waited_ms / 4).clamp(WAIT_MS.0, WAIT_MS.1)
    }

    /// Gives back what has not begun, and those behind it in its lane.
    pub(super) fn give_back(&mut self, id: TryId, until_ms: WallMs, now: Now) {
        let jitter_ms = WAIT_MS.0 + self.draw() % (WAIT_MS.0 + 1);
        let at_ms = until_ms.max(now.wall_ms).saturating_add(jitter_ms);
        self.give_back_until(id, at_ms, now);
    }

    /// The same, and at that very moment it may be claimed.
    pub(super) fn give_back_until(&mut self, id: TryId, at_ms: WallMs, now: Now) {
        let held = self.tries.get(&id);
        if !held.is_some_and(|one| one.stage.is_waiting()) {
            return;
        }
        let concluded = Concluded {
            outcome: Outcome::Wait { at_ms },
            how: How::GivenBack,
            error: None,
        };
        self.conclude(id, concluded, now);
    }

    /// One of a lane ended, and is not done: those behind it wait as long as it does.
    pub(super) fn hold_up(&mut self, id: TryId, outcome: &Outcome, now: Now) {
        let until_ms = match outcome {
            Outcome::Retry { at_ms, .. } | Outcome::Wait { at_ms } => *at_ms,
            Outcome::Dead { .. } => now.wall_ms,
            Outcome::Done | Outcome::Again { .. } => return,
        };
        let lane = self.tries.get(&id).and_then(|one| one.lane.clone());
        for behind in lane.map_or_else(Vec::new, |lane| self.behind(&lane, id)) {
            let due_at_ms = self.tries.get(&behind).map_or(0, |one| one.due_at_ms);
            let until_ms = until_ms.min(later_ms(due_at_ms, now));
            self.give_back(behind, until_ms, now);
        }
    }

    /// Takes those behind one out of its lane.
    fn behind(&mut self, key: &LaneKey, id: TryId) -> Vec<TryId> {
        let Some(lane) = self.lanes.get_mut(key) else {
            return Vec::new();
        };
        let place = lane.tries.iter().position(|other| *other == id);
        let behind = lane
            .tries
            .split_off(place.map_or(lane.tries.len(), |place| place + 1));
        for id in &behind {
            if let Some(one) = self.tries.get_mut(id) {
                one.lane = None;
            }
        }
        behind.into()
    }

    /// The lease of one of a lane is lost: those behind it are given back, since whoever has it now
    /// is before them.
    pub(super) fn leave_lane(&mut self, key: &LaneKey, id: TryId, now: Now) {
        let behind = self.behind(key, id);
        self.pass(key, id);
        for behind in behind {
            self.give_back(behind, now.wall_ms, now);
        }
    }

    /// One of a lane has ended: the next may begin.
    pub(super) fn pass(&mut self, key: &LaneKey, id: TryId) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let was_first = lane.tries.front() == Some(&id);
        lane.tries.retain(|other| *other != id);
        if was_first {
            lane.asked = false;
        }
        if lane.tries.is_empty() {
            self.lanes.remove(key);
        } else {
            self.ask_ahead(key);
        }
    }
}
