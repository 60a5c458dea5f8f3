//! The contract of a store in its simplest form: in memory, synchronous, without durability.
//!
//! It is what the simulation runs on and what the engines are compared with. Nothing in
//! production uses it.

mod jobs;
mod ledger;

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::codec::encode_record;
use syncline_protocol::ids::{
    ClientKey, Epoch, RecordKey, Seq, SpaceId, SpaceKey, TableName, WriterNo,
};
use syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Mark, Remembered};

use self::jobs::{Row, Turns};
use self::ledger::Ledger;
use crate::jobs::{JobKey, JobKind};
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, DEAD_LETTERS_MAX, DeadLetter,
    EPOCH_APART_MS, Erased, Holdings, Keys, MarksRead, PageLimit, RecordsRead, SnapshotPage,
    SpaceView, StoreError, VerdictsRead, epoch_after, epoch_after_erasure,
};

/// A store in memory. A clone is a backup.
#[derive(Clone, Debug, Default)]
pub struct ModelStore {
    spaces: BTreeMap<SpaceKey, Space>,
    /// The next epoch; every space and every change takes another.
    epochs: u64,
    turns: Turns,
    ledger: Ledger,
}

#[derive(Clone, Debug)]
struct Space {
    view: SpaceView,
    records: BTreeMap<RecordKey, Arc<Record>>,
    /// When records were found dead, of those that collecting would change.
    dead_at_ms: BTreeMap<RecordKey, WallMs>,
    clients: BTreeMap<ClientKey, Mark>,
    /// When clients were last used, of those that have a last number.
    used_at_ms: BTreeMap<ClientKey, WallMs>,
    verdicts: BTreeMap<(WriterNo, u64), Remembered>,
    dead_letters: Vec<DeadLetter>,
    jobs: BTreeMap<(JobKind, JobKey), Row>,
}

impl ModelStore {
    /// An empty store whose epochs begin after `seed`.
    pub fn new(seed: u64) -> ModelStore {
        ModelStore {
            spaces: BTreeMap::new(),
            epochs: seed,
            turns: Turns::default(),
            ledger: Ledger::default(),
        }
    }

    fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }

    fn at(&self, space: &SpaceKey) -> Result<&Space, StoreError> {
        let unknown = || StoreError::Unavailable(format!("space {space} was never opened"));
        self.spaces.get(space).ok_or_else(unknown)
    }

    /// See [`crate::Store::open_space`].
    pub fn open_space(&mut self, space: &SpaceKey, now_ms: WallMs) -> SpaceView {
        if let Some(space) = self.spaces.get(space) {
            return space.view;
        }
        let view = SpaceView {
            epoch: self.next_epoch(),
            epoch_at_ms: now_ms,
            lost_at_ms: 0,
            erased: Erased::NEVER,
            head: Seq(0),
            gc_seq: Seq(0),
            swept: Seq(0),
            clock: Hlc::default(),
            live: 0,
            writers: WriterNo(0),
        };
        self.spaces.insert(space.clone(), Space::empty(view));
        view
    }

    /// See [`crate::Store::space`].
    pub fn space(&self, space: &SpaceKey) -> Option<SpaceView> {
        self.spaces.get(space).map(|space| space.view)
    }

    /// See [`crate::Store::marks`].
    pub fn marks(&self, space: &SpaceKey, clients: &[ClientKey]) -> Result<MarksRead, StoreError> {
        let space = self.at(space)?;
        let marks = clients
            .iter()
            .map(|client| space.clients.get(client).cloned())
            .collect();
        Ok(MarksRead {
            view: space.view,
            marks,
        })
    }

    /// See [`crate::Store::verdicts`].
    pub fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        let space = self.at(space)?;
        let verdicts = ms
            .iter()
            .map(|m| space.verdicts.get(&(writer, *m)).cloned())
            .collect();
        Ok(VerdictsRead {
            view: space.view,
            verdicts,
        })
    }

    /// See [`crate::Store::records`].
    pub fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        let space = self.at(space)?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        for key in keys {
            let record = space.records.get(key);
            bytes += record.map_or(0, |record| encode_record(record).len());
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.push(record.map(|record| Record::clone(record)));
        }
        let view = space.view;
        Ok(RecordsRead { view, records })
    }

    /// See [`crate::Store::changes`].
    pub fn changes(
        &self,
        space: &SpaceKey,
        after: &After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.changes_where(space, |_| true, (after, limit))
    }

    /// See [`crate::Store::changes_of`].
    pub fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: &After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.changes_where(space, |key| key.table == *table, (after, limit))
    }

    fn changes_where(
        &self,
        space: &SpaceKey,
        is_wanted: impl Fn(&RecordKey) -> bool,
        (after, limit): (&After, PageLimit),
    ) -> Result<ChangesPage, StoreError> {
        let space = self.at(space)?;
        let is_new = |key: &RecordKey, seq: Seq| match &after.key {
            Some(known) => (seq, key) > (after.seq, known),
            None => seq > after.seq,
        };
        let mut changed: Vec<(&RecordKey, &Arc<Record>)> = space
            .records
            .iter()
            .filter(|(key, record)| is_wanted(key) && is_new(key, record.seq))
            .collect();
        changed.sort_by_key(|(key, record)| (record.seq, *key));
        let (mut to, mut inside) = (space.view.head, None);
        let fits = fitting(changed.iter().map(|(_, record)| *record), limit).max(1);
        if let Some((_, left_out)) = changed.get(fits) {
            let (first, cut_at) = (changed[0].1.seq, left_out.seq);
            changed.truncate(fits);
            if cut_at == first {
                to = Seq(cut_at.0 - 1);
                inside = changed.last().map(|(key, _)| (*key).clone());
            } else {
                changed.retain(|(_, record)| record.seq < cut_at);
                to = changed.last().map_or(to, |(_, record)| record.seq);
            }
        }
        let records: Vec<_> = changed
            .into_iter()
            .map(|(key, record)| (key.clone(), Record::clone(record)))
            .collect();
        Ok(ChangesPage {
            view: space.view,
            to,
            inside,
            writers: space.writers(&records),
            records,
        })
    }

    /// See [`crate::Store::snapshot`].
    pub fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        let space = self.at(space)?;
        let wanted = |key: &RecordKey| {
            after.is_none_or(|after| key > after)
                && tables.is_none_or(|tables| tables.contains(&key.table))
        };
        let live = space
            .records
            .iter()
            .filter(|(key, record)| record.is_live() && wanted(key));
        let live: Vec<(&RecordKey, &Arc<Record>)> = live.collect();
        let fits = fitting(live.iter().map(|(_, record)| *record), limit).max(1);
        let records: Vec<_> = live
            .iter()
            .take(fits)
            .map(|(key, record)| ((*key).clone(), Record::clone(record)))
            .collect();
        Ok(SnapshotPage {
            view: space.view,
            writers: space.writers(&records),
            more: records.len() < live.len(),
            records,
        })
    }

    /// See [`crate::Store::commit`], for one commit.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), CommitError> {
        let Some(space) = self.spaces.get_mut(&commit.space) else {
            return Err(CommitError::Conflict);
        };
        let expected = (commit.expect_epoch, commit.expect_head);
        if (space.view.epoch, space.view.head) != expected || space.view.writers > commit.writers {
            return Err(CommitError::Conflict);
        }
        for moved in &commit.marks {
            let stored = space.clients.get(&moved.client);
            let given = space.view.writers;
            let writer_fits =
                stored.map_or(moved.writer > given, |mark| mark.writer == moved.writer);
            let given = stored.and_then(|mark| mark.given.as_ref());
            let given = given.map_or(0, |given| given.count);
            let given_fits = moved.expect_given.is_none_or(|expected| expected == given);
            let last_fits = stored.and_then(|mark| mark.last) == moved.expect_last;
            if !(last_fits && writer_fits && given_fits) {
                return Err(CommitError::Conflict);
            }
        }
        let lost = self.lost(&commit.ends);
        if !lost.is_empty() {
            return Err(CommitError::LeasesLost(lost));
        }
        let space = self.spaces.get_mut(&commit.space).expect("it was found");
        space.apply(commit);
        for ended in &commit.ends {
            let held = self.finish_one(ended, commit.now_ms);
            held.expect("it was looked whether it is held, and each is there once");
        }
        self.move_jobs(commit);
        Ok(())
    }

    /// See [`crate::Store::new_epoch`].
    pub fn new_epoch(
        &mut self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        let random = self.next_epoch().0;
        let unknown = || StoreError::Unavailable(format!("space {space} was never opened"));
        let view = &mut self.spaces.get_mut(space).ok_or_else(unknown)?.view;
        if view.epoch == expected {
            let at_ms = now_ms.max(view.epoch_at_ms + EPOCH_APART_MS);
            view.epoch = epoch_after(expected, random);
            (view.epoch_at_ms, view.lost_at_ms) = (at_ms, now_ms);
        }
        Ok(*view)
    }

    /// See [`crate::Store::dead_letters`].
    pub fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let letters = &self.at(space)?.dead_letters;
        Ok(letters.iter().rev().take(limit).cloned().collect())
    }

    /// See [`crate::Store::spaces`].
    pub fn spaces(&self, after: Option<&SpaceKey>, limit: usize) -> Vec<SpaceKey> {
        let spaces = self.spaces.keys();
        let after = spaces.filter(|space| after.is_none_or(|after| *space > after));
        after.take(limit).cloned().collect()
    }

    /// See [`crate::Store::collect`].
    pub fn collect(&mut self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        let unknown = || StoreError::Unavailable(format!("space {space} was never opened"));
        let space = self.spaces.get_mut(space).ok_or_else(unknown)?;
        let (mut dead, mut more_dead) =
            oldest(&space.dead_at_ms, collect.dead_before_ms, collect.limit);
        let sizes = dead.iter().map(|key| space.stored_bytes(key));
        let fit = collect.fit(sizes);
        more_dead |= fit < dead.len();
        dead.truncate(fit);
        let (unused, more) = oldest(&space.used_at_ms, collect.marks_before_ms, collect.limit);
        for key in &dead {
            space.dead_at_ms.remove(key);
            space.collect_record(key, collect.keys);
        }
        if !dead.is_empty() {
            space.view.head = space.view.head.next();
            space.view.swept = space.view.head;
        }
        for client in &unused {
            space.used_at_ms.remove(client);
            space.forget_numbers(client);
        }
        Ok(Collected {
            view: space.view,
            tombstones: dead.len(),
            marks: unused.len(),
            more: more_dead || more,
        })
    }

    /// See [`crate::Store::forget_unwritten`].
    pub fn forget_unwritten(&mut self, space: &SpaceKey, before_ms: WallMs) -> bool {
        let goes = |space: &Space| {
            let is_empty =
                space.view.is_unwritten() && space.dead_letters.is_empty() && space.jobs.is_empty();
            is_empty && space.view.epoch_at_ms < before_ms
        };
        self.spaces.get(space).is_some_and(goes) && self.spaces.remove(space).is_some()
    }

    /// See [`crate::Store::spaces_named`].
    pub fn spaces_named(&self, name: &SpaceId) -> Vec<SpaceKey> {
        let spaces = self.spaces.keys().filter(|space| space.space == *name);
        spaces.cloned().collect()
    }

    /// See [`crate::Store::holdings`].
    pub fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        Ok(self.at(space)?.holdings())
    }

    /// See [`crate::Store::erase`].
    pub fn erase(&mut self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        let random = self.next_epoch().0;
        let unknown = || StoreError::Unavailable(format!("space {space} was never opened"));
        let space = self.spaces.get_mut(space).ok_or_else(unknown)?;
        let mut holdings = space.holdings();
        let at_ms = now_ms.max(space.view.epoch_at_ms + EPOCH_APART_MS);
        let view = SpaceView {
            epoch: epoch_after_erasure(space.view.epoch, random),
            epoch_at_ms: at_ms,
            erased: Erased::at(at_ms),
            gc_seq: space.view.head,
            swept: space.view.head,
            live: 0,
            ..space.view
        };
        *space = Space::empty(view);
        holdings.view = view;
        Ok(holdings)
    }

    /// Raises `gc_seq`, as if tombstones up to it were collected.
    pub fn raise_gc_seq(&mut self, space: &SpaceKey, to: Seq) {
        if let Some(space) = self.spaces.get_mut(space) {
            space.view.gc_seq = space.view.gc_seq.max(to);
        }
    }

    /// Every record of a space, live or dead.
    pub fn all(&self, space: &SpaceKey) -> BTreeMap<RecordKey, Arc<Record>> {
        self.spaces
            .get(space)
            .map(|space| space.records.clone())
            .unwrap_or_default()
    }
}

