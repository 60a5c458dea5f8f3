//! Which jobs there are, and what they do.

use std::collections::BTreeMap;

use syncline_storage::jobs::{IfThere, Job, JobArgs, JobMove, JobName, JobState};

use super::super::desk::{NOW, commit, in_lane, job, kind, space};
use super::broken::Broken;
use super::troubles::Trouble;
use super::{Due, TROUBLE_MS, World};
use syncline_storage::jobs::JobKey;

/// What a job does when it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is done.
    Well,
    /// Its first two tries fail.
    Fails,
    /// Its first try panics.
    Panics,
    /// It takes three leases' time.
    Slow,
    /// It is done, and due once more.
    Twice,
    /// It can never be done.
    Hopeless,
    /// It ends its process.
    Poison,
}

const WAYS: [Way; 10] = [
    Way::Well,
    Way::Well,
    Way::Well,
    Way::Fails,
    Way::Fails,
    Way::Panics,
    Way::Slow,
    Way::Twice,
    Way::Hopeless,
    Way::Poison,
];

/// A job that was put.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) way: Way,
    pub(super) lane: Option<String>,
    /// Which it is of those that were put under its name, from 0.
    pub(super) version: u64,
    /// In which order it was put.
    pub(super) place: u64,
    pub(super) cancelled: bool,
}

/// All that were put.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub(super) by_name: BTreeMap<JobName, Plan>,
    placed: u64,
}

impl World {
    /// Jobs come during the first half of the trouble.
    pub(super) fn plan_jobs(&mut self) {
        for n in 0..24 {
            let at_ms = self.random.below(TROUBLE_MS / 2);
            self.after(at_ms, Due::Trouble(Trouble::Put(n)));
        }
    }

    pub(super) fn put(&mut self, n: u64) {
        let way = WAYS[self.random.below(WAYS.len() as u64) as usize];
        let space_no = self.random.below(3);
        // What is due twice goes to the end of its lane, and what ends processes would keep all of it.
        let may_queue = !matches!(way, Way::Twice | Way::Poison);
        let lane = (may_queue && self.random.below(2) == 0).then(|| {
            let lane_no = self.random.below(2);
            format!("l{lane_no}")
        });
        let name = JobName {
            space: space(&format!("s{space_no}")),
            kind: kind(),
            key: JobKey::trusted(&format!("{way:?}-{n}")),
        };
        let plan = Plan {
            way,
            lane,
            version: 0,
            place: 0,
            cancelled: false,
        };
        self.put_plan(&name, plan, IfThere::Keep);
    }

    fn put_plan(&mut self, name: &JobName, mut plan: Plan, if_there: IfThere) {
        self.plans.placed += 1;
        plan.place = self.plans.placed;
        let key = name.key.as_str();
        let is_ignored = self.is_broken(Broken::LanesAreIgnored);
        let job = match plan.lane.as_ref().filter(|_| !is_ignored) {
            Some(lane) => in_lane(key, lane),
            None => job(key, NOW),
        };
        let delay_ms = self.random.below(4) * self.random.below(2_000);
        let job = Job {
            due_at_ms: NOW + self.at_ms + delay_ms,
            args: JobArgs::trusted(&plan.version.to_string()),
            ..job
        };
        self.trace(|| format!("put {name} {plan:?}"));
        let due_at_ms = job.due_at_ms;
        let moves = vec![JobMove::Put { job, if_there }];
        commit(&mut self.store, &name.space, moves);
        self.plans.by_name.insert(name.clone(), plan);
        self.ring(due_at_ms);
    }

    fn any_name(&mut self) -> Option<JobName> {
        let count = self.plans.by_name.len() as u64;
        let at = self.random.below(count.max(1)) as usize;
        self.plans.by_name.keys().nth(at).cloned()
    }

    /// Somebody takes a job back.
    pub(super) fn cancel(&mut self) {
        let Some(name) = self.any_name() else { return };
        self.trace(|| format!("cancel {name}"));
        self.store.cancel_job(&name);
        if let Some(plan) = self.plans.by_name.get_mut(&name) {
            plan.cancelled = true;
        }
    }

    /// Somebody puts another one in a job's place.
    pub(super) fn replace(&mut self) {
        let Some(name) = self.any_name() else { return };
        let Some(plan) = self.plans.by_name.get(&name).cloned() else {
            return;
        };
        let plan = Plan {
            version: plan.version + 1,
            cancelled: false,
            ..plan
        };
        self.put_plan(&name, plan, IfThere::Replace);
    }

    /// Dead ones that may be done in the end have all their tries once more.
    pub(super) fn replay_dead(&mut self) {
        let now_ms = self.latest_ms();
        for (name, plan) in &self.plans.by_name {
            let may_be_done = !matches!(plan.way, Way::Hopeless | Way::Poison);
            let stored = self.store.job(name).filter(|_| may_be_done);
            let is_dead = stored.is_some_and(|job| matches!(job.state, JobState::Dead { .. }));
            if is_dead {
                assert!(self.store.replay(name, now_ms));
            }
        }
    }

    pub(super) fn is_anything_left(&self) -> bool {
        let counts = self.store.job_counts(&[kind()])[0];
        counts.scheduled + counts.leased + counts.retry > 0
    }

    /// What is not done yet.
    pub(super) fn left(&self) -> String {
        let names = self.plans.by_name.keys();
        let living = names.filter_map(|name| Some((name, self.store.job(name)?.state)));
        let living = living.filter(|(_, state)| !matches!(state, JobState::Dead { .. }));
        format!("{:?}", living.collect::<Vec<_>>())
    }
}
