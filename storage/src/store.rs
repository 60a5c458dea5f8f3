//! The contract of a store. Correctness lives here: actors, caches and the bus only make it
//! fast, and two nodes may serve the same space at once.

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, SpaceId, SpaceKey, TableName, WriterNo};
use syncline_protocol::stamp::WallMs;

use crate::types::{
    After, ChangesPage, Collect, Collected, Commit, CommitError, Committing, DeadLetter, Holdings,
    MarksRead, PageLimit, RecordsRead, SnapshotPage, SpaceView, StoreError, VerdictsRead,
};

/// A durable store of spaces. Every read is of one snapshot: what it returns belongs to the
/// `view` it returns with it. A read of a space that was never opened is `Unavailable`.
#[allow(
    clippy::too_many_arguments,
    reason = "a snapshot is asked by four values, each of its own type"
)]
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The space as it is, created empty with a random epoch if it is not there yet.
    async fn open_space(&self, space: &SpaceKey, now_ms: WallMs) -> Result<SpaceView, StoreError>;

    /// The space as it is now, read afresh; `None` if it was never opened.
    async fn space(&self, space: &SpaceKey) -> Result<Option<SpaceView>, StoreError>;

    /// The same of many spaces, in the order asked, in as few reads as the engine can. They may
    /// be of different moments, each with all that was acknowledged by then.
    async fn views(&self, spaces: &[SpaceKey]) -> Result<Vec<Option<SpaceView>>, StoreError> {
        let mut views = Vec::with_capacity(spaces.len());
        for space in spaces {
            views.push(self.space(space).await?);
        }
        Ok(views)
    }

    /// What is remembered of clients, in the order asked. `None` for an unknown client.
    async fn marks(&self, space: &SpaceKey, clients: &[ClientKey])
    -> Result<MarksRead, StoreError>;

    /// The remembered verdicts of one client with the numbers `ms`, in the order asked. `None`
    /// for a number that is not remembered (any more).
    async fn verdicts(
        &self,
        space: &SpaceKey,
        writer: WriterNo,
        ms: &[u64],
    ) -> Result<VerdictsRead, StoreError>;

    /// Records, live or dead, in the order asked. `None` for one never stored, or collected. Those
    /// of the first keys, at least of one, until the next would bring them above `bytes_max`
    /// stored bytes: the rest is to be asked again.
    async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
        bytes_max: usize,
    ) -> Result<RecordsRead, StoreError>;

    /// Records changed after `after`, dead ones included, ordered by seq, table and id. A page
    /// is cut between two commits, and inside one only if it holds nothing but a part of that
    /// one. A record that moves to a later seq between two pages is in a later page. Cost
    /// follows the rows returned, never the history.
    async fn changes(
        &self,
        space: &SpaceKey,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError>;

    /// The same of one table only. Records of others are passed over without being read; their
    /// part of the history may still be walked.
    async fn changes_of(
        &self,
        space: &SpaceKey,
        table: &TableName,
        after: After,
        limit: PageLimit,
    ) -> Result<ChangesPage, StoreError>;

    /// Live records in (table, id) order after `after`, of `tables` only if given.
    async fn snapshot(
        &self,
        space: &SpaceKey,
        tables: Option<&[TableName]>,
        after: Option<&RecordKey>,
        limit: PageLimit,
    ) -> Result<SnapshotPage, StoreError>;

    /// Commits what many spaces hand in, at most one commit a space, in as few transactions
    /// as the engine can. The answers stand in the order of the commits. A commit takes effect
    /// whole or not at all, independently of the others, and is durable before it is answered.
    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>>;

    /// Replaces the epoch `expected` of a space by a new random one; its records, head and
    /// marks stay, its `epoch_at_ms` moves on by a minute at least. Returns the space as it is
    /// then: with another epoch than the new one if `expected` was no longer its epoch.
    async fn new_epoch(
        &self,
        space: &SpaceKey,
        expected: Epoch,
        now_ms: WallMs,
    ) -> Result<SpaceView, StoreError>;

    /// The dead letters of a space, the newest first, at most `limit`. Of each space the last
    /// 1,000 are kept.
    async fn dead_letters(
        &self,
        space: &SpaceKey,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Spaces after `after`, at most `limit`, in an order of the engine's own that stays.
    async fn spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError>;

    /// Removes the oldest of what is too old, in a transaction of its own. If it touches a record
    /// the head moves by one, without records, and `swept` with it, so that every commit under
    /// way elsewhere conflicts; if it removes one, `gc_seq` is at least that one's seq. A client
    /// loses its last number and its verdicts and keeps its writer number and what it was given.
    /// Where there is nothing to collect nothing is written.
    async fn collect(&self, space: &SpaceKey, collect: Collect) -> Result<Collected, StoreError>;

    /// Removes a space that was opened before a time and never written: as if it had never been
    /// opened. False if it was written, erased or given another epoch, or is not there. Whoever
    /// has it open finds that out, opens it again, and gets another epoch.
    async fn forget_unwritten(
        &self,
        space: &SpaceKey,
        before_ms: WallMs,
    ) -> Result<bool, StoreError>;

    /// The spaces of this name in all apps, ordered by app.
    async fn spaces_named(&self, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError>;

    /// What a space holds.
    async fn holdings(&self, space: &SpaceKey) -> Result<Holdings, StoreError>;

    /// Removes everything of a space, whole or not at all, and returns what it held. The space's
    /// row stays, without content: its head and clock go on, its epoch is a new one, and
    /// [`SpaceView::reset_from`] tells cursors of before from those of later epochs. An engine
    /// that keeps what it deletes overwrites it before it answers, or as soon as nobody reads what
    /// was there before.
    async fn erase(&self, space: &SpaceKey, now_ms: WallMs) -> Result<Holdings, StoreError>;

    /// How commits of many spaces are best handed in.
    fn committing(&self) -> Committing;
}
