//! The commit in flight: records are gathered, mutations merged, the outcome taken in.

mod claims;
pub(super) mod decide;
mod decide_sync;
mod following;
mod letters;
mod too_large;
mod working;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::ids::{ClientKey, RecordKey};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::record::Record;
use syncline_protocol::wire::hub::Answer;
use syncline_storage::types::{CommitError, RecordsRead, StoreError};

pub(super) use self::decide::Decided;
use self::decide::{Deciding, Outcome};
use self::following::label;
use super::cache::{Known, known_bytes};
use super::event::{CallReply, Effect, Note, Waiter};
use super::fanout::Answers;
use super::jobs::reply_job;
use super::pending::{Asked, Earlier, Pending};
use super::state::{Context, SessionState, Work};
use super::synced::Synced;
use crate::telemetry::labels::VerdictStatus;

/// A batch whose records are being read.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// It is of so many of the first pending entries.
    count: usize,
    /// The records they touch, as far as they are known.
    base: Base,
    /// Bytes of the records, as the cache weighs them.
    bytes: usize,
}

/// Records as of the session's head.
pub(super) type Base = HashMap<RecordKey, Known>;

impl Loading {
    fn add(&mut self, key: RecordKey, known: Known) {
        self.bytes += known_bytes(&known);
        self.base.insert(key, known);
    }

    /// Leaves the first entry alone, whose records these are.
    fn keep(&mut self, own: &HashSet<&RecordKey>) {
        self.count = 1;
        self.base.retain(|key, _| own.contains(key));
        self.bytes = self.base.values().map(known_bytes).sum();
    }
}

impl SessionState {
    /// Forms the next commit from what is pending. Records the cache does not hold are read
    /// first, in pieces of `commit_bytes_max`.
    pub(super) fn plan(&mut self, cx: &mut Context<'_>) {
        let bytes_max = self.piece_bytes();
        let mut loading = Loading::default();
        let (mut missing, mut asked) = (Vec::new(), HashSet::new());
        for pending in self.pending.iter().take(self.batch_len()) {
            let mut entry = Loading::default();
            let mut unknown = Vec::new();
            for key in keys(pending).into_iter().filter(|key| asked.insert(*key)) {
                match cx.cache.get(self.activation, key) {
                    Some(known) => entry.add(key.clone(), known),
                    None => unknown.push(key.clone()),
                }
            }
            if loading.count > 0 && loading.bytes + entry.bytes > bytes_max {
                break;
            }
            missing.append(&mut unknown);
            loading.base.extend(entry.base);
            loading.bytes += entry.bytes;
            loading.count += 1;
        }
        self.load(loading, missing, cx);
    }

    /// Bytes of the records of one batch, and of one read of them.
    fn piece_bytes(&self) -> usize {
        let limits = &self.limits;
        limits.commit_bytes_max.min(limits.data.mutation_bytes_max)
    }

    /// Reads what is missing, or goes on without it if the first mutation is too large anyway.
    fn load(&mut self, loading: Loading, missing: Vec<RecordKey>, cx: &mut Context<'_>) {
        if missing.is_empty() || loading.bytes > self.limits.data.mutation_bytes_max {
            return self.decide_loaded(loading, cx);
        }
        self.work = Work::Loading(Box::new(loading));
        let bytes_max = self.piece_bytes();
        cx.effect(Effect::ReadRecords(missing, bytes_max));
    }

    /// Decides what has all its records. If that is nothing, the first entry is large: of a
    /// changeset, what touches the records that were read goes first; a mutation is rejected.
    fn decide_loaded(&mut self, mut loading: Loading, cx: &mut Context<'_>) {
        let loaded = self.loaded(&loading);
        if loaded == 0 {
            self.split_first(&loading.base);
        }
        loading.count = loaded.max(1);
        self.decide(loading, cx);
    }

    /// How many of the first entries of a batch have all their records.
    fn loaded(&self, loading: &Loading) -> usize {
        let is_loaded = |pending: &&Pending| {
            let mut keys = keys(pending).into_iter();
            keys.all(|key| loading.base.contains_key(key))
        };
        let batch = self.pending.iter().take(loading.count);
        batch.take_while(is_loaded).count()
    }

    /// Leaves of a changeset at the front what touches known records only; the rest waits until
    /// that is decided. Such clients know of no mutation that is whole or not at all, and changes
    /// of one record stay together.
    fn split_first(&mut self, base: &Base) {
        let Some(pending) = self.pending.front_mut() else {
            return;
        };
        if let Asked::Sync(changes) = &mut pending.asked {
            let is_known = |change: &SyncChange| {
                let key = change.key.as_ref();
                key.is_none_or(|key| base.contains_key(key))
            };
            let (now, later): (Vec<_>, Vec<_>) =
                std::mem::take(changes).into_iter().partition(is_known);
            *changes = now;
            pending.later.splice(0..0, later);
        }
    }

