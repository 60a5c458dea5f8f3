//! Commits in company: a behaviour that hands in one has it tested in a group.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;

use super::space::{Space, client, key, titled};
use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// The app of the spaces that are not the behaviour's. It does not see them.
const STRANGERS: &str = "strangers";

/// A store to which every batch is handed in between two commits of strangers, whom nothing about
/// it concerns.
#[derive(Debug)]
pub struct Accompanied<S> {
    store: S,
    strangers: AtomicUsize,
}

impl<S: Store> Accompanied<S> {
    /// In company from the first commit on.
    pub fn new(store: S) -> Accompanied<S> {
        Accompanied {
            store,
            strangers: AtomicUsize::new(0),
        }
    }

    /// A commit of a record and a mark in a space that nobody else writes.
    async fn stranger(&self) -> Commit {
        let number = self.strangers.fetch_add(1, Ordering::Relaxed);
        let name = format!("stranger-{number}");
        let space = Space::open_named(&self.store, STRANGERS, &name).await;
        let record = (key("tasks", "a"), titled("theirs", 1));
        space.marked(vec![record], &client(&name, "c"), None)
    }
}

#[async_trait]
impl<S: Store> Store for Accompanied<S> {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        self.store.open_space(space, now_ms).await
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        self.store.space(space).await
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        self.store.views(spaces).await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        self.store.marks(space, clients).await
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        self.store.verdicts(space, writer, ms).await
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        self.store.records(space, keys, bytes_max).await
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.store.changes(space, after, limit).await
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.store.changes_of(space, table, after, limit).await
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        self.store.snapshot(space, tables, after, limit).await
    }

    async fn commit(&self, mut commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        let first = self.stranger().await;
        commits.insert(0, first);
        commits.push(self.stranger().await);
        let mut answers = self.store.commit(commits).await;
        for stranger in [answers.pop(), Some(answers.remove(0))] {
            assert_eq!(stranger, Some(Ok(())), "a stranger's commit");
        }
        answers
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        self.store.new_epoch(space, expected, now_ms).await
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(space, limit).await
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        let mut spaces = self.store.spaces(after, usize::MAX).await?;
        spaces.retain(|space| space.app.as_str() != STRANGERS);
        spaces.truncate(limit);
        Ok(spaces)
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        self.store.collect(space, collect).await
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        self.store.forget_unwritten(space, before_ms).await
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        self.store.spaces_named(name).await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        self.store.holdings(space).await
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        self.store.erase(space, now_ms).await
    }

    fn committing(&self) -> Committing {
        self.store.committing()
    }
}
