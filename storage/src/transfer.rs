//! The contract of moving everything that a store holds into another one, space by space, between
//! any two engines.
//!
//! What is moved is all that the store remembers, marks and tombstones included, so that no
//! mutation applies twice and nothing deleted returns. Only the epoch of a space is a new one: its
//! devices are reset and recover by themselves. How it travels is [`crate::archive`]'s.

use async_trait::async_trait;
use syncline_protocol::ids::{ClientKey, RecordKey, SpaceKey, WriterNo};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::verdict::{Mark, Remembered};
use tokio::sync::mpsc;

use crate::jobs::StoredJob;
use crate::types::{DeadLetter, NEVER_MS, PageLimit, SpaceView, StoreError};
use crate::{JobStore, Store};

/// A space's row, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceImage {
    /// Whose it is.
    pub key: SpaceKey,
    /// What every commit tests and moves.
    pub view: SpaceView,
    /// When everything of it was last erased; 0 for never.
    pub erased_at_ms: WallMs,
}

/// Since when something ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since this time, by the hub's clock.
    At(WallMs),
    /// Nothing is left to be collected of it.
    Never,
}

impl Since {
    /// From a stored time.
    pub(crate) fn from_stored(stored: i64) -> Since {
        match stored {
            NEVER_MS => Since::Never,
            at => Since::At(at as u64),
        }
    }

    /// As a stored time.
    pub(crate) fn to_stored(self) -> i64 {
        match self {
            Since::At(at) => at as i64,
            Since::Never => NEVER_MS,
        }
    }
}

/// What is remembered of a client, its verdicts apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientImage {
    /// The client.
    pub key: ClientKey,
    /// Its number, its last mutation and what it was given.
    pub mark: Mark,
    /// When it was last used, to the day.
    pub used: Since,
}

/// A remembered verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictImage {
    /// Whose mutation it was.
    pub writer: WriterNo,
    /// The mutation and its verdict.
    pub remembered: Remembered,
}

/// A record, live or dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordImage {
    /// Its place.
    pub key: RecordKey,
    /// Its state, stamps and seqs included.
    pub record: Record,
    /// When it was last found dead; `None` while it lives.
    pub dead: Option<Since>,
    /// When it was last committed, where the engine keeps that. An engine that keeps it and is not
    /// told takes the newest stamp.
    pub committed_at_ms: Option<WallMs>,
}

impl RecordImage {
    /// When it was committed, or the newest stamp in place of that.
    pub(crate) fn committed_or_newest_ms(&self) -> WallMs {
        let record = &self.record;
        let fields = record.fields.iter().map(|field| field.stamp);
        let stamps = record
            .inserted
            .into_iter()
            .chain(record.deleted)
            .chain(fields);
        let newest = stamps.map(|stamp| stamp.at.wall_ms()).max();
        self.committed_at_ms.or(newest).unwrap_or(0)
    }
}

/// A part of a space, of at most a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Ordered by user and client.
    Clients(Vec<ClientImage>),
    /// Ordered by writer and by number modulo 256.
    Verdicts(Vec<VerdictImage>),
    /// Ordered by table and id.
    Records(Vec<RecordImage>),
    /// The oldest first.
    DeadLetters(Vec<DeadLetter>),
    /// In the order they were put. What is leased comes as if its lease were lost.
    Jobs(Vec<StoredJob>),
}

impl Part {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Part::Clients(all) => all.len(),
            Part::Verdicts(all) => all.len(),
            Part::Records(all) => all.len(),
            Part::DeadLetters(all) => all.len(),
            Part::Jobs(all) => all.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self {
            Part::Clients(all) => counts.clients = all.len() as u64,
            Part::Verdicts(all) => counts.verdicts = all.len() as u64,
            Part::Records(all) => counts.records = all.len() as u64,
            Part::DeadLetters(all) => counts.dead_letters = all.len() as u64,
            Part::Jobs(all) => counts.jobs = all.len() as u64,
        }
        counts
    }
}

/// What a reading sends: the space, then its parts in the order of [`Part`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Comes first.
    Space(SpaceImage),
    /// Follows.
    Part(Part),
}

/// How much a space, or everything, holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients.
    pub clients: u64,
    /// Verdicts.
    pub verdicts: u64,
    /// Records, dead ones included.
    pub records: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Jobs, dead ones included.
    pub jobs: u64,
}

impl Counts {
    /// Counts more.
    pub fn add(&mut self, more: Counts) {
        self.clients += more.clients;
        self.verdicts += more.verdicts;
        self.records += more.records;
        self.dead_letters += more.dead_letters;
        self.jobs += more.jobs;
    }
}

/// Reading everything of a store.
#[async_trait]
pub trait Export: Send + Sync {
    /// Spaces, ordered by app and name, after `after`, at most `limit`.
    async fn exported_spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError>;

