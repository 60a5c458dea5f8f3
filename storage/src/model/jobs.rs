//! Jobs in the model: see [`crate::JobStore`].

mod lanes;

use std::collections::BTreeMap;

use syncline_protocol::ids::{NodeId, SpaceKey};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::stamp::WallMs;

use super::{ModelStore, Space};
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, IfThere, JOBS_COUNTED_MAX, Job, JobCounts, JobKind, JobName,
    JobNo, JobState, Lease, LeaseLost, LeasedJob, Net, Outcome, StoredJob, Wanted, net,
};
use crate::types::Commit;

/// A job as the model keeps it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    no: JobNo,
    /// The number of its last lease.
    lease: u64,
    /// Until when it waits, if it was given back before its first try.
    waits_until_ms: Option<WallMs>,
    stored: StoredJob,
}

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// The last number of a job.
    jobs: u64,
    /// Turns so far.
    taken: u64,
    /// When a space last had its turn, as a number of turns.
    last: BTreeMap<(JobKind, SpaceKey), u64>,
}

impl Turns {
    fn put(&mut self, job: &Job) -> Row {
        self.jobs += 1;
        Row {
            no: JobNo(self.jobs),
            lease: 0,
            waits_until_ms: None,
            stored: untried(job),
        }
    }
}

impl Row {
    /// When it may be claimed; `None` if it is dead.
    fn at_ms(&self) -> Option<WallMs> {
        match &self.stored.state {
            JobState::Scheduled => Some(self.waits_until_ms.unwrap_or(self.stored.job.due_at_ms)),
            JobState::Leased { until_ms, .. } => Some(*until_ms),
            JobState::Retry { at_ms } => Some(*at_ms),
            JobState::Dead { .. } => None,
        }
    }

    fn is_leased(&self) -> bool {
        matches!(self.stored.state, JobState::Leased { .. })
    }

    fn dead_at_ms(&self) -> Option<WallMs> {
        match self.stored.state {
            JobState::Dead { at_ms } => Some(at_ms),
            _ => None,
        }
    }
}

fn untried(job: &Job) -> StoredJob {
    StoredJob {
        job: job.clone(),
        state: JobState::Scheduled,
        attempt: 0,
        error: None,
    }
}

fn is_first_try(stored: &StoredJob) -> bool {
    stored.attempt == 0 && stored.error.is_none()
}

impl ModelStore {
    /// What a commit that was accepted does to the jobs of its space.
    pub(super) fn move_jobs(&mut self, commit: &Commit) {
        let Some(space) = self.spaces.get_mut(&commit.space) else {
            return;
        };
        for ((kind, key), net) in net(&commit.jobs) {
            let name = (kind.clone(), key.clone());
            match (net, space.jobs.get_mut(&name)) {
                (Net::Cancel, _) => {
                    space.jobs.remove(&name);
                }
                (Net::Put(_, IfThere::Keep), Some(_)) => {}
                (Net::Put(job, _), _) => {
                    space.jobs.insert(name, self.turns.put(job));
                }
            }
        }
    }

    /// See [`crate::JobStore::claim`].
    pub fn claim(&mut self, claim: &Claim) -> Vec<LeasedJob> {
        let wanted = claim.wanted.iter();
        let of_kinds: Vec<_> = wanted
            .map(|wanted| self.claim_kind(claim, wanted))
            .collect();
        of_kinds.concat()
    }

    fn claim_kind(&mut self, claim: &Claim, wanted: &Wanted) -> Vec<LeasedJob> {
        let mut due: Vec<(u64, SpaceKey)> = Vec::new();
        let passed_over = wanted.passed_over();
        let spaces = self.spaces.iter();
        for (key, space) in spaces.filter(|(key, _)| !passed_over.contains(key)) {
            let behind = lanes::behind(&space.jobs);
            let is_due = |row: &Row| {
                let is_time = row.at_ms().is_some_and(|at_ms| at_ms <= claim.now_ms);
                is_time && !behind.contains(&row.no)
            };
            let mut jobs = space.jobs.iter();
            if jobs.any(|((kind, _), row)| *kind == wanted.kind && is_due(row)) {
                let last = self.turns.last.get(&(wanted.kind.clone(), key.clone()));
                due.push((last.copied().unwrap_or(0), key.clone()));
            }
        }
        due.sort();
        due.truncate(wanted.jobs);
        let share = (wanted.jobs / due.len().max(1)).clamp(1, claim.per_space.max(1));
        let mut leased = Vec::new();
        for (_, space) in due {
            self.turns.taken += 1;
            let turn = (wanted.kind.clone(), space.clone());
            self.turns.last.insert(turn, self.turns.taken);
            leased.extend(self.claim_space(claim, (&space, &wanted.kind), share));
        }
        leased
    }

