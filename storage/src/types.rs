//! The vocabulary of the store: what a commit holds, what a read returns.

use std::sync::Arc;

use syncline_protocol::compat::cursor::Place;
use syncline_protocol::error::Code;
use syncline_protocol::given::Given;
use syncline_protocol::ids::{
    ClientId, ClientKey, Epoch, RecordKey, Seq, SpaceKey, TableName, WriterNo,
};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Mark, Remembered};
use syncline_protocol::wire::hub::ResetWhy;

use crate::jobs::{Ended, JobMove};

/// A space's row: what every commit tests and moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceView {
    /// The history's identity. Part of every compare-and-set.
    pub epoch: Epoch,
    /// When the epoch was given, by the clock of the node that gave it.
    pub epoch_at_ms: WallMs,
    /// When the epoch last changed because commits were lost; 0 for never.
    pub lost_at_ms: WallMs,
    /// When everything of it was erased last.
    pub erased: Erased,
    /// The last commit.
    pub head: Seq,
    /// Cursors below it may have missed a collected tombstone.
    pub gc_seq: Seq,
    /// The head that the last collection of records left: what was read below it may be stored no
    /// more. 0 for never.
    pub swept: Seq,
    /// The space's own clock: the last tick the hub gave for a clamped or missing stamp.
    pub clock: Hlc,
    /// How many records are live.
    pub live: u64,
    /// The last writer number given.
    pub writers: WriterNo,
}

impl SpaceView {
    /// Of a space that no store has: empty, in an epoch that no space has.
    pub const NEVER_OPENED: SpaceView = SpaceView {
        epoch: Epoch(0),
        epoch_at_ms: 0,
        lost_at_ms: 0,
        erased: Erased::NEVER,
        head: Seq(0),
        gc_seq: Seq(0),
        swept: Seq(0),
        clock: Hlc::from_bits(0),
        live: 0,
        writers: WriterNo(0),
    };

    /// Where the space is, for the cursors of clients without numbers.
    pub fn place(&self) -> Place {
        Place {
            epoch_at_ms: self.epoch_at_ms,
            head: self.head,
            gc_seq: self.gc_seq,
        }
    }

    /// Why a cursor of `epoch`, which is not this one's, is of no use; `None` for one that cannot
    /// be read. Of before an erasure: what the device has must go, and must not be offered back.
    pub fn reset_from(&self, epoch: Option<Epoch>) -> ResetWhy {
        let before_erasure = epoch.is_none_or(|epoch| lineage(epoch) != lineage(self.epoch));
        if self.erased.ever() && before_erasure {
            ResetWhy::Erased
        } else {
            ResetWhy::Epoch
        }
    }

    /// Whether everything was erased after an epoch that somebody knew. One of later lineages than
    /// this view's is not of before, but shows that the view is.
    pub fn was_erased_since(&self, epoch: Epoch) -> bool {
        let later = lineage(self.epoch).wrapping_sub(lineage(epoch)) & LINEAGE_MASK;
        self.erased.ever() && (1..=LINEAGE_MASK / 2).contains(&later)
    }

    /// Whether it was opened and nothing more, as far as a view tells: no record, no client, no erasure,
    /// its first epoch.
    pub fn is_unwritten(&self) -> bool {
        let is_empty = (self.head, self.writers) == (Seq(0), WriterNo(0));
        is_empty && self.lost_at_ms == 0 && !self.erased.ever()
    }

    /// Whether the epoch may change because commits were lost: once in an interval.
    pub fn may_lose_epoch(&self, now_ms: WallMs, interval_ms: u64) -> bool {
        self.lost_at_ms == 0 || now_ms.saturating_sub(self.lost_at_ms) >= interval_ms
    }
}

/// When everything of a space was erased last: the minute of the epoch that this gave. The minute
/// names that epoch (see [`EPOCH_APART_MS`]), and it is small: a session keeps it for every space
/// that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased(u32);

impl Erased {
    /// Nothing was.
    pub const NEVER: Erased = Erased(0);