    /// Sends everything of a space, all of one snapshot, in parts of at most `page`; nothing if it
    /// was never opened. Waits for the receiver with each part, so no more than two are in memory.
    /// Ends early if the receiver is gone.
    async fn export_space(
        &self,
        space: &SpaceKey,
        page: PageLimit,
        to: mpsc::Sender<Sent>,
    ) -> Result<(), StoreError>;

    /// Whether an import was begun and not finished: then the store is neither to be served nor
    /// taken for a whole one.
    async fn is_half_imported(&self) -> Result<bool, StoreError>;
}

/// A row that was read, and stored bytes of it.
pub(crate) type Measured<T> = Result<(T, usize), StoreError>;

/// An import that may write: which archive it is of, and its number among those that tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportRun {
    /// SHA-256 of the archive.
    pub archive: [u8; 32],
    /// Random. A later run of the same archive takes over from an earlier one.
    pub run: u64,
}

/// An import that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What every further call is told.
    pub run: ImportRun,
    /// Spaces that an earlier run brought in whole.
    pub spaces_before: u64,
}

/// Why an import does not go on. Nothing of the call was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is data that no unfinished import brought.
    #[error("the store holds {0} spaces; an import needs an empty one")]
    NotEmpty(u64),
    /// Another archive was begun and not finished.
    #[error(
        "another archive, with SHA-256 {0}, was begun here and not finished; an import needs an empty store"
    )]
    Other(String),
    /// This very archive was brought in whole.
    #[error("this archive was imported here before, whole; nothing was written")]
    Imported,
    /// A later run of the same archive goes on.
    #[error("another import of the same archive took over")]
    TakenOver,
    /// The space was opened by a hub meanwhile.
    #[error("space {0} was opened by a hub meanwhile")]
    SpaceTaken(SpaceKey),
    /// What was written is not what was counted.
    #[error("space {space} holds {found:?} and should hold {expected:?}")]
    Differs {
        /// The space.
        space: SpaceKey,
        /// What the archive says.
        expected: Box<Counts>,
        /// What the store holds.
        found: Box<Counts>,
    },
    /// The store failed. Another run goes on where this one ended.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writing everything into an empty store. The calls of a run follow each other: `begin_import`,
/// for each space `begin_space`, `import_part` until all are in, `end_space`, and at last
/// `end_import`. Until then no space can be opened that was not imported, and a space is not there
/// before its `end_space`.
#[async_trait]
pub trait Import: Send + Sync {
    /// Begins, or goes on with what an earlier run of the same archive left.
    async fn begin_import(&self, archive: [u8; 32], now_ms: WallMs) -> Result<Begun, ImportError>;

    /// Begins a space; what an earlier run wrote of half of it is removed. Returns the space if it
    /// is there whole, and then nothing of it may follow.
    async fn begin_space(
        &self,
        run: ImportRun,
        space: &SpaceKey,
    ) -> Result<Option<SpaceView>, ImportError>;

    /// Writes a part of the space that was begun.
    async fn import_part(&self, run: ImportRun, part: Part) -> Result<(), ImportError>;

    /// Makes the space that was begun visible under a new epoch of its lineage, if it holds what
    /// was counted. Returns it as it is then.
    async fn end_space(
        &self,
        run: ImportRun,
        space: SpaceImage,
        (expected, now_ms): (Counts, WallMs),
    ) -> Result<SpaceView, ImportError>;

    /// Everything is there.
    async fn end_import(&self, run: ImportRun, now_ms: WallMs) -> Result<(), ImportError>;
}

/// A store of which everything can be read and into which everything can be written.
pub trait Transfer: Store + Export + Import {}

impl<S: Store + Export + Import> Transfer for S {}

/// One that also keeps jobs.
pub trait JobTransfer: Transfer + JobStore {}

impl<S: Transfer + JobStore> JobTransfer for S {}

/// A page as it fills, of rows of any kind.
pub(crate) struct Filling<T> {
    limit: PageLimit,
    rows: Vec<T>,
    bytes: usize,
}

impl<T> Filling<T> {
    pub(crate) fn new(limit: PageLimit) -> Filling<T> {
        Filling {
            limit,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes a row of so many bytes. Returns the page before it, if it does not fit there.
    pub(crate) fn take(&mut self, row: T, bytes: usize) -> Option<Vec<T>> {
        let over = self.rows.len() >= self.limit.records
            || self.bytes.saturating_add(bytes) > self.limit.bytes;
        let full = (over && !self.rows.is_empty()).then(|| std::mem::take(&mut self.rows));
        if full.is_some() {
            self.bytes = 0;
        }
        self.rows.push(row);
        self.bytes += bytes;
        full
    }

    /// The last page, if anything is left.
    pub(crate) fn end(self) -> Option<Vec<T>> {
        (!self.rows.is_empty()).then_some(self.rows)
    }
}

/// The epoch's time after an import: apart from the last one, as with any new epoch.
pub(crate) fn epoch_at_after(before_ms: WallMs, now_ms: WallMs) -> WallMs {
    now_ms.max(before_ms.saturating_add(crate::types::EPOCH_APART_MS))
}

/// The archive's name in messages.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
