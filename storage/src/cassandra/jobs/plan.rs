//! What becomes of jobs of a space: from what was seen to what is to be written, without IO.

use std::collections::BTreeMap;

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;

use super::lanes::LaneName;
use super::numbers::Given;
use super::places::{self, Name};
use super::{Kept, Queue};
use crate::cassandra::row::Place;
use crate::cassandra::value::Value;
use crate::jobs::{
    Ended, IfThere, Job, JobKind, JobNo, JobState, Lease, LeaseLost, Net, Outcome, StoredJob,
};

/// Overdue for so long a queue is given another row of `turns`.
pub(super) const LOST_AFTER_MS: u64 = 600_000;

/// One thing as it was and as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cassandra) struct Turned<T> {
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

impl<T: Clone + PartialEq> Turned<T> {
    fn of(seen: Option<T>) -> Turned<T> {
        Turned {
            before: seen.clone(),
            after: seen,
        }
    }

    pub(super) fn has_turned(&self) -> bool {
        self.before != self.after
    }
}

/// Jobs and queues of a space as they were seen and as they are to be.
#[derive(Debug)]
pub(in crate::cassandra) struct Plan {
    pub(super) jobs: BTreeMap<Name, Turned<Kept>>,
    pub(super) queues: BTreeMap<JobKind, Turned<Queue>>,
    /// The lanes that were looked at, and the number of the first of each.
    pub(super) lanes: BTreeMap<LaneName, Option<JobNo>>,
    /// The last number of the space.
    pub(super) last: JobNo,
    /// What is written is written at once: rows between two places, all of which go, in place of
    /// row after row.
    pub(super) spans: Vec<(Place, Place)>,
    /// Whether something is written in any case, so that what others are about to write under the
    /// condition that nothing was fails.
    pub(super) is_barrier: bool,
    /// Names the rows of `turns` and `dead_jobs` that this brings. Another one in each try: so none of
    /// those was ever removed.
    hint: i64,
    /// The clock of who plans; 0 if it does not say.
    now_ms: WallMs,
    numbers: Given,
}

impl Plan {
    pub(super) fn new(last: JobNo, (numbers, hint): (Given, i64), now_ms: WallMs) -> Plan {
        Plan {
            jobs: BTreeMap::new(),
            queues: BTreeMap::new(),
            lanes: BTreeMap::new(),
            last,
            spans: Vec::new(),
            is_barrier: false,
            hint,
            now_ms,
            numbers,
        }
    }

    pub(super) fn see_job(&mut self, name: Name, kept: Option<Kept>) {
        self.jobs.insert(name, Turned::of(kept));
    }

    pub(super) fn see_queue(&mut self, kind: JobKind, queue: Option<Queue>) {
        self.queues.insert(kind, Turned::of(queue));
    }

