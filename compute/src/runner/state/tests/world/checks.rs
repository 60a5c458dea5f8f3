//! What must be true whatever happens.

use std::collections::BTreeMap;

use syncline_protocol::ids::SpaceKey;
use syncline_storage::jobs::{
    Claim, Ended, Job, JobName, JobNo, JobState, Lease, Outcome, StoredJob,
};

use super::super::super::RunnerState;
use super::World;
use super::broken::Broken;
use super::jobs::Way;
use crate::worker::Task;

/// How often something came about for which the world is there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Processes that ended while they held jobs.
    pub(super) killed_holding: usize,
    /// Tries that were stopped.
    pub(super) stopped: usize,
    /// Leases that were extended.
    pub(super) extended: usize,
    /// Ends of tries whose lease was lost.
    pub(super) ends_too_late: usize,
    /// Writes of them.
    pub(super) writes_too_late: usize,
    /// Jobs that were given back.
    pub(super) given_back: usize,
    /// Jobs that were given up.
    pub(super) dead: usize,
    /// Claims beside full spaces.
    pub(super) beside_full: usize,
}

impl Seen {
    /// As often as in several worlds.
    pub(super) fn and(self, other: Seen) -> Seen {
        Seen {
            killed_holding: self.killed_holding + other.killed_holding,
            stopped: self.stopped + other.stopped,
            extended: self.extended + other.extended,
            ends_too_late: self.ends_too_late + other.ends_too_late,
            writes_too_late: self.writes_too_late + other.writes_too_late,
            given_back: self.given_back + other.given_back,
            dead: self.dead + other.dead,
            beside_full: self.beside_full + other.beside_full,
        }
    }

    /// The rarest.
    pub(super) fn least(self) -> usize {
        let counts = [
            self.killed_holding,
            self.stopped,
            self.extended,
            self.ends_too_late,
            self.writes_too_late,
            self.given_back,
            self.dead,
            self.beside_full,
        ];
        counts.into_iter().min().unwrap_or(0)
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) seen: Seen,
    /// The last lease of each name.
    leases: BTreeMap<JobName, Lease>,
    /// Which jobs somebody ended as done, or to be due again.
    done: BTreeMap<(JobName, JobNo), u64>,
    /// What is written: by name and version, which number and time wrote it.
    written: BTreeMap<(JobName, u64), Vec<(JobNo, u64)>>,
}

impl Checks {
    /// A space is full whose places are all taken, and no other; and however many are, a claim takes as
    /// many of a space as its places, or half where there is no more room in one.
    pub(super) fn claims(&mut self, claim: &Claim, state: &RunnerState) -> Result<(), String> {
        let wanted = &claim.wanted[0];
        self.seen.beside_full += usize::from(!wanted.full.is_empty());
        let places = (state.rules.kinds[0].concurrency / 4).max(1);
        let mut held: BTreeMap<&SpaceKey, usize> = BTreeMap::new();
        for one in state.tries.values() {
            *held.entry(&one.lease.name.space).or_default() += 1;
        }
        let full = held.into_iter().filter(|(_, held)| *held > places);
        let full: Vec<SpaceKey> = full.map(|(space, _)| space.clone()).collect();
        if wanted.full != full || claim.per_space < places.div_ceil(2) {
            return Err(format!("{claim:?} is made while {full:?} are full"));
        }
        Ok(())
    }

