//! What must hold of jobs: which a commit puts, who may end one, and that what it writes takes effect
//! once and in order.
//!
//! Which jobs follow from a commit is computed here from how its records showed before and after, by
//! the rules as they stand. Nothing is promised of a try that was begun in a history that is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use syncline_compute::triggers::Per;
use syncline_hub::session::event::Sender;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{
    Ended, IfThere, Job, JobKey, JobKind, JobLane, JobMove, JobNo, LeaseLost, LeasedJob, Outcome,
};
use syncline_storage::model::ModelStore;
use syncline_storage::types::Commit;

use super::{Batch, Checker, Judged, What};
use crate::sim::jobs::{DEPTH_MAX, RULES, kinds};
use crate::sim::reference::data_text;
use crate::sim::trace::{Checked, ensure, violated};

type Name = (JobKind, JobKey);

/// Which job, also where a restored store gives its number again: its name, what put it, when it is due.
type Made = (Name, Epoch, Seq, WallMs);

/// The jobs of the present.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    /// Those that must be in the store, and whether each is dead.
    there: BTreeMap<Name, bool>,
    /// The last lease of each name.
    leases: HashMap<Name, (JobNo, u64)>,
    /// What took effect: by whom, and whether its number is remembered.
    written: HashMap<Made, (ClientKey, bool)>,
    /// The last one of a lane whose write took effect.
    lanes: HashMap<JobLane, JobNo>,
    /// Those that were given up: their lane goes on without them.
    given_up: BTreeSet<JobNo>,
}

/// What a job writes.
#[derive(Clone, Debug)]
pub(super) struct Write {
    made: Made,
    no: JobNo,
    lane: Option<JobLane>,
    depth: u8,
    /// Nothing is promised of it.
    unsure: bool,
}

impl Jobs {
    /// Everything was erased. Returns how many jobs went.
    pub(super) fn erased(&mut self) -> usize {
        self.lanes.clear();
        std::mem::take(&mut self.there).len()
    }

    /// The numbers of clients were collected.
    pub(super) fn forget(&mut self, clients: &BTreeSet<&ClientKey>) {
        for (client, is_remembered) in self.written.values_mut() {
            *is_remembered &= !clients.contains(client);
        }
    }
}

impl Checker {
    /// A try writes for its job.
    pub fn job_writes(&mut self, leased: &LeasedJob, sender: &Sender, unsure: bool) -> Checked {
        ensure(sender.depth <= DEPTH_MAX, "depth", || {
            format!("{leased:?} writes at {}", sender.depth)
        })?;
        let write = Write {
            made: made(&leased.job),
            no: leased.lease.no,
            lane: leased.job.lane.clone(),
            depth: sender.depth,
            unsure,
        };
        self.writes.insert(sender.client.clone(), write);
        Ok(())
    }

    /// The store was replaced: of what was begun before nothing is promised.
    pub(super) fn doubt_writes(&mut self) {
        self.writes
            .values_mut()
            .for_each(|write| write.unsure = true);
    }

    /// How many jobs must be in the store that are not dead.
    pub fn jobs_open(&self) -> usize {
        let there = self.now.jobs.there.values();
        there.filter(|is_dead| !**is_dead).count()
    }

    /// A commit took effect, whose records were `before`: its jobs are those of what shows otherwise.
    pub fn jobs_put(
        &mut self,
        commit: &Commit,
        batch: &Batch,
        before: &[Option<Record>],
    ) -> Checked {
        if !self.split.contains(&commit.expect_epoch) {
            let mut put = commit.jobs.iter().peekable();
            for ((key, after), before) in commit.records.iter().zip(before) {
                let when = match (before.as_ref().and_then(shows), shows(after)) {
                    (None, Some(_)) => "insert",
                    (Some(_), None) => "delete",
                    (Some(before), Some(after)) if before != after => "update",
                    _ => continue,
                };
                let depths = self.depths(key, batch);
                let may_be_cut = depths.last().is_none_or(|depth| *depth >= DEPTH_MAX);
                let must_be_cut = depths.first().is_some_and(|depth| *depth >= DEPTH_MAX);
                let next = put.next_if(|job| !must_be_cut && is_of(job, key, when, commit));
                let Some(JobMove::Put { job, .. }) = next else {
                    ensure(may_be_cut, "put", || {
                        format!(
                            "no job for the {when} of {key} at {depths:?}: {:?}",
                            commit.jobs
                        )
                    })?;
                    continue;
                };
                ensure(depths.contains(&job.depth), "depth", || {
                    format!("{job:?} follows from changes at {depths:?}")
                })?;
            }
            if let Some(more) = put.next() {
                return violated("put", format!("{more:?} follows from nothing"));
            }
        }
        let jobs = &mut self.now.jobs;
        for one in &commit.jobs {
            match one {
                JobMove::Put { job, .. } => jobs
                    .there
                    .insert((job.kind.clone(), job.key.clone()), false),
                JobMove::Cancel { kind, key } => jobs.there.remove(&(kind.clone(), key.clone())),
            };
        }
        Ok(())
    }

    /// How deep the changes of a record in a batch are, each depth once.
    fn depths(&self, key: &RecordKey, batch: &Batch) -> BTreeSet<u8> {
        let of = batch.judged.iter().filter(|one| self.touches(one, key));
        of.map(|one| self.writes.get(&one.client).map_or(0, |write| write.depth))
            .collect()
    }

    fn touches(&self, judged: &Judged, key: &RecordKey) -> bool {
        match &judged.what {
            What::Mutation(m) => {
                let registered = self.registry.get(&(judged.client.clone(), *m));
                registered.is_some_and(|registered| registered.touches(key))
            }
            What::Changeset(part) => {
                let mut changes = part.changes.iter();
                changes.any(|change| change.key.as_ref() == Some(key))
            }
        }
    }