    fn claim_space(
        &mut self,
        claim: &Claim,
        (space, kind): (&SpaceKey, &JobKind),
        share: usize,
    ) -> Vec<LeasedJob> {
        let jobs = &mut self.spaces.get_mut(space).expect("it was found").jobs;
        let behind = lanes::behind(jobs);
        let of_kind = jobs.iter_mut().filter(|((of, _), _)| of == kind);
        let of_kind = of_kind.filter(|(_, row)| !behind.contains(&row.no));
        let due = of_kind.filter_map(|(name, row)| Some((row.at_ms()?, name, row)));
        let mut due: Vec<_> = due.filter(|(at_ms, ..)| *at_ms <= claim.now_ms).collect();
        due.sort_by_key(|(at_ms, _, row)| (*at_ms, row.no));
        let until_ms = claim.now_ms.saturating_add(claim.lease_ms);
        let taken = due.into_iter().take(share);
        taken
            .map(|(_, (kind, key), row)| lease(row, (space, kind, key), (until_ms, &claim.holder)))
            .collect()
    }

    fn leased(&mut self, lease: &Lease) -> Result<&mut Row, LeaseLost> {
        let name = &lease.name;
        let space = self.spaces.get_mut(&name.space).ok_or(LeaseLost)?;
        let row = space.jobs.get_mut(&(name.kind.clone(), name.key.clone()));
        let is_held = |row: &&mut Row| {
            let is_last = (row.no, row.lease) == (lease.no, lease.number);
            row.is_leased() && (is_last || mutant(Mutant::IgnoreLease))
        };
        row.filter(is_held).ok_or(LeaseLost)
    }

    /// The places of those that are not held.
    pub(super) fn lost(&mut self, ends: &[Ended]) -> Vec<usize> {
        let places = ends.iter().enumerate();
        let lost = places.filter(|(_, ended)| self.leased(&ended.lease).is_err());
        lost.map(|(place, _)| place).collect()
    }

    /// See [`crate::JobStore::extend`].
    pub fn extend(&mut self, leases: &[Lease], to_ms: WallMs) -> Vec<Result<(), LeaseLost>> {
        let mut extend = |lease: &Lease| {
            if let JobState::Leased { until_ms, .. } = &mut self.leased(lease)?.stored.state {
                *until_ms = to_ms;
            }
            Ok(())
        };
        leases.iter().map(&mut extend).collect()
    }

    /// See [`crate::JobStore::finish`].
    pub fn finish(&mut self, ended: &[Ended], now_ms: WallMs) -> Vec<Result<(), LeaseLost>> {
        ended
            .iter()
            .map(|one| self.finish_one(one, now_ms))
            .collect()
    }

    pub(super) fn finish_one(&mut self, ended: &Ended, now_ms: WallMs) -> Result<(), LeaseLost> {
        let row = self.leased(&ended.lease)?;
        let stored = &mut row.stored;
        match &ended.outcome {
            Outcome::Again { .. } if mutant(Mutant::ForgetRest) => {
                self.remove_job(&ended.lease.name);
            }
            Outcome::Done => {
                self.remove_job(&ended.lease.name);
            }
            Outcome::Retry { at_ms, error } => {
                stored.state = JobState::Retry { at_ms: *at_ms };
                stored.error = Some(error.clone());
            }
            Outcome::Again { due_at_ms } => {
                stored.job.due_at_ms = *due_at_ms;
                let job = stored.job.clone();
                let anew = self.turns.put(&job);
                *self.leased(&ended.lease)? = anew;
            }
            Outcome::Wait { at_ms } => {
                stored.attempt -= 1;
                if is_first_try(stored) {
                    stored.state = JobState::Scheduled;
                    row.waits_until_ms = Some(*at_ms);
                } else {
                    stored.state = JobState::Retry { at_ms: *at_ms };
                }
            }
            Outcome::Dead { error } => {
                stored.state = JobState::Dead { at_ms: now_ms };
                stored.error = Some(error.clone());
            }
        }
        Ok(())
    }

