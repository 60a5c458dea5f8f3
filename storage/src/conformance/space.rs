//! A space under test: drafts commits that fit it and follows them.

use std::sync::Arc;

use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName,
    UserId, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::{Mark, Remembered, Status, Verdict};

use crate::Store;
use crate::types::{
    After, ChangesPage, Commit, CommitError, MarkMove, PageLimit, SnapshotPage, SpaceView,
};

/// The hub's clock in every behaviour.
pub(crate) const NOW: WallMs = 1_795_514_400_000;

/// A limit nothing here reaches.
pub(crate) const UNLIMITED: PageLimit = records(usize::MAX);

/// A limit of records alone.
pub(crate) const fn records(records: usize) -> PageLimit {
    PageLimit {
        records,
        bytes: usize::MAX,
    }
}

pub(crate) fn space_key(app: &str, space: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted(app),
        space: SpaceId::trusted(space),
    }
}

pub(crate) fn client(user: &str, client: &str) -> ClientKey {
    ClientKey {
        user: UserId::trusted(user),
        client: ClientId::trusted(client),
    }
}

pub(crate) fn key(table: &str, id: &str) -> RecordKey {
    RecordKey {
        table: TableName::trusted(table),
        id: RecordId::trusted(id),
    }
}

/// A stamp of the space's `n`-th millisecond.
pub(crate) fn stamp(n: u64, writer: u32) -> Stamp {
    Stamp {
        at: Hlc::new(NOW + n, 0),
        writer: WriterNo(writer),
    }
}

/// A live record of one field `title`.
pub(crate) fn titled(title: &str, by: u32) -> Record {
    let inserted = stamp(1, by);
    Record {
        inserted: Some(inserted),
        by: WriterNo(by),
        fields: vec![Field {
            name: FieldName::trusted("title"),
            value: Json::trusted(&format!("\"{title}\"")),
            stamp: inserted,
            seq: Seq(0),
        }],
        ..Record::default()
    }
}

/// A record that was inserted and deleted.
pub(crate) fn tombstone(by: u32) -> Record {
    Record {
        inserted: Some(stamp(1, by)),
        deleted: Some(stamp(2, by)),
        by: WriterNo(by),
        ..Record::default()
    }
}

/// A verdict without winners.
pub(crate) fn verdict(status: Status, seq: Seq) -> Verdict {
    Verdict {
        status,
        seq,
        winners: Vec::new(),
        clamped: false,
    }
}

/// The verdict of a mutation that was applied.
pub(crate) fn applied(m: u64) -> Remembered {
    Remembered {
        m,
        hash: [m as u8; 32],
        verdict: verdict(Status::Applied, Seq(m)),
    }
}

/// A space of a store, as its last commit left it.
pub(crate) struct Space<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) key: SpaceKey,
    pub(crate) view: SpaceView,
}