    /// Of two leases of a name the later is the greater.
    pub(super) fn leased(&mut self, lease: &Lease) -> Result<(), String> {
        let before = self.leases.insert(lease.name.clone(), lease.clone());
        match before {
            Some(before) if (before.no, before.number) >= (lease.no, lease.number) => {
                Err(format!("{lease:?} comes after {before:?}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn last_lease(&self, name: &JobName) -> Option<Lease> {
        self.leases.get(name).cloned()
    }

    /// Nobody ends what another one has ended.
    pub(super) fn finished(&mut self, ended: &Ended) -> Result<(), String> {
        self.seen.given_back += usize::from(matches!(ended.outcome, Outcome::Wait { .. }));
        self.seen.dead += usize::from(matches!(ended.outcome, Outcome::Dead { .. }));
        if !matches!(ended.outcome, Outcome::Done | Outcome::Again { .. }) {
            return Ok(());
        }
        let lease = &ended.lease;
        let times = self.done.entry((lease.name.clone(), lease.no)).or_default();
        *times += 1;
        match *times {
            1 => Ok(()),
            times => Err(format!("{} was ended {times} times", lease.name)),
        }
    }
}

fn version(job: &Job) -> u64 {
    job.args.as_str().parse().expect("it is a number")
}

impl World {
    /// Whether a job that is due twice was not written before under another number.
    pub(super) fn is_first_time(&self, task: &Task) -> bool {
        let version = version(&task.job);
        let written = self.checks.written.iter();
        let mut of_job =
            written.filter(|((name, of), _)| (name, *of) == (&task.lease.name, version));
        of_job.all(|(_, writes)| writes.iter().all(|(no, _)| *no >= task.no()))
    }

    /// Writes what a job changes, as a hub does: whoever has the lease, which ends with it. False if
    /// it is lost.
    pub(super) fn write(&mut self, task: &Task, outcome: Outcome) -> Result<bool, String> {
        let ended = Ended {
            lease: task.lease.clone(),
            outcome,
        };
        if !self.is_broken(Broken::WriteUnfenced) {
            let held = self.store.finish(std::slice::from_ref(&ended), task.now_ms);
            if held[0].is_err() {
                self.checks.seen.writes_too_late += 1;
                return Ok(false);
            }
            self.checks.finished(&ended)?;
        }
        self.took_effect(&task.lease, &task.job)?;
        Ok(true)
    }

    /// A job ended, and there was nothing to be written.
    pub(super) fn ended_well(
        &mut self,
        ended: &Ended,
        stored: Option<StoredJob>,
    ) -> Result<(), String> {
        let is_well = matches!(ended.outcome, Outcome::Done | Outcome::Again { .. });
        match stored.filter(|_| is_well && !self.is_broken(Broken::WriteUnfenced)) {
            Some(stored) => self.took_effect(&ended.lease, &stored.job),
            None => Ok(()),
        }
    }

    fn took_effect(&mut self, lease: &Lease, job: &Job) -> Result<(), String> {
        let name = &lease.name;
        let version = version(job);
        let plan = &self.plans.by_name[name];
        if version > plan.version {
            return Err(format!("{name} in version {version} was never put"));
        }
        if version == plan.version && !plan.cancelled {
            self.is_its_turn(name)?;
        }
        let writes = self.checks.written.entry((name.clone(), version));
        writes.or_default().push((lease.no, job.due_at_ms));
        Ok(())
    }

    /// In its lane all that were put before are done, dead, or were taken away; unless it was
    /// written before.
    fn is_its_turn(&self, name: &JobName) -> Result<(), String> {
        let mine = &self.plans.by_name[name];
        if self
            .checks
            .written
            .contains_key(&(name.clone(), mine.version))
            || mine.lane.is_none()
        {
            return Ok(());
        }
        for (other, plan) in &self.plans.by_name {
            let is_before = plan.place < mine.place && plan.lane == mine.lane;
            if !is_before || other.space != name.space {
                continue;
            }
            let state = self.store.job(other).map(|stored| stored.state);
            if state.is_some_and(|state| !matches!(state, JobState::Dead { .. })) {
                return Err(format!("{name} was done before {other}"));
            }
        }
        Ok(())
    }

    /// At the end: what was to be done is done, once, and the rest is kept.
    pub(super) fn check_all(&self) -> Result<(), String> {
        for (name, plan) in &self.plans.by_name {
            let stored = self.store.job(name);
            let is_dead = stored
                .as_ref()
                .is_some_and(|stored| matches!(stored.state, JobState::Dead { .. }));
            let writes = self.checks.written.get(&(name.clone(), plan.version));
            let times = writes.map_or(0, Vec::len);
            if plan.cancelled {
                if stored.is_some() || times > 2 {
                    return Err(format!("{name} was cancelled: {stored:?}, wrote {times}"));
                }
                continue;
            }
            let (expected, expects_dead) = match plan.way {
                Way::Hopeless | Way::Poison => (0, true),
                Way::Twice => (2, false),
                Way::Well | Way::Fails | Way::Panics | Way::Slow => (1, false),
            };
            if times != expected || is_dead != expects_dead || stored.is_some() != expects_dead {
                return Err(format!(
                    "{name}: wrote {times} times, not {expected}: {writes:?}; stored: {stored:?}"
                ));
            }
        }
        Ok(())
    }
}