/// The first of what is older than a time, at most `limit`, and whether there are more.
fn oldest<K: Clone + Ord>(
    aged: &BTreeMap<K, WallMs>,
    before_ms: WallMs,
    limit: usize,
) -> (Vec<K>, bool) {
    let old = aged.iter().filter(|(_, at_ms)| **at_ms < before_ms);
    let mut old: Vec<(WallMs, K)> = old.map(|(key, at_ms)| (*at_ms, key.clone())).collect();
    old.sort();
    let more = old.len() > limit;
    (
        old.into_iter().take(limit).map(|(_, key)| key).collect(),
        more,
    )
}

/// How many records, from the first on, fit a page.
fn fitting<'a>(records: impl Iterator<Item = &'a Arc<Record>>, limit: PageLimit) -> usize {
    let mut bytes = 0usize;
    records
        .take(limit.records)
        .take_while(|record| {
            bytes = bytes.saturating_add(encode_record(record).len());
            bytes <= limit.bytes
        })
        .count()
}

impl Space {
    fn empty(view: SpaceView) -> Space {
        Space {
            view,
            records: BTreeMap::new(),
            dead_at_ms: BTreeMap::new(),
            clients: BTreeMap::new(),
            used_at_ms: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            dead_letters: Vec::new(),
            jobs: BTreeMap::new(),
        }
    }