    /// By the time that is stored with the space; 0 is never.
    pub fn at(at_ms: WallMs) -> Erased {
        let minutes = u32::try_from(at_ms / EPOCH_APART_MS).unwrap_or(u32::MAX);
        match at_ms {
            0 => Erased::NEVER,
            _ => Erased(minutes.saturating_add(1)),
        }
    }

    /// Whether anything was.
    pub fn ever(self) -> bool {
        self != Erased::NEVER
    }

    /// The time, to the minute; `None` for never.
    pub fn minute_ms(self) -> Option<WallMs> {
        let minutes = self.0.checked_sub(1)?;
        Some(u64::from(minutes) * EPOCH_APART_MS)
    }
}

/// What the store takes at once for a space: one or more mutations. All of it is tested and
/// written in one transaction, or none.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The space. It must have been opened.
    pub space: SpaceKey,
    /// Refused unless the stored epoch is this one.
    pub expect_epoch: Epoch,
    /// Refused unless the stored head is this one.
    pub expect_head: Seq,
    /// The head afterwards: the next seq, or `expect_head` if only marks move.
    pub head: Seq,
    /// The space's clock afterwards.
    pub clock: Hlc,
    /// Live records afterwards.
    pub live: u64,
    /// The last writer number given afterwards.
    pub writers: WriterNo,
    /// The hub's clock: when tombstones begin to age, when marks were last used.
    pub now_ms: WallMs,
    /// The changed records, whole, each at most once, each with `seq` = `head`.
    pub records: Vec<(RecordKey, Arc<Record>)>,
    /// How each of them stood at `expect_head`, in their order, or nothing. Only a hint, which spares
    /// an engine a look; what is read does not depend on whether it is right.
    pub stood: Vec<Stood>,
    /// The clients whose mutations were decided, each at most once.
    pub marks: Vec<MarkMove>,
    /// Changes that can never be stored, set aside for people, at most [`DEAD_LETTERS_MAX`]. The
    /// same one again is ignored.
    pub dead_letters: Vec<DeadLetter>,
    /// Leases of jobs of the space that end with it, each once. Refused unless all of them are held,
    /// so what a job writes is stored by whoever has the job, once.
    pub ends: Vec<Ended>,
    /// What it enqueues and cancels, one after the other, when the leases have ended. A commit of jobs
    /// alone leaves the head, as one of marks alone does.
    pub jobs: Vec<JobMove>,
}

/// How a record stood before a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stood {
    /// It was not there.
    Absent,
    /// It lived, since this commit as it was.
    Live(Seq),
    /// It was dead.
    Dead,
}

impl Stood {
    /// Of the record as it was.
    pub fn of(before: Option<&Record>) -> Stood {
        match before {
            None => Stood::Absent,
            Some(record) if record.is_live() => Stood::Live(record.seq),
            Some(_) => Stood::Dead,
        }
    }
}

/// Dead letters kept of a space; the oldest go first.
pub const DEAD_LETTERS_MAX: usize = 1_000;

/// Two epochs of a space are at least so far apart, in milliseconds, so that the minute of an
/// epoch names it.
pub const EPOCH_APART_MS: u64 = 60_000;

/// A change that was set aside because it can never be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it was set aside, by the hub's clock; of a commit: its `now_ms`.
    pub at_ms: WallMs,
    /// Who sent it.
    pub client: ClientKey,
    /// The table it names, as it came, but see [`DeadLetter::kept`].
    pub table: String,
    /// The record it names, likewise.
    pub id: String,
    /// Why it cannot be stored.
    pub code: Code,
    /// The change, likewise.
    pub change: String,
}

/// What has grown too old in a space, to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collect {
    /// Records that were found dead before this time, by the hub's clock.
    pub dead_before_ms: WallMs,
    /// Last numbers and verdicts of clients that were last used before this time. An engine may
    /// keep them [`USED_APART_MS`] longer.
    pub marks_before_ms: WallMs,
    /// What is left of the records.
    pub keys: Keys,
    /// Records, and clients, that one call may touch.
    pub limit: usize,
    /// Bytes of stored records that one call may touch, but always one record.
    pub bytes: usize,
}

