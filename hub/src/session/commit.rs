//! The commit in flight: records are gathered, mutations merged, the outcome taken in.

pub(super) mod decide;
mod decide_sync;

use std::collections::HashMap;

use syncline_protocol::change::ClaimedChange;
use syncline_protocol::ids::{ClientKey, RecordKey};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::wire::hub::Answer;
use syncline_storage::types::{CommitError, RecordsRead, StoreError};

use self::decide::{Decided, Deciding, Outcome};
use super::cache::Known;
use super::event::{CallReply, Effect, Note, Synced, Waiter};
use super::fanout::Answers;
use super::state::{Asked, Context, Pending, SessionState, Work};
use crate::telemetry::labels::VerdictStatus;

/// A batch whose records are being read: the first `count` pending mutations.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) count: usize,
    pub(super) base: Base,
}

/// Records as of the session's head.
pub(super) type Base = HashMap<RecordKey, Known>;

impl SessionState {
    /// Forms the next commit from what is pending. Records the cache does not hold are read
    /// first.
    pub(super) fn plan(&mut self, cx: &mut Context<'_>) {
        let count = self.batch_len();
        let mut base = Base::new();
        let mut missing = Vec::new();
        for key in self.pending.iter().take(count).flat_map(keys) {
            if base.contains_key(key) {
                continue;
            }
            match cx.cache.get(self.activation, key) {
                Some(known) => drop(base.insert(key.clone(), known)),
                None => {
                    base.insert(key.clone(), None);
                    missing.push(key.clone());
                }
            }
        }
        let loading = Loading { count, base };
        if missing.is_empty() {
            self.decide(loading, cx);
        } else {
            self.work = Work::Loading(Box::new(loading));
            cx.effect(Effect::ReadRecords(missing));
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
            .take(self.limits.commit_mutations_max)
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
                tracing::warn!(space = %self.space, %error, "records could not be read");
                return self.back_off(cx);
            }
        };
        // Only what is current at the very head the commit will expect may be merged onto.
        let behind = read.view.epoch != self.view.epoch || read.view.head > self.view.head;
        if behind || read.view.head < self.view.head {
            self.stale |= behind;
            return;
        }
        for (key, record) in keys.into_iter().zip(read.records) {
            let known = record.map(std::sync::Arc::new);
            cx.cache.put(self.activation, key.clone(), known.clone());
            loading.base.insert(key, known);
        }
        self.decide(*loading, cx);
    }

    fn decide(&mut self, loading: Loading, cx: &mut Context<'_>) {
        let Loading { count, base } = loading;
        let mut deciding = Deciding::new(self.view, base, self.limits.data);
        for pending in self.pending.iter().take(count) {
            let client = self
                .clients
                .get(&pending.client)
                .cloned()
                .unwrap_or_default();
            deciding.judge(pending, &client);
        }
        let (decided, commit) = deciding.finish(self.space.clone(), cx.now_ms);
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
                self.take_in(*decided, cx);
            }
            Err(CommitError::Conflict) => {
                cx.note(Note::Conflict);
                self.stale = true;
                self.failures += 1;
                if self.failures > 1 {
                    self.back_off(cx);
                }
            }
            Err(CommitError::Store(error)) => {
                // Committed or not: the marks tell when the store is read again.
                tracing::warn!(space = %self.space, %error, "commit outcome unknown");
                self.back_off(cx);
            }
        }
    }

    /// A commit is durable: only now do the view, the cache, the clients and the devices learn
    /// of it.
    fn take_in(&mut self, decided: Decided, cx: &mut Context<'_>) {
        let from = self.view.head;
        self.view = decided.view;
        for (key, record) in &decided.records {
            cx.cache
                .put(self.activation, key.clone(), Some(record.clone()));
        }
        (0..decided.ties).for_each(|_| cx.note(Note::Tie));
        let mut answers = Answers::default();
        let mut authors: Vec<ClientKey> = Vec::new();
        for outcome in decided.outcomes {
            let Some(pending) = self.pending.pop_front() else {
                break;
            };
            let client = self.client(&pending.client);
            client.undecided = client.undecided.saturating_sub(1);
            match outcome {
                Outcome::Verdict { writer, m, verdict } => {
                    client.writer = Some(writer);
                    client.decided = Some(m);
                    let answer = Answer::Verdict(verdict);
                    cx.note(Note::Verdict(VerdictStatus::from(&answer)));
                    answers.add(&pending.waiters, &pending.client, m, &answer);
                }
                Outcome::Synced { synced, clamped } => {
                    client.writer = synced.writer.or(client.writer);
                    client.learn_clamped(clamped);
                    reply_synced(&pending.waiters, &synced, cx);
                }
            }
            if authors.last() != Some(&pending.client) {
                authors.push(pending.client);
            }
        }
        self.send_answers(answers, cx);
        if self.view.head > from {
            self.fan_out(from, &decided.records, &authors, cx);
        }
        self.trim_clients();
    }
}

fn reply_synced(waiters: &[Waiter], synced: &Synced, cx: &mut Context<'_>) {
    for waiter in waiters {
        if let Waiter::Call(call) = waiter {
            cx.effect(Effect::Reply(*call, CallReply::Synced(synced.clone())));
        }
    }
}

/// The records a pending entry touches.
fn keys(pending: &Pending) -> Vec<&RecordKey> {
    let asked: Vec<&ClaimedChange> = match &pending.asked {
        Asked::Mutation(mutation) => mutation.asked.iter().flatten().collect(),
        Asked::Sync(changes) => changes
            .iter()
            .filter_map(|c| c.asked.as_ref().ok())
            .collect(),
    };
    asked.into_iter().map(|change| &change.key).collect()
}