    fn job_mut(&mut self, name: &JobName) -> Option<&mut Row> {
        let jobs = &mut self.spaces.get_mut(&name.space)?.jobs;
        jobs.get_mut(&(name.kind.clone(), name.key.clone()))
    }

    /// See [`crate::JobStore::job`].
    pub fn job(&self, name: &JobName) -> Option<StoredJob> {
        let jobs = &self.spaces.get(&name.space)?.jobs;
        let row = jobs.get(&(name.kind.clone(), name.key.clone()))?;
        Some(row.stored.clone())
    }

    /// See [`crate::JobStore::cancel`].
    pub fn cancel_job(&mut self, name: &JobName) -> bool {
        let is_held = self.job_mut(name).is_some_and(|row| row.is_leased());
        (is_held && mutant(Mutant::CancelUnheld)) || self.remove_job(name)
    }

    fn remove_job(&mut self, name: &JobName) -> bool {
        let space = self.spaces.get_mut(&name.space);
        let named = (name.kind.clone(), name.key.clone());
        space.is_some_and(|space| space.jobs.remove(&named).is_some())
    }

    /// See [`crate::JobStore::snooze`].
    pub fn snooze(&mut self, name: &JobName, due_at_ms: WallMs) -> bool {
        let waits =
            |state: &JobState| matches!(state, JobState::Scheduled | JobState::Retry { .. });
        let job = self.job_mut(name).filter(|row| waits(&row.stored.state));
        let Some(row) = job else { return false };
        if mutant(Mutant::SnoozeInVain) {
            return true;
        }
        row.waits_until_ms = None;
        match &mut row.stored.state {
            JobState::Retry { at_ms } => *at_ms = due_at_ms,
            _ => row.stored.job.due_at_ms = due_at_ms,
        }
        true
    }

    /// See [`crate::JobStore::waiting_jobs`].
    pub fn waiting_jobs(
        &self,
        kind: &JobKind,
        (after_ms, to_ms): (WallMs, WallMs),
        limit: usize,
    ) -> Vec<JobName> {
        let is_meant = |row: &Row| {
            let is_between = |at_ms| after_ms < at_ms && at_ms <= to_ms;
            !row.is_leased() && row.at_ms().is_some_and(is_between)
        };
        let mut names = Vec::new();
        for (key, space) in &self.spaces {
            let jobs = space.jobs.iter();
            let waiting = jobs.filter(|((of, _), row)| of == kind && is_meant(row));
            names.extend(waiting.map(|((kind, job), _)| JobName {
                space: key.clone(),
                kind: kind.clone(),
                key: job.clone(),
            }));
        }
        names.truncate(limit);
        names
    }

    /// The dead of a kind, the oldest first.
    fn all_dead(&self, kind: &JobKind) -> Vec<DeadJob> {
        let mut dead = Vec::new();
        for (key, space) in &self.spaces {
            for ((of, _), row) in &space.jobs {
                let Some(at_ms) = row.dead_at_ms().filter(|_| of == kind) else {
                    continue;
                };
                dead.push(DeadJob {
                    space: key.clone(),
                    cursor: DeadCursor { at_ms, no: row.no },
                    stored: row.stored.clone(),
                });
            }
        }
        dead.sort_by_key(|dead| (dead.cursor.at_ms, dead.cursor.no));
        dead
    }

