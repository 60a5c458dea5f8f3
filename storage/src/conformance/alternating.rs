//! Two hubs on one database: every call goes to the other store.

mod jobs;
mod ledger;

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;

use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// Two stores on the same data, asked in turn. What one of them remembered would be wrong as soon
/// as the other one wrote, so the contract only holds if nothing depends on it.
#[derive(Debug)]
pub struct Alternating<S> {
    stores: [S; 2],
    calls: AtomicUsize,
}

impl<S: Store> Alternating<S> {
    /// The first call goes to the first store.
    pub fn new(stores: [S; 2]) -> Alternating<S> {
        Alternating {
            stores,
            calls: AtomicUsize::new(0),
        }
    }

    fn next(&self) -> &S {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl<S: Store> Store for Alternating<S> {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        self.next().open_space(space, now_ms).await
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        self.next().space(space).await
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        self.next().views(spaces).await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        self.next().marks(space, clients).await
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        self.next().verdicts(space, writer, ms).await
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        self.next().records(space, keys, bytes_max).await
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.next().changes(space, after, limit).await
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.next().changes_of(space, table, after, limit).await
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        self.next().snapshot(space, tables, after, limit).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        self.next().commit(commits).await
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        self.next().new_epoch(space, expected, now_ms).await
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.next().dead_letters(space, limit).await
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        self.next().spaces(after, limit).await
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        self.next().collect(space, collect).await
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        self.next().forget_unwritten(space, before_ms).await
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        self.next().spaces_named(name).await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        self.next().holdings(space).await
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        self.next().erase(space, now_ms).await
    }

    fn committing(&self) -> Committing {
        self.stores[0].committing()
    }
}