    /// As it is stored.
    pub(in crate::cassandra) fn last_no(&self) -> Value<'static> {
        Value::Int(self.last.0 as i64)
    }

    /// Whether anything is to be written.
    pub(super) fn has_turned(&self) -> bool {
        self.is_barrier
            || self.jobs.values().any(Turned::has_turned)
            || self.queues.values().any(Turned::has_turned)
    }

    pub(super) fn job(&self, name: &Name) -> Option<&Kept> {
        self.jobs.get(name)?.after.as_ref()
    }

    pub(super) fn queue(&self, kind: &JobKind) -> Option<Queue> {
        self.queues.get(kind)?.after
    }

    pub(super) fn set(&mut self, name: &Name, kept: Option<Kept>) {
        let turned = self.jobs.get_mut(name).expect("what is changed was seen");
        turned.after = kept;
    }

    pub(super) fn number(&mut self) -> JobNo {
        self.last = self.numbers.next();
        self.last
    }

    /// Has the space be looked at by then.
    fn forward(&mut self, kind: &JobKind, turn_at_ms: WallMs) {
        let (hint, now_ms) = (self.hint, self.now_ms);
        let queue = self.queues.get_mut(kind).expect("what is changed was seen");
        // Nobody met it: its hint may be gone, with a table that was restored apart.
        let is_lost = |queue: Queue| queue.turn_at_ms.saturating_add(LOST_AFTER_MS) < now_ms;
        let (turn, turn_at_ms) = match queue.after {
            // What else is due there is not to wait for this one.
            Some(queue) if is_lost(queue) => (queue.turn, turn_at_ms.min(now_ms)),
            Some(queue) if queue.turn_at_ms <= turn_at_ms => return,
            Some(queue) => (queue.turn, turn_at_ms),
            None => (0, turn_at_ms),
        };
        queue.after = Some(Queue {
            turn_at_ms,
            turn,
            hint,
        });
    }

    /// The same of a job that can be claimed from now on.
    pub(super) fn forward_due(&mut self, kind: &JobKind, at_ms: WallMs) {
        // What is overdue when it comes goes behind what was due before: else a space could always
        // be the first.
        self.forward(kind, at_ms.max(self.now_ms));
    }

    /// What a commit does.
    pub(super) fn make(&mut self, (name, net): (&Name, Net<'_>), now_ms: WallMs) {
        match net {
            Net::Cancel => self.set(name, None),
            Net::Put(_, IfThere::Keep) if self.job(name).is_some() => {}
            Net::Put(job, _) => self.put(name, job.clone(), now_ms),
        }
    }

    fn put(&mut self, name: &Name, job: Job, now_ms: WallMs) {
        let turn_at_ms = job.due_at_ms.max(now_ms);
        let kept = Kept::put(job, self.number());
        let is_behind = kept.is_behind;
        self.set(name, Some(kept));
        if !is_behind {
            self.forward(&name.0, turn_at_ms);
        }
    }

    /// False if there was none.
    pub(super) fn cancel(&mut self, name: &Name) -> bool {
        let was_there = self.job(name).is_some();
        self.set(name, None);
        was_there
    }

    /// Leases a job that was found due.
    pub(super) fn lease(
        &mut self,
        name: &Name,
        (until_ms, holder): (WallMs, &NodeId),
    ) -> Option<Kept> {
        let mut kept = self.job(name)?.clone();
        kept.lease += 1;
        kept.at_ms = until_ms;
        kept.stored.attempt += 1;
        kept.stored.state = JobState::Leased {
            until_ms,
            holder: holder.clone(),
        };
        self.set(name, Some(kept.clone()));
        Some(kept)
    }

    /// Says when a space is to be looked at next that had its turn.
    pub(super) fn settle(&mut self, kind: &JobKind, (next_ms, now_ms): (Option<WallMs>, WallMs)) {
        let hint = self.hint;
        let queue = self.queues.get_mut(kind).expect("what is changed was seen");
        let turn = queue.after.map_or(0, |queue| queue.turn);
        let (turn_at_ms, turn) = match next_ms {
            None => {
                queue.after = None;
                return;
            }
            Some(at_ms) if at_ms <= now_ms => (now_ms, turn + 1),
            Some(at_ms) => (at_ms, 0),
        };
        let stays = |queue: Queue| (queue.turn_at_ms, queue.turn) == (turn_at_ms, turn);
        if !queue.after.is_some_and(stays) {
            queue.after = Some(Queue {
                turn_at_ms,
                turn,
                hint,
            });
        }
    }

    /// A job by who holds it.
    pub(super) fn held(&self, lease: &Lease) -> Result<&Kept, LeaseLost> {
        let name = (lease.name.kind.clone(), lease.name.key.clone());
        let is_held = |kept: &&Kept| {
            let is_leased = matches!(kept.stored.state, JobState::Leased { .. });
            is_leased && (kept.no, kept.lease) == (lease.no, lease.number)
        };
        self.job(&name).filter(is_held).ok_or(LeaseLost)
    }

    pub(super) fn extend(&mut self, lease: &Lease, to_ms: WallMs) -> Result<(), LeaseLost> {
        let mut kept = self.held(lease)?.clone();
        kept.at_ms = to_ms;
        if let JobState::Leased { until_ms, .. } = &mut kept.stored.state {
            *until_ms = to_ms;
        }
        self.back(&lease.name.kind, kept, to_ms);
        Ok(())
    }

    /// Keeps a job that is to be claimed again.
    fn back(&mut self, kind: &JobKind, kept: Kept, turn_at_ms: WallMs) {
        let name = (kind.clone(), kept.stored.job.key.clone());
        let is_behind = kept.is_behind;
        self.set(&name, Some(kept));
        if !is_behind {
            self.forward(kind, turn_at_ms);
        }
    }

    pub(super) fn finish(&mut self, ended: &Ended, now_ms: WallMs) -> Result<(), LeaseLost> {
        let mut kept = self.held(&ended.lease)?.clone();
        let kind = ended.lease.name.kind.clone();
        let name = (kind.clone(), ended.lease.name.key.clone());
        if matches!(
            ended.outcome,
            Outcome::Done | Outcome::Dead { .. } | Outcome::Again { .. }
        ) {
            self.clear_lane(&kept);
        }
        let stored = &mut kept.stored;
        match &ended.outcome {
            Outcome::Done => self.set(&name, None),
            Outcome::Dead { error } => {
                stored.state = JobState::Dead { at_ms: now_ms };
                stored.error = Some(error.clone());
                kept.at_ms = now_ms;
                kept.dead_id = Some(self.hint);
                self.set(&name, Some(kept));
            }
            Outcome::Retry { at_ms, error } => {
                stored.state = JobState::Retry { at_ms: *at_ms };
                stored.error = Some(error.clone());
                kept.at_ms = *at_ms;
                self.back(&kind, kept, (*at_ms).max(now_ms));
            }
            Outcome::Wait { at_ms } => {
                stored.attempt -= 1;
                stored.state = match untried(stored) {
                    true => JobState::Scheduled,
                    false => JobState::Retry { at_ms: *at_ms },
                };
                kept.at_ms = *at_ms;
                self.back(&kind, kept, (*at_ms).max(now_ms));
            }
            Outcome::Again { due_at_ms } => {
                let due_at_ms = *due_at_ms;
                let job = Job {
                    due_at_ms,
                    ..kept.stored.job
                };
                let anew = Kept::put(job, self.number());
                self.back(&kind, anew, due_at_ms.max(now_ms));
            }
        }
        Ok(())
    }

    /// False if there is none that waits.
    pub(super) fn snooze(&mut self, name: &Name, due_at_ms: WallMs) -> bool {
        let waits = |kept: &&Kept| {
            matches!(
                kept.stored.state,
                JobState::Scheduled | JobState::Retry { .. }
            )
        };
        let Some(mut kept) = self.job(name).filter(waits).cloned() else {
            return false;
        };
        match &mut kept.stored.state {
            JobState::Retry { at_ms } => *at_ms = due_at_ms,
            _ => kept.stored.job.due_at_ms = due_at_ms,
        }
        kept.at_ms = due_at_ms;
        self.back(&name.0, kept, due_at_ms);
        true
    }

    /// False if there is none that is dead.
    pub(super) fn replay(&mut self, name: &Name, now_ms: WallMs) -> bool {
        let Some(mut kept) = self.job(name).filter(|kept| kept.is_dead()).cloned() else {
            return false;
        };
        kept.stored.state = JobState::Retry { at_ms: now_ms };
        kept.stored.attempt = 0;
        kept.at_ms = now_ms;
        kept.is_behind = kept.stored.job.lane.is_some();
        kept.dead_id = None;
        self.back(&name.0, kept, now_ms);
        true
    }

    /// Rows that go and rows that come of the order and of lanes, in places where they were not.
    pub(super) fn places(&self) -> (Vec<Place>, Vec<(Place, i64)>) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for turned in self.jobs.values().filter(|turned| turned.has_turned()) {
            let of = |kept: &Option<Kept>| {
                let kept = kept.as_ref();
                let order = kept.map(|kept| (places::order(kept), kept.phase()));
                let lane = kept.and_then(places::lane).map(|place| (place, 0));
                [order, lane].into_iter().flatten().collect::<Vec<_>>()
            };
            let (before, after) = (of(&turned.before), of(&turned.after));
            let is_there = |place: &Place| after.iter().any(|(there, _)| there == place);
            let left = before.iter().map(|(place, _)| place);
            let left = left.filter(|place| !is_there(place) && !self.is_spanned(place));
            gone.extend(left.cloned());
            come.extend(after.iter().filter(|row| !before.contains(row)).cloned());
        }
        (gone, come)
    }

    fn is_spanned(&self, place: &Place) -> bool {
        let mut spans = self.spans.iter();
        spans.any(|(after, to)| {
            (place.kind, place.n) == (to.kind, to.n) && after.a < place.a && place.a <= to.a
        })
    }
}

fn untried(stored: &StoredJob) -> bool {
    stored.attempt == 0 && stored.error.is_none()
}
