//! Judges a batch of mutations: merges each, whole or not at all, onto the records of one head
//! and forms the commit. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use syncline_compute::triggers::{Committed, Cut, CutWhy, Triggers};
use syncline_protocol::change::{self, ClaimedChange, Op};
use syncline_protocol::compat::cursor::Place;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::given::Given;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{self, Remembered, Status, Verdict, Winner};
use syncline_storage::jobs::{Ended, first_due_ms};
use syncline_storage::types::{Commit, EPOCH_APART_MS, MarkMove, SpaceView, Stood};

use super::Base;
use super::claims::Kept;
use super::following::{Author, Following};
use super::letters::Letters;
use super::working::Workings;
use crate::session::cache::known_bytes;
use crate::session::client::Client;
use crate::session::event::{JobWrite, NotEnded};
use crate::session::pending::{Asked, Pending};
use crate::session::synced::Synced;

/// A batch on its way through.
pub(super) struct Deciding {
    /// The view the records are of.
    view: SpaceView,
    /// The seq the commit will have if anything takes effect.
    pub(super) seq: Seq,
    /// The records as they were.
    base: Base,
    pub(super) limits: Limits,
    /// The records changed so far.
    dirty: BTreeMap<RecordKey, Arc<Record>>,
    pub(super) clock: Hlc,
    writers: WriterNo,
    given: HashMap<ClientKey, WriterNo>,
    outcomes: Vec<Outcome>,
    marks: BTreeMap<ClientKey, MarkMove>,
    /// Given stamps of clients without numbers, where this batch moved them.
    pub(super) given_stamps: HashMap<ClientKey, Arc<Given>>,
    pub(super) letters: Letters,
    /// Leases that end with what is written.
    ends: Vec<Ended>,
    following: Following,
    ties: usize,
}

/// A commit that was handed to the store, and what to do when it is durable.
#[derive(Debug)]
pub(in crate::session) struct Decided {
    /// The space afterwards.
    pub(super) view: SpaceView,
    /// The changed records.
    pub(super) records: Vec<(RecordKey, Arc<Record>)>,
    /// One for each mutation, in order.
    pub(super) outcomes: Vec<Outcome>,
    /// Writes of equal stamps and different values.
    pub(super) ties: usize,
    /// Dead letters that are not kept.
    pub(super) letters_left_out: usize,
    /// Jobs that the commit puts.
    pub(super) jobs: usize,
    /// When the first of them is due.
    pub(super) jobs_due_ms: Option<WallMs>,
    /// Jobs that were not made.
    pub(super) jobs_cut: Vec<Cut>,
}

impl Decided {
    /// How many mutations are in it.
    pub(in crate::session) fn count(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether jobs were left out because they are more than one commit may put.
    pub(super) fn puts_too_many_jobs(&self) -> bool {
        let mut cut = self.jobs_cut.iter();
        cut.any(|cut| matches!(cut.why, CutWhy::TooMany))
    }

    /// The places of those that end a lease, in the order of the commit's `ends`.
    pub(in crate::session) fn ending(&self) -> Vec<usize> {
        let places = self.outcomes.iter().enumerate();
        let ending = places.filter(|(_, one)| {
            matches!(
                one,
                Outcome::Job {
                    ended: Ok(()),
                    ends: true,
                    ..
                }
            )
        });
        ending.map(|(place, _)| place).collect()
    }
}

/// What became of one pending entry.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A mutation's verdict.
    Verdict {
        writer: WriterNo,
        m: u64,
        verdict: Verdict,
    },
    /// Whether what a job writes ends its lease, if it has one. Of what was refused nothing is
    /// remembered.
    Job {
        writer: Option<WriterNo>,
        ended: Result<(), NotEnded>,
        ends: bool,
    },
    /// A changeset's, and what is remembered of its client.
    Synced { synced: Synced, kept: Kept },
}

/// What one mutation did so far.
#[derive(Default)]
struct Trial {
    touched: Workings,
    winners: Vec<Winner>,
    changed: bool,
    clamped: bool,
    ties: usize,
}

