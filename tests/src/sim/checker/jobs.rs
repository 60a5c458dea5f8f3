//! What must hold of jobs: which a commit puts, who may end one, and that what it writes takes effect
//! in the commit that ends it, and in order. What is done in parts is there until its last one; what people take
//! back writes nothing more, what they snooze is not begun before its time, and what they replay has all its tries.
//!
//! Which jobs follow from a commit is computed here from how its records showed before and after, by
//! the rules as they stand. Nothing is promised of a try that was begun in a history that is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use syncline_compute::triggers::Per;
use syncline_protocol::ids::{RecordKey, WriterNo};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_storage::jobs::{
    Ended, IfThere, Job, JobKey, JobKind, JobLane, JobMove, JobName, JobNo, LeaseLost, LeasedJob,
    Outcome,
};
use syncline_storage::model::ModelStore;
use syncline_storage::types::Commit;

use super::mutations::expect;
use super::{Batch, Checker, JobPart, Judged, What};
use crate::sim::jobs::{DEPTH_MAX, LEASE_MS, RULES, kinds};
use crate::sim::reference::{Expected, data_text};
use crate::sim::trace::{Checked, ensure, violated};

type Name = (JobKind, JobKey);

/// In place of a lease's number: nobody has one any more, and what comes next has another number of a job.
const OVER: u64 = u64::MAX;

/// The jobs of the present.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    /// Those that must be in the store.
    there: BTreeMap<Name, There>,
    /// The last lease of each name.
    leases: HashMap<Name, (JobNo, u64)>,
    /// The last one of a lane whose write took effect.
    lanes: HashMap<JobLane, JobNo>,
    /// Those that were given up: their lane goes on without them.
    given_up: BTreeSet<JobNo>,
}

/// A job that must be in the store.
#[derive(Clone, Debug)]
struct There {
    lane: Option<JobLane>,
    is_dead: bool,
    /// It was snoozed, and is not leased before then.
    not_before_ms: WallMs,
    /// It was replayed, and its next try is the first.
    has_all_tries: bool,
}

impl Jobs {
    /// Everything was erased. Returns how many jobs went.
    pub(super) fn erased(&mut self) -> usize {
        self.lanes.clear();
        std::mem::take(&mut self.there).len()
    }

    fn moved(&mut self, moved: &JobMove) {
        match moved {
            JobMove::Put { job, if_there } => {
                let name = (job.kind.clone(), job.key.clone());
                let new = There {
                    lane: job.lane.clone(),
                    is_dead: false,
                    not_before_ms: 0,
                    has_all_tries: false,
                };
                match if_there {
                    IfThere::Keep => drop(self.there.entry(name).or_insert(new)),
                    IfThere::Replace => drop(self.there.insert(name, new)),
                }
            }
            JobMove::Cancel { kind, key } => {
                self.there.remove(&(kind.clone(), key.clone()));
            }
        }
    }
}

impl Checker {
    /// A commit ends the leases of what it writes, each held by whoever wrote, and no others.
    fn jobs_ended(&mut self, commit: &Commit, batch: &Batch) -> Checked {
        let is_split = self.split.contains(&commit.expect_epoch);
        let jobs = &mut self.now.jobs;
        for ended in &commit.ends {
            let mut judged = batch.judged.iter();
            let is_written =
                judged.any(|one| matches!(&one.what, What::Job(part) if part.ended == *ended));
            ensure(is_written, "effect", || {
                format!("{ended:?} was ended and wrote nothing")
            })?;
            let lease = &ended.lease;
            let name = (lease.name.kind.clone(), lease.name.key.clone());
            let last = jobs.leases.get(&name);
            ensure(
                is_split || last == Some(&(lease.no, lease.number)),
                "fence",
                || format!("{ended:?} was ended, its last lease is {last:?}"),
            )?;
            let there = match &ended.outcome {
                // A part of it is done: it is there for the rest, and nobody has it.
                Outcome::Again { .. } => jobs.there.get(&name).cloned(),
                _ => jobs.there.remove(&name),
            };
            if !is_split {
                jobs.leases.insert(name, (lease.no, OVER));
            }
            if is_split {
                continue;
            }
            let Some(there) = there.filter(|there| !there.is_dead) else {
                return violated("there", format!("{ended:?} wrote and is not there"));
            };
            let Some(lane) = there.lane else {
                continue;
            };
            let last = jobs.lanes.get(&lane).copied();
            let in_order = last.is_none_or(|last| last < lease.no);
            ensure(
                in_order || jobs.given_up.contains(&lease.no),
                "lane",
                || format!("{ended:?} wrote after {last:?}"),
            )?;
            jobs.lanes
                .insert(lane, last.max(Some(lease.no)).unwrap_or(lease.no));
        }
        Ok(())
    }

