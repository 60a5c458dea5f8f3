//! The engine that several hubs share: a Postgres database, or one of its relatives.
//!
//! A few connections read, each call in a snapshot of its own; a few others commit, one
//! transaction for a group of spaces. Correctness is in the statements (`commit`); nothing here
//! remembers anything of a space but its number. Everything a caller must know is the contract of
//! [`Store`]; this module does not group commits (see [`crate::group`]).

mod alone;
mod batch;
mod call;
mod changes;
mod collect;
mod commit;
mod connection;
mod dead_letters;
mod elsewhere;
mod erase;
mod error;
mod export;
mod import;
mod import_rows;
mod jobs;
mod ledger;
mod marks;
mod names;
mod options;
mod pool;
mod records;
mod schema;
mod snapshot;
mod space;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;

pub(crate) use elsewhere::connect_elsewhere;
pub(crate) use error::told;
pub use options::{OpenError, PostgresOptions, Synchronous};

use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
    epoch_after,
};
use crate::{random, random_epoch};
use call::Call;
use changes::{Changes, ChangesOf};
use collect::Collecting;
use connection::{Connection, Connector};
use dead_letters::DeadLetters;
use erase::{Erase, Holding};
use error::Failure;
use marks::{Marks, Verdicts};
use pool::Pool;
use records::Records;
use snapshot::Snapshot;
use space::{ChangeEpoch, Create, Find, FindMany, ForgetUnwritten, List, Named};

/// Spaces whose number is remembered; of another one it is read before its commit.
const SIDS_MAX: u64 = 100_000;

/// How long commits wait for a space that another transaction holds. One commit takes some
/// milliseconds; an erasure may take minutes, and whoever waits for it holds other spaces meanwhile.
const LOCK_HELD_MAX: Duration = Duration::from_millis(500);

/// A store in a Postgres database.
pub struct PostgresStore {
    /// Everything but commits.
    calling: Pool,
    committing: Pool,
    committers: usize,
    answer_timeout: Duration,
    /// Numbers of spaces. One that is no longer right is the number of no space or of one with
    /// another epoch, so a commit to it conflicts, and a conflict forgets the number.
    sids: Cache<SpaceKey, i64>,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("committers", &self.committers)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects and migrates the schema. Errors: the server does not answer or refuses, or the
    /// schema is newer than this program.
    pub async fn open(options: &PostgresOptions) -> Result<PostgresStore, OpenError> {
        let tls = tls::Tls::new(options)?;
        let connector = Arc::new(Connector::new(options, tls));
        schema::migrate(&connector).await?;
        PostgresStore::connected(options, connector).await
    }

    /// The same for who only reads: the schema is left as it is. Errors: also if it is not this
    /// program's.
    pub async fn open_as_it_is(options: &PostgresOptions) -> Result<PostgresStore, OpenError> {
        let tls = tls::Tls::new(options)?;
        let connector = Arc::new(Connector::new(options, tls));
        schema::check(&connector).await?;
        PostgresStore::connected(options, connector).await
    }

    async fn connected(
        options: &PostgresOptions,
        connector: Arc<Connector>,
    ) -> Result<PostgresStore, OpenError> {
        let tls = tls::Tls::new(options)?;
        let committing = Connector::new(options, tls).waiting_for_locks(LOCK_HELD_MAX);
        let pool = |connector, size| Pool::new(connector, size, options.connect_timeout);
        let store = PostgresStore {
            calling: pool(connector, options.connections),
            committing: pool(Arc::new(committing), options.committers),
            committers: options.committers.max(1),
            answer_timeout: options.answer_timeout,
            sids: Cache::new(SIDS_MAX),
        };
        // One that cannot be set up is told now, not to the first who asks.
        let first = store.calling.lend().await.map_err(schema::refused)?;
        first.give_back();
        Ok(store)
    }