    /// See [`crate::JobStore::dead_jobs`].
    pub fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Vec<DeadJob> {
        let place = |cursor: DeadCursor| (cursor.at_ms, cursor.no);
        let is_after = |dead: &DeadJob| after.is_none_or(|after| place(dead.cursor) < place(after));
        let dead = self.all_dead(kind).into_iter().rev();
        dead.filter(is_after).take(limit).collect()
    }

    /// See [`crate::JobStore::replay`].
    pub fn replay(&mut self, name: &JobName, now_ms: WallMs) -> bool {
        let is_dead = |row: &&mut Row| row.dead_at_ms().is_some();
        let Some(row) = self.job_mut(name).filter(is_dead) else {
            return false;
        };
        let stored = &mut row.stored;
        stored.state = JobState::Retry { at_ms: now_ms };
        if !mutant(Mutant::ReplayTired) {
            stored.attempt = 0;
        }
        true
    }

    /// See [`crate::JobStore::replay_all`].
    pub fn replay_all(&mut self, kind: &JobKind, now_ms: WallMs, limit: usize) -> usize {
        let dead = self.all_dead(kind).into_iter();
        let dead = dead.filter(|dead| dead.cursor.at_ms <= now_ms).take(limit);
        let names: Vec<JobName> = dead.map(|dead| dead.name()).collect();
        names
            .iter()
            .filter(|name| self.replay(name, now_ms))
            .count()
    }

    /// See [`crate::JobStore::forget_dead`].
    pub fn forget_dead(&mut self, kind: &JobKind, before_ms: WallMs, limit: usize) -> usize {
        let dead = self.all_dead(kind).into_iter();
        let dead = dead
            .filter(|dead| dead.cursor.at_ms < before_ms)
            .take(limit);
        let names: Vec<JobName> = dead.map(|dead| dead.name()).collect();
        names.iter().filter(|name| self.cancel_job(name)).count()
    }

    /// See [`crate::JobStore::next_due`].
    pub fn next_due(&self, kinds: &[JobKind]) -> Option<WallMs> {
        let of_space = |space: &Space| {
            let behind = lanes::behind(&space.jobs);
            let jobs = space.jobs.iter();
            let asked =
                jobs.filter(|((kind, _), row)| kinds.contains(kind) && !behind.contains(&row.no));
            asked.filter_map(|(_, row)| row.at_ms()).min()
        };
        self.spaces.values().filter_map(of_space).min()
    }

    /// See [`crate::JobStore::job_counts`].
    pub fn job_counts(&self, kinds: &[JobKind]) -> Vec<JobCounts> {
        kinds.iter().map(|kind| self.counts_of(kind)).collect()
    }

    fn counts_of(&self, kind: &JobKind) -> JobCounts {
        let mut counts = JobCounts::default();
        let jobs = self.spaces.values().flat_map(|space| &space.jobs);
        for (_, row) in jobs.filter(|((of, _), _)| of == kind) {
            let waiting = counts.scheduled + counts.leased + counts.retry;
            let (count, so_far) = match &row.stored.state {
                JobState::Scheduled => (&mut counts.scheduled, waiting),
                JobState::Leased { .. } => (&mut counts.leased, waiting),
                JobState::Retry { .. } => (&mut counts.retry, waiting),
                JobState::Dead { .. } => {
                    let dead = counts.dead;
                    (&mut counts.dead, dead)
                }
            };
            *count += u64::from(so_far < JOBS_COUNTED_MAX);
        }
        counts
    }
}

fn lease(
    row: &mut Row,
    (space, kind, key): (&SpaceKey, &JobKind, &crate::jobs::JobKey),
    (until_ms, holder): (WallMs, &NodeId),
) -> LeasedJob {
    row.lease += 1;
    row.waits_until_ms = None;
    row.stored.attempt += 1;
    row.stored.state = JobState::Leased {
        until_ms,
        holder: holder.clone(),
    };
    LeasedJob {
        lease: Lease {
            name: JobName {
                space: space.clone(),
                kind: kind.clone(),
                key: key.clone(),
            },
            no: row.no,
            number: row.lease,
        },
        job: row.stored.job.clone(),
        attempt: row.stored.attempt,
        has_failed: row.stored.error.is_some(),
        until_ms,
    }
}