    /// What a job writes took effect, or lost.
    pub(super) fn job_wrote(&mut self, client: &ClientKey, is_split: bool) -> Checked {
        let Some(write) = self.writes.get(client) else {
            return Ok(());
        };
        let jobs = &mut self.now.jobs;
        let made = write.made.clone();
        let before = jobs.written.insert(made, (client.clone(), true));
        if write.unsure || is_split {
            return Ok(());
        }
        ensure(!matches!(before, Some((_, true))), "effect", || {
            format!("{write:?} took effect before: {before:?}")
        })?;
        let Some(lane) = write.lane.as_ref().filter(|_| before.is_none()) else {
            return Ok(());
        };
        let last = jobs.lanes.get(lane).copied();
        let in_order = last.is_none_or(|last| last < write.no);
        ensure(
            in_order || jobs.given_up.contains(&write.no),
            "lane",
            || format!("{write:?} took effect after {last:?}"),
        )?;
        jobs.lanes
            .insert(lane.clone(), last.max(Some(write.no)).unwrap_or(write.no));
        Ok(())
    }

    /// A job was leased, whether or not its holder heard of it.
    pub fn job_leased(&mut self, leased: &LeasedJob) -> Checked {
        let name = (leased.job.kind.clone(), leased.job.key.clone());
        let jobs = &mut self.now.jobs;
        ensure(jobs.there.get(&name) == Some(&false), "there", || {
            format!("{leased:?} was never put, or has ended")
        })?;
        let lease = (leased.lease.no, leased.lease.number);
        let before = jobs.leases.insert(name, lease);
        ensure(before.is_none_or(|before| before < lease), "fence", || {
            format!("{leased:?} was leased as {before:?} before")
        })
    }

    /// A lease was to be ended.
    pub fn job_ended(
        &mut self,
        (job, ended, done): (&Job, &Ended, Result<(), LeaseLost>),
        unsure: bool,
        store: &ModelStore,
    ) -> Checked {
        let lease = &ended.lease;
        let name = (lease.name.kind.clone(), lease.name.key.clone());
        let is_split = self.split.contains(&self.epoch);
        let jobs = &mut self.now.jobs;
        if done.is_ok() {
            let last = jobs.leases.get(&name);
            ensure(
                unsure || last == Some(&(lease.no, lease.number)),
                "fence",
                || format!("{ended:?} was ended, its last lease is {last:?}"),
            )?;
            match ended.outcome {
                Outcome::Done => {
                    let is_written = jobs.written.contains_key(&made(job));
                    ensure(unsure || is_split || is_written, "effect", || {
                        format!("{ended:?} is done and wrote nothing")
                    })?;
                    jobs.there.remove(&name);
                }
                Outcome::Dead { .. } => {
                    jobs.there.insert(name.clone(), true);
                    jobs.given_up.insert(lease.no);
                }
                _ => {}
            }
        }
        let is_there = store.job(&lease.name).is_some();
        ensure(is_there == jobs.there.contains_key(&name), "there", || {
            format!("after {ended:?}, {done:?}, the job is there: {is_there}")
        })
    }

    /// All are at rest: no job is left but dead ones, and of these all.
    pub fn jobs_at_rest(&self, store: &ModelStore) -> Checked {
        let counts = store.job_counts(&kinds());
        let left: u64 = counts
            .iter()
            .map(|c| c.scheduled + c.leased + c.retry)
            .sum();
        let dead: u64 = counts.iter().map(|c| c.dead).sum();
        let must = self.now.jobs.there.len() as u64;
        ensure(left == 0, "liveness", || format!("{left} jobs are left"))?;
        ensure(dead == must, "there", || {
            format!("{dead} jobs are dead, {must} must be")
        })
    }
}

fn made(job: &Job) -> Made {
    let name = (job.kind.clone(), job.key.clone());
    (name, job.origin.epoch, job.origin.seq, job.due_at_ms)
}

/// What a record shows, if it is live.
fn shows(record: &Record) -> Option<std::sync::Arc<str>> {
    record.is_live().then(|| data_text(record))
}

/// Whether a commit puts this for what it does to a record.
fn is_of(put: &JobMove, record: &RecordKey, when: &str, commit: &Commit) -> bool {
    let JobMove::Put { job, if_there } = put else {
        return false;
    };
    let mut rules = RULES.iter();
    let Some(rule) = rules.find(|rule| rule.table == record.table.as_str()) else {
        return false;
    };
    let (epoch, seq) = (commit.expect_epoch, commit.head);
    let (id, table) = (rule.id, rule.table);
    let (key, kept) = match rule.per {
        Per::Commit => (
            format!("{id}/{epoch}/{seq}/{table}/{}", record.id),
            IfThere::Keep,
        ),
        Per::Record => (format!("{id}/{table}/{}", record.id), IfThere::Replace),
    };
    let lane = rule
        .is_ordered
        .then(|| format!("{id}/{table}/{}", record.id));
    let Job { origin, args, .. } = job;
    let from = (origin.epoch, origin.seq, origin.trigger.as_str());
    let args: Value = serde_json::from_str(args.as_str()).unwrap_or_default();
    let about = [&args["table"], &args["id"], &args["when"]].map(Value::as_str);
    job.kind.as_str() == id
        && job.key.as_str() == key
        && job.lane.as_ref().map(JobLane::as_str) == lane.as_deref()
        && *if_there == kept
        && job.due_at_ms == commit.now_ms
        && from == (epoch, seq, id)
        && about == [Some(table), Some(record.id.as_str()), Some(when)]
}