impl Deciding {
    /// A batch on records that are current at `view`'s head.
    pub(super) fn new(
        view: SpaceView,
        base: Base,
        (limits, triggers): (Limits, Arc<Triggers>),
    ) -> Deciding {
        Deciding {
            view,
            seq: view.head.next(),
            base,
            limits,
            dirty: BTreeMap::new(),
            clock: view.clock,
            writers: view.writers,
            given: HashMap::new(),
            outcomes: Vec::new(),
            marks: BTreeMap::new(),
            given_stamps: HashMap::new(),
            letters: Letters::default(),
            ends: Vec::new(),
            following: Following::new(triggers),
            ties: 0,
        }
    }

    /// Judges the next pending entry.
    pub(super) fn judge(&mut self, pending: &Pending, client: &Client) {
        let outcome = match &pending.asked {
            Asked::Mutation(mutation) => self.mutation(pending, mutation, client),
            Asked::Sync(changes) => self.changeset(pending, changes, client),
            Asked::Job(write) => self.job(pending, write, client),
        };
        self.outcomes.push(outcome);
    }

    fn mutation(&mut self, pending: &Pending, mutation: &Mutation, client: &Client) -> Outcome {
        let writer = self.writer(&pending.client, client);
        let verdict = self.merged(mutation, writer, pending);
        let verdict = verdict.unwrap_or_else(|refusal| Verdict::rejected(refusal, self.view.head));
        let m = mutation.m;
        let remembered = Remembered {
            m,
            hash: mutation.hash,
            verdict: verdict.clone(),
        };
        // What this mutation follows, not what the session has learnt of the mark: a mutation
        // that another node decided meanwhile must conflict.
        let follows = (m > 1).then(|| m - 1);
        let mark = self.mark(&pending.client, writer, follows);
        mark.last = Some(m);
        mark.verdicts.push(remembered);
        Outcome::Verdict { writer, m, verdict }
    }

    fn job(&mut self, pending: &Pending, write: &JobWrite, client: &Client) -> Outcome {
        let ends = write.ended.is_some();
        let refused = |why| Outcome::Job {
            writer: None,
            ended: Err(why),
            ends,
        };
        // A store that was restored gives leases again: the other write is of a history that is lost.
        let lease = write.ended.as_ref().map(|ended| &ended.lease);
        if lease.is_some_and(|lease| self.ends.iter().any(|ended| ended.lease == *lease)) {
            return refused(NotEnded::LeaseLost);
        }
        let writers = self.writers_given();
        let writer = self.writer(&pending.client, client);
        if let Err(refusal) = self.merged(&write.mutation, writer, pending) {
            self.take_back_writers(&pending.client, writers);
            return refused(NotEnded::Rejected(refusal));
        }
        self.mark(&pending.client, writer, None);
        if !mutant(Mutant::WriteUnfenced) {
            self.ends.extend(write.ended.clone());
        }
        Outcome::Job {
            writer: Some(writer),
            ended: Ok(()),
            ends,
        }
    }

    /// Merges what has to be merged whole. Of what is refused nothing is left.
    fn merged(
        &mut self,
        mutation: &Mutation,
        writer: WriterNo,
        pending: &Pending,
    ) -> Result<Verdict, Refusal> {
        let clock = self.clock;
        let changes = mutation.asked.as_ref().map_err(Refusal::clone);
        let verdict = changes.and_then(|changes| {
            self.check_touched(changes)?;
            self.try_changes(changes, writer, pending)
        });
        verdict.inspect_err(|_| self.clock = clock)
    }

    /// The client's mark in this commit.
    pub(super) fn mark(
        &mut self,
        key: &ClientKey,
        writer: WriterNo,
        expect_last: Option<u64>,
    ) -> &mut MarkMove {
        self.marks.entry(key.clone()).or_insert_with(|| MarkMove {
            client: key.clone(),
            writer,
            expect_last,
            expect_given: None,
            last: None,
            given: None,
            verdicts: Vec::new(),
        })
    }