    /// Calls, on another connection if the first one had ended.
    async fn call<C: Call>(&self, call: C) -> Result<C::Answer, StoreError> {
        let limit = Some(self.answer_timeout);
        match self.try_call(&call, limit).await {
            Err(failure) if failure.is_lost_connection() || failure.is_lost_race() => {
                Ok(self.try_call(&call, limit).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// Calls what takes as long as it takes and may not be done twice: again only if the server
    /// said that it did nothing. If the connection ends, the answer is `Unavailable`, and what was
    /// asked may have been done.
    async fn call_patiently<C: Call>(&self, call: C) -> Result<C::Answer, StoreError> {
        match self.try_call(&call, None).await {
            Err(failure) if failure.is_lost_race() => Ok(self.try_call(&call, None).await?),
            answer => Ok(answer?),
        }
    }

    async fn try_call<C: Call>(
        &self,
        call: &C,
        limit: Option<Duration>,
    ) -> Result<C::Answer, Failure> {
        let lent = self.calling.lend().await?;
        let answering = call.run(&lent.connection);
        let answer = match limit {
            Some(limit) => tokio::time::timeout(limit, answering)
                .await
                .unwrap_or(Err(Failure::Late)),
            None => answering.await,
        };
        match &answer {
            Err(failure) if !failure.leaves_connection_usable() => self.after(failure),
            _ => lent.give_back(),
        }
        answer
    }

    /// What a failure says of the other connections.
    fn after(&self, failure: &Failure) {
        if failure.is_lost_connection() {
            self.calling.forget_idle();
            self.committing.forget_idle();
        }
    }

    /// The numbers of the commits' spaces; `None` for one that was never opened.
    async fn sids(
        &self,
        connection: &Connection,
        commits: &[&Commit],
    ) -> Result<Vec<Option<i64>>, Failure> {
        let mut sids: Vec<Option<i64>> = commits
            .iter()
            .map(|commit| self.sids.get(&commit.space))
            .collect();
        let unknown: Vec<usize> = (0..sids.len()).filter(|at| sids[*at].is_none()).collect();
        if unknown.is_empty() {
            return Ok(sids);
        }
        let spaces: Vec<&SpaceKey> = unknown.iter().map(|at| &commits[*at].space).collect();
        let found = space::find_sids(connection, &spaces).await?;
        for (place, sid) in found {
            let at = unknown[place];
            sids[at] = Some(sid);
            self.sids.insert(commits[at].space.clone(), sid);
        }
        Ok(sids)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        if let Some(view) = self.space(space).await? {
            return Ok(view);
        }
        let epoch = random_epoch()?;
        let create = Create {
            space,
            epoch,
            now_ms,
        };
        self.call(create).await
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        self.call(Find(space)).await
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        self.call(FindMany(spaces)).await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        self.call(Marks { space, clients }).await
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        self.call(Verdicts { space, writer, ms }).await
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        let records = Records {
            space,
            keys,
            bytes_max,
        };
        self.call(records).await
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let changes = Changes {
            space,
            after: &after,
            limit,
        };
        self.call(changes).await
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let changes = ChangesOf {
            space,
            table,
            after: &after,
            limit,
        };
        self.call(changes).await
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
        self.call(snapshot).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        commit::group(self, &commits).await
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        let change = ChangeEpoch {
            space,
            expected,
            epoch: epoch_after(expected, random()?),
            now_ms,
        };
        self.call(change).await
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.call(DeadLetters { space, limit }).await
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        self.call(List { after, limit }).await
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        self.call(Collecting { space, collect }).await
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        let forgotten = self.call(ForgetUnwritten { space, before_ms }).await?;
        self.sids.invalidate(space);
        Ok(forgotten)
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        self.call(Named(name)).await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        self.call_patiently(Holding(space)).await
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        let erase = Erase {
            space,
            random: random()?,
            now_ms,
        };
        // A second one would find nothing to name in its receipt, and spend a lineage.
        self.call_patiently(erase).await
    }

    fn committing(&self) -> Committing {
        Committing::InGroups(self.committers)
    }
}

#[cfg(test)]
pub(crate) mod tests;