    /// How many pending mutations go into the next commit: at least one, else within limits.
    fn batch_len(&self) -> usize {
        let mut changes = 0;
        let fits = |pending: &&Pending| {
            changes += pending.asked.change_count();
            changes <= self.limits.commit_changes_max
        };
        let within = self
            .pending
            .iter()
            .take(self.batch_max.unwrap_or(self.limits.commit_mutations_max))
            .take_while(fits);
        within.count().max(1)
    }

    pub(super) fn records_read(
        &mut self,
        keys: Vec<RecordKey>,
        read: Result<RecordsRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let Work::Loading(mut loading) = std::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                return self.store_failed("records could not be read", &error, cx);
            }
        };
        // Only what is current at the very head the commit will expect may be merged onto. What is
        // older is read again, after a look whether the store has lost what is later.
        if self.is_behind(&read.view) || read.view.head < self.view.head {
            self.stale = true;
            return;
        }
        let records = read.records.into_iter().map(|record| record.map(Arc::new));
        let mut keys = keys.into_iter();
        let read = records.zip(&mut keys).map(|(record, key)| (key, record));
        let known: Vec<(RecordKey, Known)> = read.collect();
        let mut put = known.iter().map(|(key, known)| (key, known.clone()));
        cx.cache.put(self.activation, &mut put);
        for (key, known) in known {
            loading.add(key, known);
        }
        let is_whole = |first: &Pending| !matches!(first.asked, Asked::Sync(_));
        if self.loaded(&loading) > 0 || !self.pending.front().is_some_and(is_whole) {
            return self.decide_loaded(*loading, cx);
        }
        // A mutation is whole: it needs more pieces, and has the batch for itself.
        let first = self.pending.front().map(self::keys);
        let own: HashSet<&RecordKey> = first.into_iter().flatten().collect();
        loading.keep(&own);
        let missing = keys.filter(|key| own.contains(key)).collect();
        self.load(*loading, missing, cx);
    }

    fn decide(&mut self, loading: Loading, cx: &mut Context<'_>) {
        let Loading { count, base, .. } = loading;
        let mut deciding =
            Deciding::new(self.view, base, (self.limits.data, self.triggers.clone()));
        for pending in self.pending.iter().take(count) {
            let client = self
                .clients
                .get(&pending.client)
                .cloned()
                .unwrap_or_default();
            deciding.judge(pending, &client);
        }
        let (decided, mut commit) = deciding.finish(self.space.clone(), cx.now_ms);
        // Of fewer changes fewer jobs follow, and all of them are put.
        if decided.puts_too_many_jobs() && self.take_fewer(decided.count()) {
            return self.plan(cx);
        }
        if mutant(Mutant::DropJobsOfRetry) && self.failures > 0 {
            commit.iter_mut().for_each(|commit| commit.jobs.clear());
        }
        if mutant(Mutant::AckBeforeCommit) {
            self.ack_early(&decided, cx);
        }
        let Some(commit) = commit else {
            // Changesets that did nothing need no commit: the same on newer records they would
            // do nothing either.
            self.work = Work::Idle;
            return self.take_in(decided, cx);
        };
        self.work = Work::Committing(Box::new(decided));
        self.contention.handed(cx.now_ms);
        cx.effect(Effect::Commit(Box::new(commit)));
    }

    /// What [`Mutant::AckBeforeCommit`] does.
    fn ack_early(&mut self, decided: &Decided, cx: &mut Context<'_>) {
        let mut answers = Answers::default();
        for (pending, outcome) in self.pending.iter().zip(&decided.outcomes) {
            if let Outcome::Verdict { m, verdict, .. } = outcome {
                let answer = Answer::Verdict(verdict.clone());
                answers.add(&pending.waiters, &pending.client, *m, &answer);
            }
        }
        self.send_answers(answers, cx);
    }

    pub(super) fn committed(&mut self, outcome: Result<(), CommitError>, cx: &mut Context<'_>) {
        let Work::Committing(decided) = std::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        match outcome {
            Ok(()) => {
                self.failures = 0;
                self.batch_max = None;
                cx.note(Note::Committed(self.contention.committed(cx.now_ms)));
                self.take_in(*decided, cx);
            }
            Err(CommitError::Conflict) => {
                cx.note(Note::Conflict);
                self.give_way(cx);
            }
            Err(CommitError::LeasesLost(lost)) => self.leases_lost((&decided, &lost), cx),
            Err(CommitError::TooLarge(why)) => self.too_large(&decided, &why, cx),
            Err(CommitError::Store(error)) => {
                // Committed or not: the marks tell when the store is read again.
                self.untold = true;
                self.store_failed("commit outcome unknown", &error, cx);
            }
        }
    }

    /// Notes in the cache what the records are at the session's head.
    pub(super) fn remember(&self, records: &[(RecordKey, Arc<Record>)], cx: &mut Context<'_>) {
        if records.is_empty() {
            return;
        }
        let mut known = records
            .iter()
            .map(|(key, record)| (key, Some(record.clone())));
        cx.cache.put(self.activation, &mut known);
    }

    /// Clients of which the first so many that are pending hold several changesets.
    fn of_several(&self, count: usize) -> HashSet<ClientKey> {
        let mut once = HashSet::new();
        let pending = self.pending.iter().take(count);
        let syncs = pending.filter(|pending| matches!(pending.asked, Asked::Sync(_)));
        let again = syncs.filter(|pending| !once.insert(&pending.client));
        again.map(|pending| pending.client.clone()).collect()
    }

    /// A commit is durable: only now do the view, the cache, the clients and the devices learn
    /// of it.
    fn take_in(&mut self, decided: Decided, cx: &mut Context<'_>) {
        let from = self.view.head;
        self.view = decided.view;
        self.remember(&decided.records, cx);
        (0..decided.ties).for_each(|_| cx.note(Note::Tie));
        if decided.letters_left_out > 0 {
            cx.note(Note::LettersLeftOut(decided.letters_left_out));
        }
        self.tell_of_jobs(&decided, cx);
        let mut answers = Answers::default();
        let mut authors: Vec<ClientKey> = Vec::new();
        let mut rest = None;
        let echo_bytes_max = self.limits.echo_bytes_max;
        let of_several = self.of_several(decided.outcomes.len());
        for outcome in decided.outcomes {
            let Some(mut pending) = self.pending.pop_front() else {
                break;
            };
            let author = pending.client.clone();
            let client = self.client(&author);
            client.undecided = client.undecided.saturating_sub(1);
            match outcome {
                Outcome::Verdict { writer, m, verdict } => {
                    client.writer = Some(writer);
                    client.decided = Some(m);
                    let answer = Answer::Verdict(verdict);
                    cx.note(Note::Verdict(VerdictStatus::from(&answer)));
                    answers.add(&pending.waiters, &pending.client, m, &answer);
                }
                Outcome::Job { writer, ended, .. } => {
                    client.writer = writer.or(client.writer);
                    reply_job(&pending.waiters, &ended, cx);
                }
                Outcome::Synced { mut synced, kept } => {
                    if of_several.contains(&author) {
                        // What the commit holds of its client is not all of this changeset.
                        synced.commits = None;
                    }
                    client.writer = synced.writer.or(client.writer);
                    client.learn_given(kept.given);
                    let synced = match pending.earlier.take() {
                        Some(earlier) => earlier.synced.and(synced),
                        None => synced,
                    };
                    let synced = synced.within(echo_bytes_max);
                    if pending.later.is_empty() {
                        reply_synced(&pending.waiters, &synced, cx);
                    } else {
                        client.undecided += 1;
                        rest = Some(pending.rest(Earlier {
                            synced,
                            unkept: kept.unkept,
                            is_carried: kept.is_carried,
                        }));
                    }
                }
            }
            if authors.last() != Some(&author) {
                authors.push(author);
            }
        }
        if let Some(rest) = rest {
            self.pending.push_front(rest);
        }
        self.send_answers(answers, cx);
        if self.view.head > from {
            self.fan_out(from, &decided.records, &authors, cx);
        }
        self.trim_clients();
    }
}

