//! The engine without a primary: an Apache Cassandra cluster.
//!
//! A space is one partition of one table. Every write of it is a conditional batch, agreed on by
//! its replicas, and every read at the serial level is of one moment; so correctness is in the
//! statements, and nothing here remembers anything of a space. What the engine needs of the
//! cluster, and what it costs, is in `ARCHITECTURE.md`. ScyllaDB speaks the same protocol;
//! it was not tried.

mod alone;
mod attempts;
mod changes;
mod collect;
mod commit;
mod connect;
mod erase;
mod export;
mod failure;
mod hold;
mod holdings;
mod home;
mod import;
mod interlude;
mod jobs;
mod ledger;
mod names;
mod options;
mod outcome;
mod reads;
mod row;
mod schema;
mod server;
mod settings;
mod snapshot;
mod space;
mod statements;
mod tries;
mod used;
mod value;
mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;
use tokio::sync::Semaphore;

pub use attempts::{AttemptTotals, Attempts};
pub use options::{CassandraOptions, OpenError, Replication, Serial};

use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};
use changes::Changes;
use server::Server;
use snapshot::Snapshot;

/// Tasks that hand in commits. Each keeps the order of its spaces, and has none wait for another; several
/// are as much as several cores can do.
const COMMITTERS: usize = 64;

/// A store in a keyspace of a cluster. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CassandraStore {
    server: Arc<Server>,
    permits: Arc<Semaphore>,
}

impl CassandraStore {
    /// Connects and migrates the schema. Errors: the cluster does not answer or refuses, or the
    /// schema is newer than this program.
    pub async fn open(options: &CassandraOptions) -> Result<CassandraStore, OpenError> {
        // The driver's future is large, and those that open a store hold it for as long as they live.
        Ok(CassandraStore::on(
            Box::pin(Server::migrated(options)).await?,
        ))
    }

    /// The same for who only reads: the schema is left as it is. Errors: also if it is not this
    /// program's.
    pub async fn open_as_it_is(options: &CassandraOptions) -> Result<CassandraStore, OpenError> {
        Ok(CassandraStore::on(
            Box::pin(Server::as_it_is(options)).await?,
        ))
    }

    fn on(server: Server) -> CassandraStore {
        let permits = Semaphore::new(server.options().commits_max.max(1));
        CassandraStore {
            server: Arc::new(server),
            permits: Arc::new(permits),
        }
    }
}

impl CassandraStore {
    /// What replicas were asked to agree on so far.
    pub fn attempts(&self) -> &Attempts {
        self.server.attempts()
    }
}

fn importing() -> StoreError {
    StoreError::Unavailable("an import is not finished".to_owned())
}

#[async_trait]
impl Store for CassandraStore {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        let server = &self.server;
        if let Some(view) = self.space(space).await? {
            return Ok(view);
        }
        if import::unfinished(server).await? {
            return Err(importing());
        }
        let view = space::create(server, space, now_ms).await?;
        let view = view.ok_or_else(importing)?;
        // One that began meanwhile either sees the space and gives up, or is seen here.
        if import::unfinished(server).await? {
            space::forget_unwritten(server, space, WallMs::MAX).await?;
            return Err(importing());
        }
        Ok(view)
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        let found = space::find(&self.server, space).await?;
        Ok(found.space().map(|row| row.view))
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        space::views(&self.server, spaces).await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        Ok(reads::marks(&self.server, space, clients).await?)
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        Ok(reads::verdicts(&self.server, space, (writer, ms)).await?)
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        Ok(reads::records(&self.server, space, (keys, bytes_max)).await?)
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let changes = Changes {
            space,
            table: None,
            after: &after,
            limit,
        };
        Ok(changes.read(&self.server).await?)
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let changes = Changes {
            space,
            table: Some(table),
            after: &after,
            limit,
        };
        Ok(changes.read(&self.server).await?)
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        let snapshot = Snapshot {
            space,
            tables,
            after,
            limit,
        };
        Ok(snapshot.read(&self.server).await?)
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        commit::group(&self.server, &self.permits, &commits).await
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        Ok(space::change_epoch(&self.server, space, (expected, now_ms)).await?)
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(reads::dead_letters(&self.server, space, limit).await?)
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        Ok(space::list(&self.server, after, limit).await?)
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        Ok(collect::collect(&self.server, space, collect).await?)
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        Ok(space::forget_unwritten(&self.server, space, before_ms).await?)
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        space::named(&self.server, name).await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        Ok(holdings::holdings(&self.server, space).await?)
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        Ok(erase::erase(&self.server, space, now_ms).await?)
    }

    fn committing(&self) -> Committing {
        Committing::Apart(COMMITTERS)
    }
}

#[cfg(test)]
pub(crate) mod tests;