    fn holdings(&self) -> Holdings {
        let mut tables: BTreeMap<TableName, u64> = BTreeMap::new();
        for (key, _) in self.records.iter().filter(|(_, record)| record.is_live()) {
            *tables.entry(key.table.clone()).or_default() += 1;
        }
        Holdings {
            view: self.view,
            tables: tables.into_iter().collect(),
            records: self.records.len() as u64,
            clients: self.clients.len() as u64,
            dead_letters: self.dead_letters.len() as u64,
            jobs: self.jobs.len() as u64,
            is_exact: true,
        }
    }

    fn apply(&mut self, commit: &Commit) {
        self.view.head = commit.head;
        self.view.clock = self.view.clock.max(commit.clock);
        self.view.live = commit.live;
        self.view.writers = commit.writers;
        for (key, record) in &commit.records {
            self.records.insert(key.clone(), record.clone());
            self.dead_at_ms.remove(key);
            if !record.is_live() {
                self.dead_at_ms.insert(key.clone(), commit.now_ms);
            }
        }
        for letter in &commit.dead_letters {
            let same = |kept: &DeadLetter| {
                (&kept.client, &kept.change) == (&letter.client, &letter.change)
            };
            if !self.dead_letters.iter().any(same) {
                let at_ms = commit.now_ms;
                self.dead_letters.push(DeadLetter {
                    at_ms,
                    ..letter.clone()
                });
            }
        }
        let past = self.dead_letters.len().saturating_sub(DEAD_LETTERS_MAX);
        self.dead_letters.drain(..past);
        for moved in &commit.marks {
            let stored = self.clients.get(&moved.client);
            let mark = Mark {
                writer: moved.writer,
                last: moved.last.or(stored.and_then(|mark| mark.last)),
                given: moved
                    .given
                    .clone()
                    .or_else(|| stored.and_then(|mark| mark.given.clone())),
            };
            if mark.last.is_some() {
                self.used_at_ms.insert(moved.client.clone(), commit.now_ms);
            }
            self.clients.insert(moved.client.clone(), mark);
            for remembered in &moved.verdicts {
                self.verdicts
                    .insert((moved.writer, remembered.m), remembered.clone());
                if let Some(old) = remembered.m.checked_sub(MUTATIONS_IN_FLIGHT_MAX as u64) {
                    self.verdicts.remove(&(moved.writer, old));
                }
            }
        }
    }

    fn stored_bytes(&self, key: &RecordKey) -> usize {
        let stored = self.records.get(key);
        stored.map_or(0, |record| encode_record(record).len())
    }

    fn collect_record(&mut self, key: &RecordKey, keys: Keys) {
        match keys {
            Keys::Remove => {
                let removed = self.records.remove(key).map(|record| record.seq);
                self.view.gc_seq = self.view.gc_seq.max(removed.unwrap_or_default());
            }
            Keys::Keep => {
                if let Some(record) = self.records.get_mut(key) {
                    Arc::make_mut(record).fields.clear();
                }
            }
        }
    }

    fn forget_numbers(&mut self, client: &ClientKey) {
        if let Some(mark) = self.clients.get_mut(client) {
            mark.last = None;
            let writer = mark.writer;
            self.verdicts.retain(|(of, _), _| *of != writer);
        }
    }

    fn writers(
        &self,
        records: &[(RecordKey, Record)],
    ) -> Vec<(WriterNo, syncline_protocol::ids::ClientId)> {
        let named = |writer: WriterNo| {
            let found = self
                .clients
                .iter()
                .find(|(_, mark)| mark.writer == writer)?;
            Some((writer, found.0.client.clone()))
        };
        let mut writers: Vec<WriterNo> = records.iter().map(|(_, record)| record.by).collect();
        writers.sort_unstable();
        writers.dedup();
        writers.into_iter().filter_map(named).collect()
    }
}

#[cfg(test)]
mod tests;