impl SessionState {
    /// Jobs were put, or left out, by a commit that is durable.
    fn tell_of_jobs(&self, decided: &Decided, cx: &mut Context<'_>) {
        if decided.jobs > 0 {
            cx.note(Note::JobsPut(decided.jobs));
        }
        if let Some(due_ms) = decided.jobs_due_ms {
            cx.effect(Effect::RingForJobs(due_ms));
        }
        for cut in &decided.jobs_cut {
            cx.note(Note::JobCut(label(cut)));
        }
        if let Some(first) = decided.jobs_cut.first() {
            let (trigger, why) = (&first.trigger, first.why);
            let jobs = decided.jobs_cut.len();
            tracing::warn!(space = %self.space, jobs, %trigger, %why, "jobs were not made");
        }
    }
}

fn reply_synced(waiters: &[Waiter], synced: &Synced, cx: &mut Context<'_>) {
    for waiter in waiters {
        if let Waiter::Call(call) = waiter {
            cx.effect(Effect::Reply(*call, CallReply::Synced(synced.clone())));
        }
    }
}

/// The records a pending entry touches. What is set aside touches its record too: the device must
/// be told what that is.
fn keys(pending: &Pending) -> Vec<&RecordKey> {
    match &pending.asked {
        Asked::Mutation(mutation) => mutation_keys(mutation),
        Asked::Job(write) => mutation_keys(&write.mutation),
        Asked::Sync(changes) => {
            let keys = changes.iter().map(|change| change.key.as_ref());
            keys.flatten().collect()
        }
    }
}

fn mutation_keys(mutation: &Mutation) -> Vec<&RecordKey> {
    let changes = mutation.asked.iter().flatten();
    changes.map(|change| &change.key).collect()
}