    /// The client's number in the space, a new one at its first commit.
    pub(super) fn writer(&mut self, key: &ClientKey, client: &Client) -> WriterNo {
        if let Some(writer) = client.writer {
            // A store that lost commits may know fewer; none of them is given again.
            self.writers = self.writers.max(writer);
            return writer;
        }
        *self.given.entry(key.clone()).or_insert_with(|| {
            self.writers = WriterNo(self.writers.0 + 1);
            self.writers
        })
    }

    /// The history that is written to.
    pub(super) fn epoch(&self) -> Epoch {
        self.view.epoch
    }

    /// When everything of the space was erased last, to the minute.
    pub(super) fn erased_at_ms(&self) -> Option<WallMs> {
        self.view.erased.minute_ms()
    }

    /// From when on what is made is surely made after the last erasure: its very time, as long as
    /// its epoch lasts.
    pub(super) fn since_erasure_ms(&self) -> Option<WallMs> {
        let minute_ms = self.erased_at_ms()?;
        let passed_ms = minute_ms + EPOCH_APART_MS;
        let given_ms = self.view.epoch_at_ms;
        let lasts = (minute_ms..passed_ms).contains(&given_ms);
        Some(if lasts { given_ms } else { passed_ms })
    }

    /// Where the space is.
    pub(super) fn place(&self) -> Place {
        self.view.place()
    }

    /// Which numbers were given so far.
    pub(super) fn writers_given(&self) -> WriterNo {
        self.writers
    }

    /// Takes back the number of a client that did nothing with it.
    pub(super) fn take_back_writers(&mut self, key: &ClientKey, before: WriterNo) {
        if self.writers > before && !self.marks.contains_key(key) {
            self.given.remove(key);
            self.writers = before;
        }
    }

    fn try_changes(
        &mut self,
        changes: &[ClaimedChange],
        writer: WriterNo,
        pending: &Pending,
    ) -> Result<Verdict, Refusal> {
        let taken_at_ms = pending.taken_at_ms;
        let mut trial = Trial::default();
        let mut budget = verdict::WINNERS_BUDGET;
        for change in changes {
            self.try_change((change, writer, taken_at_ms), &mut trial, &mut budget)?;
        }
        self.keep(trial.touched, trial.ties, pending);
        if mutant(Mutant::DropSupersededWinner) && !trial.changed {
            trial.winners.clear();
        }
        Ok(Verdict {
            status: if trial.changed {
                Status::Applied
            } else {
                Status::Superseded
            },
            seq: self.view.head,
            winners: trial.winners,
            clamped: trial.clamped,
        })
    }

    /// Refuses a mutation that touches more than can be held at once. Records that are not
    /// there were not read, because it does.
    fn check_touched(&self, changes: &[ClaimedChange]) -> Result<(), Refusal> {
        let bytes_max = self.limits.mutation_bytes_max;
        let too_large = || {
            let message = format!("it touches records of more than {bytes_max} bytes; split it");
            Refusal::new(Code::MutationTooLarge, message)
        };
        let (mut bytes, mut seen) = (0, HashSet::with_capacity(changes.len()));
        for change in changes.iter().filter(|change| seen.insert(&change.key)) {
            bytes += known_bytes(self.base.get(&change.key).ok_or_else(too_large)?);
        }
        if bytes > bytes_max {
            return Err(too_large());
        }
        Ok(())
    }

