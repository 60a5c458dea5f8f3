//! The model of a store behind the seam: what it does is the contract, what it costs is little.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;
use syncline_storage::Store;
use syncline_storage::model::ModelStore;
use syncline_storage::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// Parts of the spaces that do not wait for each other.
const PARTS: usize = 16;

/// Epochs of a part begin so far from the next part's.
const EPOCHS_APART: u64 = 1 << 32;

/// A store that forgets everything when it ends.
#[derive(Debug)]
pub(crate) struct MemoryStore([Mutex<ModelStore>; PARTS]);

impl Default for MemoryStore {
    fn default() -> Self {
        let part = |at: usize| Mutex::new(ModelStore::new(at as u64 * EPOCHS_APART));
        MemoryStore(std::array::from_fn(part))
    }
}

impl MemoryStore {
    fn of(&self, space: &SpaceKey) -> MutexGuard<'_, ModelStore> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(space);
        let part = &self.0[(hash % PARTS as u64) as usize];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        Ok(self.of(space).open_space(space, now_ms))
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        Ok(self.of(space).space(space))
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        self.of(space).marks(space, clients)
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        self.of(space).verdicts(space, writer, ms)
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        self.of(space).records(space, keys, bytes_max)
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.of(space).changes(space, &after, limit)
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.of(space).changes_of(space, table, &after, limit)
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        self.of(space).snapshot(space, tables, after, limit)
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        commits
            .iter()
            .map(|commit| self.of(&commit.space).commit(commit))
            .collect()
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        self.of(space).new_epoch(space, expected, now_ms)
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.of(space).dead_letters(space, limit)
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        let parts = self.0.iter().flat_map(|part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.spaces(after, limit)
        });
        let mut spaces: Vec<SpaceKey> = parts.collect();
        spaces.sort();
        spaces.truncate(limit);
        Ok(spaces)
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        self.of(space).collect(space, collect)
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        Ok(self.of(space).forget_unwritten(space, before_ms))
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        let parts = self.0.iter().flat_map(|part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.spaces_named(name)
        });
        let mut spaces: Vec<SpaceKey> = parts.collect();
        spaces.sort();
        Ok(spaces)
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        self.of(space).holdings(space)
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        self.of(space).erase(space, now_ms)
    }

    fn committing(&self) -> Committing {
        Committing::InGroups(2)
    }
}
