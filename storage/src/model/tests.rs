//! The model keeps the contract: every behaviour of the suite holds on it.

mod jobs;
mod ledger;

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::Store;
use crate::conformance::Behaviour;
use crate::types::Committing;

struct Shared(Mutex<ModelStore>);

#[async_trait]
impl Store for Shared {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        Ok(self.0.lock().unwrap().open_space(space, now_ms))
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        Ok(self.0.lock().unwrap().space(space))
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        self.0.lock().unwrap().marks(space, clients)
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        self.0.lock().unwrap().verdicts(space, writer, ms)
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        self.0.lock().unwrap().records(space, keys, bytes_max)
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        self.0.lock().unwrap().changes(space, &after, limit)
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let model = self.0.lock().unwrap();
        model.changes_of(space, table, &after, limit)
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        self.0.lock().unwrap().snapshot(space, tables, after, limit)
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        let mut model = self.0.lock().unwrap();
        commits.iter().map(|commit| model.commit(commit)).collect()
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        self.0.lock().unwrap().new_epoch(space, expected, now_ms)
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.0.lock().unwrap().dead_letters(space, limit)
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        Ok(self.0.lock().unwrap().spaces(after, limit))
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        self.0.lock().unwrap().collect(space, collect)
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().forget_unwritten(space, before_ms))
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        Ok(self.0.lock().unwrap().spaces_named(name))
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        self.0.lock().unwrap().holdings(space)
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        self.0.lock().unwrap().erase(space, now_ms)
    }

    fn committing(&self) -> Committing {
        Committing::InGroups(1)
    }
}

fn run(behaviour: Behaviour) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(behaviour(&Shared(Mutex::new(ModelStore::new(0)))));
}

crate::conformance_tests!(run);

mod jobs_conform {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(behaviour(&Shared(Mutex::new(ModelStore::new(0)))));
    }

    crate::jobs_tests!(run);
    crate::racing_jobs_tests!(run);
}

mod ledger_conforms {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(behaviour(&Shared(Mutex::new(ModelStore::new(0)))));
    }

    crate::ledger_tests!(run);
    crate::racing_ledger_tests!(run);
}