impl<'s> Space<'s> {
    /// The space most behaviours use.
    pub(crate) async fn open(store: &'s dyn Store) -> Space<'s> {
        Space::open_named(store, "todo", "ada").await
    }

    pub(crate) async fn open_named(store: &'s dyn Store, app: &str, space: &str) -> Space<'s> {
        let key = space_key(app, space);
        let view = store.open_space(&key, NOW).await.expect("it opens");
        Space { store, key, view }
    }

    /// A commit that fits the space: the next head if it has records, else the same one.
    /// Records get its seq, and live ones count as new.
    pub(crate) fn draft(&self, records: Vec<(RecordKey, Record)>) -> Commit {
        let view = &self.view;
        let head = match records.is_empty() {
            true => view.head,
            false => view.head.next(),
        };
        let live = records
            .iter()
            .filter(|(_, record)| record.is_live())
            .count();
        Commit {
            space: self.key.clone(),
            expect_epoch: view.epoch,
            expect_head: view.head,
            head,
            clock: view.clock,
            live: view.live + live as u64,
            writers: view.writers,
            now_ms: NOW,
            records: records
                .into_iter()
                .map(|(key, record)| {
                    (
                        key,
                        Arc::new(Record {
                            seq: head,
                            ..record
                        }),
                    )
                })
                .collect(),
            stood: Vec::new(),
            marks: Vec::new(),
            dead_letters: Vec::new(),
            ends: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// A draft that also moves a client's mark, which gives the client a number if it is new.
    pub(crate) fn marked(
        &self,
        records: Vec<(RecordKey, Record)>,
        client: &ClientKey,
        mark: Option<Mark>,
    ) -> Commit {
        let mut commit = self.draft(records);
        let last = mark.as_ref().and_then(|mark| mark.last);
        let writer = mark.map_or(WriterNo(self.view.writers.0 + 1), |mark| mark.writer);
        let m = last.unwrap_or(0) + 1;
        commit.writers = commit.writers.max(writer);
        commit.marks = vec![MarkMove {
            client: client.clone(),
            writer,
            expect_last: last,
            expect_given: None,
            last: Some(m),
            given: None,
            verdicts: vec![applied(m)],
        }];
        commit
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let mut answers = self.store.commit(vec![commit]).await;
        assert_eq!(answers.len(), 1, "one answer a commit");
        answers.remove(0)
    }

    /// Commits what must be accepted.
    pub(crate) async fn accept(&mut self, commit: Commit) {
        self.commit(commit).await.expect("the commit fits");
        self.refresh().await;
    }

    /// Hands in what must conflict.
    pub(crate) async fn conflict(&self, commit: Commit) {
        assert_eq!(self.commit(commit).await, Err(CommitError::Conflict));
    }

    pub(crate) async fn refresh(&mut self) {
        self.view = self.now().await;
    }

    /// The space as the store has it.
    pub(crate) async fn now(&self) -> SpaceView {
        let view = self.store.space(&self.key).await.expect("it is read");
        view.expect("it was opened")
    }

    /// Commits live records, all in one commit.
    pub(crate) async fn put(&mut self, keys: &[(&str, &str)]) {
        let records = keys
            .iter()
            .map(|(table, id)| (key(table, id), titled(id, 0)));
        self.accept(self.draft(records.collect())).await;
    }

    /// Makes the client known with a mark at 1, and returns the mark.
    pub(crate) async fn introduce(&mut self, client: &ClientKey) -> Mark {
        self.accept(self.marked(Vec::new(), client, None)).await;
        self.mark(client).await.expect("it was just made")
    }

    pub(crate) async fn mark(&self, client: &ClientKey) -> Option<Mark> {
        let read = self
            .store
            .marks(&self.key, std::slice::from_ref(client))
            .await;
        read.expect("marks are read").marks.remove(0)
    }

    pub(crate) async fn record(&self, key: &RecordKey) -> Option<Record> {
        let read = self
            .store
            .records(&self.key, std::slice::from_ref(key), usize::MAX)
            .await;
        read.expect("records are read").records.remove(0)
    }

    pub(crate) async fn verdicts(&self, writer: WriterNo, ms: &[u64]) -> Vec<Option<Remembered>> {
        let read = self.store.verdicts(&self.key, writer, ms).await;
        read.expect("verdicts are read").verdicts
    }

    pub(crate) async fn changes(&self, after: impl Into<After>, limit: PageLimit) -> ChangesPage {
        let page = self.store.changes(&self.key, after.into(), limit).await;
        page.expect("changes are read")
    }

    /// A part of a snapshot of all tables.
    pub(crate) async fn snapshot(
        &self,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> SnapshotPage {
        let page = self.store.snapshot(&self.key, None, after, limit).await;
        page.expect("a snapshot is read")
    }
}

/// The keys of a page as `table/id`.
pub(crate) fn names(records: &[(RecordKey, Record)]) -> Vec<String> {
    records.iter().map(|(key, _)| key.to_string()).collect()
}