    fn try_change(
        &mut self,
        (change, writer, taken_at_ms): (&ClaimedChange, WriterNo, WallMs),
        trial: &mut Trial,
        budget: &mut usize,
    ) -> Result<(), Refusal> {
        let key = &change.key;
        let before = self.current(key).cloned();
        let working = trial.touched.of(key, before.as_ref());
        let inserts = matches!(change.op, Op::Insert { .. });
        if !inserts && working.record.inserted.is_none() {
            let message = format!("{key} was never inserted, or was collected");
            return Err(Refusal::new(Code::RecordUnknown, message));
        }
        let taken = (writer, taken_at_ms);
        let stamped = change::stamp(change, &working.record, taken, &mut self.clock);
        trial.clamped |= stamped.clamped;
        let merged = working.merge(&stamped.change, self.seq, &self.limits)?;
        if !merged.lost.is_empty() {
            let winner = verdict::winner(key, &working.record, &merged.lost, budget);
            trial.winners.push(winner);
        }
        trial.changed |= merged.changed;
        trial.ties += merged.ties;
        Ok(())
    }

    /// The record as this batch has it so far.
    pub(super) fn current(&self, key: &RecordKey) -> Option<&Arc<Record>> {
        self.dirty
            .get(key)
            .or_else(|| self.base.get(key).and_then(Option::as_ref))
    }

    /// Takes over what a mutation or a changeset made of records.
    pub(super) fn keep(&mut self, touched: Workings, ties: usize, pending: &Pending) {
        self.ties += ties;
        let author = Author {
            user: pending.client.user.clone(),
            depth: pending.depth,
        };
        for (key, record) in touched.changed() {
            self.following.changed(&key, &author);
            self.dirty.insert(key, record);
        }
    }

    /// The commit, if there is anything to commit, and what follows from it.
    pub(super) fn finish(mut self, space: SpaceKey, now_ms: WallMs) -> (Decided, Option<Commit>) {
        let head = if self.dirty.is_empty() {
            self.view.head
        } else {
            self.seq
        };
        let live = self.live_after();
        for outcome in &mut self.outcomes {
            if let Outcome::Verdict { verdict, .. } = outcome {
                verdict.seq = head;
            }
        }
        for mark in self.marks.values_mut() {
            mark.verdicts
                .iter_mut()
                .for_each(|remembered| remembered.verdict.seq = head);
        }
        if mutant(Mutant::SkipMark) {
            self.marks.clear();
        }
        let fired = self.following.jobs(
            (&self.base, &self.dirty),
            Committed {
                space: &space,
                epoch: self.view.epoch,
                seq: self.seq,
                now_ms,
                changed: &[],
            },
        );
        let records: Vec<(RecordKey, Arc<Record>)> = self.dirty.into_iter().collect();
        let base = &self.base;
        let stood = records.iter().map(|(key, _)| {
            let before = base.get(key).and_then(Option::as_deref);
            Stood::of(before)
        });
        let view = SpaceView {
            head,
            clock: self.clock,
            live,
            writers: self.writers,
            ..self.view
        };
        let commit = Commit {
            space,
            expect_epoch: self.view.epoch,
            expect_head: self.view.head,
            head,
            clock: self.clock,
            live,
            writers: self.writers,
            now_ms,
            stood: stood.collect(),
            records: records.clone(),
            marks: self.marks.into_values().collect(),
            dead_letters: self.letters.take(),
            ends: self.ends,
            jobs: fired.moves,
        };
        // Jobs are of records.
        let empty = commit.records.is_empty()
            && commit.marks.is_empty()
            && commit.ends.is_empty()
            && commit.dead_letters.is_empty();
        let view = if empty { self.view } else { view };
        (
            Decided {
                view,
                records,
                outcomes: self.outcomes,
                ties: self.ties,
                letters_left_out: self.letters.left_out,
                jobs: commit.jobs.len(),
                jobs_due_ms: first_due_ms(&commit.ends, &commit.jobs),
                jobs_cut: fired.cut,
            },
            (!empty).then_some(commit),
        )
    }

    fn live_after(&self) -> u64 {
        let was_live = |key| {
            self.base
                .get(key)
                .and_then(Option::as_ref)
                .is_some_and(|r| r.is_live())
        };
        let moved = self
            .dirty
            .iter()
            .map(|(key, record)| i64::from(record.is_live()) - i64::from(was_live(key)));
        self.view.live.saturating_add_signed(moved.sum())
    }
}