impl Collect {
    /// How many of the oldest records, by their stored bytes, one call touches.
    pub(crate) fn fit(&self, sizes: impl Iterator<Item = usize>) -> usize {
        let mut left = self.bytes;
        let fits = |(at, size): &(usize, usize)| {
            let fits = *at == 0 || *size <= left;
            left = left.saturating_sub(*size);
            fits
        };
        sizes.take(self.limit).enumerate().take_while(fits).count()
    }
}

/// What is left of a record that is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Nothing: `gc_seq` rises above it.
    Remove,
    /// All but its fields, for ever: cursors of any age are told that it is dead.
    Keep,
}

/// What was collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The space afterwards.
    pub view: SpaceView,
    /// Records.
    pub tombstones: usize,
    /// Clients whose last number is forgotten.
    pub marks: usize,
    /// There was more than the limits.
    pub more: bool,
}

impl Collected {
    /// Of a space in which nothing is too old.
    pub(crate) fn nothing(view: SpaceView) -> Collected {
        Collected {
            view,
            tombstones: 0,
            marks: 0,
            more: false,
        }
    }
}

/// Bits of an epoch that are random. The others are its lineage: every new epoch of a space keeps
/// it, and an erasure takes the next one.
const RANDOM_BITS: u32 = 48;
const LINEAGE_MASK: u64 = u64::MAX >> RANDOM_BITS;

/// What the epochs between two erasures of a space share.
fn lineage(epoch: Epoch) -> u64 {
    epoch.0 >> RANDOM_BITS
}

/// The epoch of `random` in the lineage of `before`.
pub(crate) fn epoch_after(before: Epoch, random: u64) -> Epoch {
    let random = random & ((1 << RANDOM_BITS) - 1);
    // 0 is no space's: see `SpaceView::NEVER_OPENED`.
    Epoch(lineage(before) << RANDOM_BITS | random.max(1))
}

/// The epoch of `random` after an erasure.
pub(crate) fn epoch_after_erasure(before: Epoch, random: u64) -> Epoch {
    let next = lineage(before).wrapping_add(1) << RANDOM_BITS;
    epoch_after(Epoch(next), random)
}

/// What a space holds, or held until it was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// The space: as it is, or after it was erased.
    pub view: SpaceView,
    /// Live records by table, in the order of the names; tables without any are left out.
    pub tables: Vec<(TableName, u64)>,
    /// Records, dead ones included.
    pub records: u64,
    /// Clients.
    pub clients: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Jobs, dead ones included.
    pub jobs: u64,
    /// Whether the numbers are of one moment and nothing was passed over. An engine that cannot count
    /// while others write without pause, or past what was removed, says so: then each is of about that
    /// time, or at least so many.
    pub is_exact: bool,
}

/// How exactly an engine knows when a client was last used, in milliseconds: a day. So the index
/// by that time is written once a day, and not in every commit.
pub const USED_APART_MS: u64 = 86_400_000;

/// When a client was used as an engine stores it: the end of that day.
pub(crate) fn used_at_ms(now_ms: WallMs) -> WallMs {
    now_ms.saturating_add(USED_APART_MS - 1) / USED_APART_MS * USED_APART_MS
}

/// In the place of a time: nothing is left to be collected.
pub(crate) const NEVER_MS: i64 = i64::MAX;

/// A client's mark moving forward, tested against where it is expected.
#[derive(Clone, Debug)]
pub struct MarkMove {
    /// The client.
    pub client: ClientKey,
    /// Its writer number: the stored one, or a new one above all given before.
    pub writer: WriterNo,
    /// Refused unless this is the stored last number (`None`: unknown, or without number).
    pub expect_last: Option<u64>,
    /// Refused unless the stored memory of given stamps has this [`Given::count`] (0: there is
    /// none). The head does not tell: a commit of marks alone leaves it. `None` for a move that
    /// does not stand on that memory: of mutations, which carry numbers.
    pub expect_given: Option<u64>,
    /// The last number afterwards; `None` leaves it, for clients whose writes carry no numbers.
    pub last: Option<u64>,
    /// The client's claims to which the hub gave a stamp, all of them as they are afterwards;
    /// `None` leaves them. Replaces what `expect_given` tested.
    pub given: Option<Arc<Given>>,
    /// The verdicts of the numbers from the expected one to `last`. Of each client the store
    /// keeps the last 256.
    pub verdicts: Vec<Remembered>,
}

