//! The embedded engine: one SQLite file in WAL mode.
//!
//! One thread owns the write connection and runs one transaction per group of commits; two
//! threads own a read connection each and run every read in a transaction of its own, so a view
//! and its rows are of one snapshot; one thread checkpoints. Callers wait on channels and never
//! block their runtime. Everything a caller must know is the contract of [`Store`]; this module
//! does not group commits (see [`crate::group`]).

mod beside;
mod changes;
mod checkpoint;
mod collect;
mod commit;
mod connection;
mod dead_letters;
mod erase;
mod error;
mod export;
mod import;
mod jobs;
mod ledger;
mod marks;
mod names;
mod options;
mod records;
mod schema;
mod snapshot;
mod space;
mod workers;

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;

pub use beside::SqliteReader;
pub use options::{CACHE_KIB, OpenError, SqliteOptions, Synchronous};

use crate::Store;
use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
    epoch_after,
};
use crate::{random, random_epoch};
use checkpoint::Checkpointer;
use connection::Role;
use workers::Workers;

/// Threads that read. Two keep a long page from delaying a short look-up.
const READERS: usize = 2;

/// Reads waiting for a reader. One more waits for a place before it is queued.
const READS_WAITING_MAX: usize = 1_024;

/// Groups and space changes waiting for the writer. One more waits for a place.
const WRITES_WAITING_MAX: usize = 64;

/// A store in one SQLite file. Dropping it finishes what is queued, joins its threads and
/// closes the file.
#[derive(Debug)]
pub struct SqliteStore {
    // Dropped in this order: the checkpointer's connection is the last one and leaves no WAL.
    writer: Workers,
    readers: Workers,
    checkpointer: Checkpointer,
}

impl SqliteStore {
    /// Opens the file, created if it is not there, and migrates its schema. Blocks; meant for
    /// start-up. Errors: the file cannot be opened, or its schema is newer than this program.
    pub fn open(options: &SqliteOptions) -> Result<SqliteStore, OpenError> {
        let mut write = connection::open(options, Role::Write)?;
        schema::migrate(&mut write)?;
        let checkpoint = connection::open(options, Role::Checkpoint)?;
        let (checkpointer, mut policy) = Checkpointer::start(checkpoint, options)?;
        let readers = (0..READERS)
            .map(|_| connection::open(options, Role::Read))
            .collect::<Result<_, _>>()?;
        Ok(SqliteStore {
            writer: Workers::start(
                "sqlite-write",
                vec![write],
                WRITES_WAITING_MAX,
                move |conn| {
                    policy.after_write(conn);
                },
            )?,
            readers: Workers::start("sqlite-read", readers, READS_WAITING_MAX, |_| {})?,
            checkpointer,
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError> {
        if let Some(view) = self.space(space).await? {
            return Ok(view);
        }
        let space = space.clone();
        let epoch = random_epoch()?;
        self.writer
            .run(move |conn| space::create(conn, &space, epoch, now_ms))
            .await
    }

    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError> {
        let space = space.clone();
        self.readers
            .read(move |conn| Ok(space::find(conn, &space)?.map(|row| row.view)))
            .await
    }

    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        let spaces = spaces.to_vec();
        self.readers
            .read(move |conn| {
                let view = |space| Ok(space::find(conn, space)?.map(|row| row.view));
                spaces.iter().map(view).collect()
            })
            .await
    }

    async fn marks(
        &self,
        space: &SpaceKey,
        clients: &[ClientKey],
    ) -> Result<MarksRead, StoreError> {
        let (space, clients) = (space.clone(), clients.to_vec());
        self.readers
            .read(move |conn| marks::marks(conn, &space, &clients))
            .await
    }

    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError> {
        let (space, ms) = (space.clone(), ms.to_vec());
        self.readers
            .read(move |conn| marks::verdicts(conn, &space, writer, &ms))
            .await
    }

    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError> {
        let (space, keys) = (space.clone(), keys.to_vec());
        self.readers
            .read(move |conn| records::records(conn, &space, &keys, bytes_max))
            .await
    }

    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let space = space.clone();
        self.readers
            .read(move |conn| changes::changes(conn, &space, &after, limit))
            .await
    }

    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError> {
        let (space, table) = (space.clone(), table.clone());
        self.readers
            .read(move |conn| changes::changes_of(conn, (&space, &table), &after, limit))
            .await
    }

    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError> {
        let (space, tables, after) = (space.clone(), tables.map(<[_]>::to_vec), after.cloned());
        self.readers
            .read(move |conn| {
                let from = snapshot::From {
                    tables: tables.as_deref(),
                    after: after.as_ref(),
                };
                snapshot::snapshot(conn, &space, from, limit)
            })
            .await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        let count = commits.len();
        // The commits come back: to take them apart is no work for the one thread that writes.
        let done = self
            .writer
            .run(move |conn| Ok((commit::group(conn, &commits)?, commits)))
            .await;
        match done {
            Ok((answers, _commits)) => answers,
            Err(error) => vec![Err(CommitError::Store(error)); count],
        }
    }

    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError> {
        let space = space.clone();
        let change = space::EpochChange {
            expected,
            epoch: epoch_after(expected, random()?),
            now_ms,
        };
        self.writer
            .run(move |conn| space::change_epoch(conn, &space, &change))
            .await
    }

    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let space = space.clone();
        self.readers
            .read(move |conn| dead_letters::read(conn, &space, limit))
            .await
    }

    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        let after = after.cloned();
        self.readers
            .read(move |conn| space::list(conn, after.as_ref(), limit))
            .await
    }

    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError> {
        let looked = space.clone();
        let nothing = self
            .readers
            .read(move |conn| collect::look(conn, &looked, collect))
            .await?;
        if let Some(nothing) = nothing {
            return Ok(nothing);
        }
        let space = space.clone();
        self.writer
            .run(move |conn| collect::collect(conn, &space, collect))
            .await
    }

    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError> {
        let space = space.clone();
        self.writer
            .run(move |conn| space::forget_unwritten(conn, &space, before_ms))
            .await
    }

    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
        let name = name.clone();
        self.readers
            .read(move |conn| space::named(conn, &name))
            .await
    }

    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError> {
        let space = space.clone();
        self.readers
            .read(move |conn| erase::holdings(conn, &space))
            .await
    }

    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError> {
        let space = space.clone();
        let random = random()?;
        let cutter = self.checkpointer.cutter();
        self.writer
            .run(move |conn| erase::erase(conn, &space, (random, now_ms), &cutter))
            .await
    }

    fn committing(&self) -> Committing {
        // One writer: a second committer would only wait for it with a smaller group.
        Committing::InGroups(1)
    }
}

#[cfg(test)]
mod tests;
