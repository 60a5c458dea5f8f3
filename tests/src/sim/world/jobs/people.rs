//! What an operator does about jobs: takes one back, has one wait, gives a dead one its tries again.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobKind, JobName};

use crate::sim::count::Kind;
use crate::sim::trace::Checked;
use crate::sim::world::World;

/// The longest that a job is snoozed, in milliseconds.
const SNOOZE_MS_MAX: u64 = 600_000;

/// Jobs that an operator sees.
const SEEN: usize = 64;

impl World {
    /// An operator does something about a job by way of a node. False if there is none to do it to.
    pub(super) fn operate_on_jobs(&mut self) -> Checked<bool> {
        let nodes = self.nodes.len();
        let Some(jobs) = &mut self.jobs else {
            return Ok(false);
        };
        let node = jobs.people.below(nodes);
        let kind = jobs.kinds[jobs.people.below(jobs.kinds.len())].clone();
        // Few are dead, and many wait.
        let what = [0, 0, 0, 0, 0, 1, 1, 2][jobs.people.below(8)];
        let which = jobs.people.below(SEEN);
        let wait_ms = jobs.people.within(0, SNOOZE_MS_MAX);
        if !self.runs(node) || self.is_away(node) {
            return Ok(false);
        }
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let names = match what {
            0 => self.dead_names(),
            1 => self.store.model.waiting_jobs(&kind, (0, WallMs::MAX), SEEN),
            _ => self.living_names(&kind),
        };
        if names.is_empty() {
            return Ok(false);
        }
        let name = names[which % names.len()].clone();
        self.aids.trace.say(&"people", || match what {
            0 => format!("replay {name}"),
            1 => format!("snooze {name} until {}", now_ms + wait_ms),
            _ => format!("cancel {name}"),
        });
        match what {
            0 => self.replay(&name, now_ms),
            1 => self.snooze(&name, now_ms + wait_ms),
            _ => self.cancel(&name),
        }?;
        Ok(true)
    }

    fn dead_names(&self) -> Vec<JobName> {
        let kinds = self.jobs.iter().flat_map(|jobs| &jobs.kinds);
        let dead = kinds.flat_map(|kind| self.store.model.dead_jobs(kind, None, SEEN));
        dead.map(|dead| dead.name()).collect()
    }

    /// Those that wait and those that are held.
    fn living_names(&self, kind: &JobKind) -> Vec<JobName> {
        let model = &self.store.model;
        let mut names = model.waiting_jobs(kind, (0, WallMs::MAX), SEEN);
        let tries = self.jobs.iter().flat_map(|jobs| &jobs.tries);
        let held = tries.map(|one| &one.leased.lease.name);
        let is_there = |name: &&JobName| name.kind == *kind && model.job(name).is_some();
        names.extend(held.filter(is_there).cloned());
        names.sort_unstable();
        names.dedup();
        names
    }

    fn replay(&mut self, name: &JobName, now_ms: WallMs) -> Checked {
        self.aids.counts.add(Kind::JobReplayed);
        let done = self.store.model.replay(name, now_ms);
        self.checker.job_replayed(name, done)
    }

    fn snooze(&mut self, name: &JobName, due_at_ms: WallMs) -> Checked {
        self.aids.counts.add(Kind::JobSnoozed);
        let done = self.store.model.snooze(name, due_at_ms);
        self.checker.job_snoozed((name, due_at_ms), done)
    }

    fn cancel(&mut self, name: &JobName) -> Checked {
        self.aids.counts.add(Kind::JobCancelled);
        let done = self.store.model.cancel_job(name);
        self.checker.job_cancelled(name, done)
    }
}