/// How commits of many spaces are handed to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committing {
    /// In groups, by so many committers at once: those of a group share what they cost, and wait for
    /// each other.
    InGroups(usize),
    /// Each by itself, from so many tasks: they share nothing, so no space is to wait for another.
    Apart(usize),
}

/// Why a commit did not take effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Epoch, head or a mark is not the expected one. Nothing was written.
    #[error("the space moved")]
    Conflict,
    /// Of these places among its `ends` the leases are lost. Nothing was written. It may be said also
    /// where the space moved.
    #[error("{} of its leases are lost", .0.len())]
    LeasesLost(Vec<usize>),
    /// It is more than this store takes at once. Nothing was written, nor will it be as it is:
    /// fewer mutations may pass.
    #[error("the commit is too large: {0}")]
    TooLarge(String),
    /// The store failed. Whether the commit took effect is unknown unless a read tells.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store could not do it now. The caller tries again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No answer, a full disk, a lost connection: may pass.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Stored bytes that cannot be read: does not pass by itself.
    #[error("stored data damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// The error of reading a record: damage names it.
    pub(crate) fn of(self, key: &RecordKey) -> StoreError {
        match self {
            StoreError::Damaged(why) => StoreError::Damaged(format!("record {key}: {why}")),
            StoreError::Unavailable(_) => self,
        }
    }
}

/// From where changes are read: what stands up to here is known. Changes stand in the order
/// (seq, table, id).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The last commit of which anything is known.
    pub seq: Seq,
    /// The last record known of it; `None` is all of them.
    pub key: Option<RecordKey>,
}

impl From<Seq> for After {
    fn from(seq: Seq) -> After {
        After { seq, key: None }
    }
}

/// How much one page may hold. The first record of a page is returned whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// Records.
    pub records: usize,
    /// Bytes of stored records.
    pub bytes: usize,
}

/// Marks as of `view`.
#[derive(Clone, Debug)]
pub struct MarksRead {
    /// The space in the same snapshot.
    pub view: SpaceView,
    /// In the order asked.
    pub marks: Vec<Option<Mark>>,
}

/// Verdicts as of `view`.
#[derive(Clone, Debug)]
pub struct VerdictsRead {
    /// The space in the same snapshot.
    pub view: SpaceView,
    /// In the order asked.
    pub verdicts: Vec<Option<Remembered>>,
}

/// Records as of `view`.
#[derive(Clone, Debug)]
pub struct RecordsRead {
    /// The space in the same snapshot.
    pub view: SpaceView,
    /// In the order asked, of the first keys or of all.
    pub records: Vec<Option<Record>>,
}

/// Changes as of `view`.
#[derive(Clone, Debug)]
pub struct ChangesPage {
    /// The space in the same snapshot.
    pub view: SpaceView,
    /// The seq up to which this page is complete: `view.head` unless the page was cut.
    pub to: Seq,
    /// The last record, if the page was cut inside a commit: the one after `to`.
    pub inside: Option<RecordKey>,
    /// Ordered by seq, then by key.
    pub records: Vec<(RecordKey, Record)>,
    /// The names of the records' `by` writers, each once.
    pub writers: Vec<(WriterNo, ClientId)>,
}

impl ChangesPage {
    /// Whether nothing is left to be read in this snapshot.
    pub fn is_complete(&self) -> bool {
        self.to >= self.view.head
    }

    /// From where the next page is read.
    pub fn next(&self) -> After {
        let key = self.inside.clone();
        let seq = if key.is_some() {
            self.to.next()
        } else {
            self.to
        };
        After { seq, key }
    }
}

/// A part of a snapshot as of `view`.
#[derive(Clone, Debug)]
pub struct SnapshotPage {
    /// The space in the same snapshot.
    pub view: SpaceView,
    /// Live, in (table, id) order.
    pub records: Vec<(RecordKey, Record)>,
    /// The names of the records' `by` writers, each once.
    pub writers: Vec<(WriterNo, ClientId)>,
    /// There are more after the last one.
    pub more: bool,
}