    /// Whether what a job writes took effect and changed something.
    pub(super) fn job_wrote(
        &mut self,
        commit: &Commit,
        (judged, part): (&Judged, &JobPart),
        clock: &mut Hlc,
    ) -> Checked<bool> {
        // Of two writes of one lease, which a restored store gives again, the first is taken.
        if self.ended.contains(&part.ended) {
            return Ok(false);
        }
        let is_ended = commit.ends.contains(&part.ended);
        if is_ended {
            self.ended.push(part.ended.clone());
        }
        if self.split.contains(&commit.expect_epoch) {
            return Ok(is_ended && commit.head > commit.expect_head);
        }
        let mut marks = commit.marks.iter();
        let mark = marks.find(|mark| mark.client == judged.client);
        let writer = mark.map_or(WriterNo(0), |mark| mark.writer);
        let asked = part.asked.as_deref();
        let expected = expect(&mut self.now.reference, (asked, judged, writer), clock);
        let is_taken = !matches!(expected, None | Some((Expected::Unknown, _)));
        ensure(is_taken == is_ended, "effect", || {
            format!("{judged:?} is ended: {is_ended}, must be {expected:?}")
        })?;
        if !is_ended {
            return Ok(false);
        }
        self.erasures
            .check_heard(Some(part.epoch), commit.expect_epoch)?;
        self.check_writer(writer, judged, false)?;
        Ok(matches!(expected, Some((Expected::Applied(_), _))))
    }

    /// How many jobs must be in the store that are not dead.
    pub fn jobs_open(&self) -> usize {
        let there = self.now.jobs.there.values();
        there.filter(|there| !there.is_dead).count()
    }

    /// A commit took effect, whose records were `before`: its jobs are those of what shows otherwise.
    pub fn jobs_put(
        &mut self,
        commit: &Commit,
        batch: &Batch,
        before: &[Option<Record>],
    ) -> Checked {
        self.jobs_ended(commit, batch)?;
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
        commit.jobs.iter().for_each(|one| self.now.jobs.moved(one));
        Ok(())
    }

    /// How deep the changes of a record in a batch are, each depth once.
    fn depths(&self, key: &RecordKey, batch: &Batch) -> BTreeSet<u8> {
        let of = batch.judged.iter().filter(|one| self.touches(one, key));
        let depth = |one: &Judged| match &one.what {
            What::Job(part) => part.depth,
            What::Mutation(_) | What::Changeset(_) => 0,
        };
        of.map(depth).collect()
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
            What::Job(part) => part.asked.iter().flatten().any(|asked| asked.key == *key),
        }
    }

    /// A job was leased, whether or not its holder heard of it.
    pub fn job_leased(&mut self, leased: &LeasedJob) -> Checked {
        let name = (leased.job.kind.clone(), leased.job.key.clone());
        let jobs = &mut self.now.jobs;
        let there = jobs.there.get_mut(&name).filter(|there| !there.is_dead);
        let Some(there) = there else {
            return violated("there", format!("{leased:?} was never put, or has ended"));
        };
        let now_ms = leased.until_ms.saturating_sub(LEASE_MS);
        let not_before_ms = std::mem::take(&mut there.not_before_ms);
        ensure(not_before_ms <= now_ms, "snooze", || {
            format!("{leased:?} was leased before {not_before_ms}, until when it was snoozed")
        })?;
        let has_all_tries = std::mem::take(&mut there.has_all_tries);
        ensure(!has_all_tries || leased.attempt == 1, "tries", || {
            format!("{leased:?} was replayed")
        })?;
        let lease = (leased.lease.no, leased.lease.number);
        let before = jobs.leases.insert(name, lease);
        ensure(before.is_none_or(|before| before < lease), "fence", || {
            format!("{leased:?} was leased as {before:?} before")
        })
    }

    /// People took a job back: it writes nothing from now on.
    pub fn job_cancelled(&mut self, name: &JobName, done: bool) -> Checked {
        let name = (name.kind.clone(), name.key.clone());
        let jobs = &mut self.now.jobs;
        let was_there = jobs.there.remove(&name).is_some();
        if let Some((_, number)) = jobs.leases.get_mut(&name) {
            *number = OVER;
        }
        ensure(done == was_there, "there", || {
            format!("{name:?} was cancelled: {done}, it was there: {was_there}")
        })
    }

    /// People had a job wait.
    pub fn job_snoozed(&mut self, (name, due_at_ms): (&JobName, WallMs), done: bool) -> Checked {
        let name = (name.kind.clone(), name.key.clone());
        let there = self.now.jobs.there.get_mut(&name);
        let there = there.filter(|there| done && !there.is_dead);
        let Some(there) = there else {
            return violated("there", format!("{name:?} is not there, snoozed: {done}"));
        };
        there.not_before_ms = due_at_ms;
        Ok(())
    }

    /// People gave a dead job all its tries again.
    pub fn job_replayed(&mut self, name: &JobName, done: bool) -> Checked {
        let name = (name.kind.clone(), name.key.clone());
        let there = self.now.jobs.there.get_mut(&name);
        let there = there.filter(|there| done && there.is_dead);
        let Some(there) = there else {
            return violated("there", format!("{name:?} is not dead, replayed: {done}"));
        };
        there.is_dead = false;
        there.has_all_tries = true;
        Ok(())
    }

    /// A lease was to be ended, of a job that wrote nothing.
    pub fn job_ended(
        &mut self,
        (ended, done): (&Ended, Result<(), LeaseLost>),
        unsure: bool,
        store: &ModelStore,
    ) -> Checked {
        let lease = &ended.lease;
        let name = (lease.name.kind.clone(), lease.name.key.clone());
        let jobs = &mut self.now.jobs;
        if done.is_ok() {
            let last = jobs.leases.get(&name);
            ensure(
                unsure || last == Some(&(lease.no, lease.number)),
                "fence",
                || format!("{ended:?} was ended, its last lease is {last:?}"),
            )?;
            if let Outcome::Dead { .. } = ended.outcome {
                let there = jobs.there.get_mut(&name);
                there.into_iter().for_each(|there| there.is_dead = true);
                jobs.given_up.insert(lease.no);
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
