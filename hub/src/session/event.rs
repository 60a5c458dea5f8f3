//! What moves a session and what it wants done: the vocabulary between the pure state and its
//! shell.

use std::sync::Arc;

use syncline_cluster::ephemeral::Spoken;
use syncline_cluster::event::CommitEvent;
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Refusal;
use syncline_protocol::ids::{ClientKey, Epoch, NodeId, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::trace::TraceParent;
use syncline_protocol::wire::hub::{Answer, ResetWhy};
use syncline_protocol::wire::{Cursor, SnapshotPlace};
use syncline_storage::jobs::Ended;
use syncline_storage::types::{
    After, ChangesPage, Commit, CommitError, MarksRead, RecordsRead, SnapshotPage, SpaceView,
    StoreError, VerdictsRead,
};

use super::synced::Synced;
use crate::gateway::frame::Frame;
use crate::gateway::intake::Permit;
use crate::telemetry::labels::{JobCut, VerdictStatus};
use crate::telemetry::traces::span::Traced;

/// A socket on this node, numbered by the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A socket that shows presence, on this node or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shower {
    /// On this one.
    Here(ConnId),
    /// On another, by its process and number.
    There(Instance, u64),
}

/// An HTTP push that waits for its verdicts, numbered by the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A read for a socket. An answer to any but the last one asked for it is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadId {
    /// For whom.
    pub conn: ConnId,
    /// Numbered by the session.
    pub no: u64,
}

/// Live devices that are told something now are asked to say when they have applied it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The trace that they may go on with.
    pub trace: Option<TraceParent>,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// An authenticated client wants in.
    Attach(Box<Attach>),
    /// A socket is gone.
    Detach(ConnId),
    /// Mutations of a socket or a call.
    Push(Push),
    /// A changeset of a compatibility client.
    Sync(Sync),
    /// What a job writes.
    Job(JobCall),
    /// A compatibility socket wants to hear which tables change.
    Watch(ConnId),
    /// A client's ephemeral state.
    Presence {
        /// Whose.
        conn: ConnId,
        /// `None` clears it.
        state: Option<Json>,
    },
    /// An ephemeral message to the others.
    Broadcast {
        /// From.
        conn: ConnId,
        /// The sender's label.
        room: String,
        /// Anything.
        data: Json,
    },
    /// A socket has written all that was queued, after a bulk frame or an overflow.
    Drained(ConnId),
    /// A socket refused a live frame: its outbox is full. It has everything up to `from`.
    Overflowed {
        /// Which.
        conn: ConnId,
        /// The refused frame's `from`.
        from: Seq,
    },
    /// A socket's outbox had no room for another socket's presence.
    PresenceMissed {
        /// Who was not told.
        conn: ConnId,
        /// Whose.
        of: Shower,
        /// What it was.
        frame: Frame,
    },
    /// The token a socket's client showed has ended: it is shown nothing more.
    TokenEnded(ConnId),
    /// It has shown a fresh one.
    TokenRenewed(ConnId),
    /// The store answered.
    Store(StoreAnswer),
    /// Another node committed.
    Heard(Arc<CommitEvent>),
    /// Another node's devices show or say something.
    Elsewhere(Instance, Spoken),
    /// A session of another node has something to commit, and others are always first.
    Late(NodeId),
    /// Another node says where the space is.
    HeadHeard {
        /// Its epoch.
        epoch: Epoch,
        /// Its head.
        head: Seq,
    },
    /// Events of other nodes may have been lost.
    Missed,
    /// The time of the [`Effect::RetryAfter`] with this number is over.
    RetryDue(u64),
    /// The node goes down: take nothing more, finish what was taken.
    Drain,
}

/// A client that said hello.
#[derive(Clone, Debug)]
pub struct Attach {
    /// Its socket.
    pub conn: ConnId,
    /// Who it is.
    pub client: ClientKey,
    /// What it has applied.
    pub cursor: Option<Cursor>,
    /// The tables it wants, sorted; `None` is all.
    pub tables: Option<Arc<[TableName]>>,
    /// Tables its cursor does not cover yet, sorted.
    pub backfill: Option<Arc<[TableName]>>,
    /// Where a broken snapshot goes on.
    pub snapshot_next: Option<SnapshotPlace>,
    /// The last number it saw a verdict for.
    pub acked: Option<u64>,
    /// The first epoch it knew under this id.
    pub epoch: Option<Epoch>,
    /// Seconds until its token expires.
    pub token_expires_in_s: u64,
}

/// Mutations on their way in.
#[derive(Debug)]
pub struct Push {
    /// Who waits for the verdicts.
    pub origin: Origin,
    /// In order of number.
    pub muts: Vec<Mutation>,
    /// Back-pressure: given back when all of them are decided.
    pub permit: Option<Permit>,
    /// Of one that is traced; it ends when all of them are decided. Nothing is decided by it.
    pub trace: Option<Arc<Traced>>,
}

/// A changeset without numbers, on its way in.
#[derive(Debug)]
pub struct Sync {
    /// The request that waits.
    pub call: CallId,
    /// Whose.
    pub client: ClientKey,
    /// In the order they came.
    pub changes: Vec<SyncChange>,
    /// The cursor that came with them: what the device had heard of when it sent them.
    pub since: Since,
    /// Back-pressure: given back when it is decided.
    pub permit: Option<Permit>,
    /// Of one that is traced.
    pub trace: Option<Arc<Traced>>,
}

/// What a job writes, on its way in.
#[derive(Debug)]
pub struct JobCall {
    /// Who waits.
    pub call: CallId,
    /// What is written.
    pub write: Box<JobWrite>,
    /// Back-pressure: given back when it is decided.
    pub permit: Option<Permit>,
}

/// What a job writes: the commit that takes it ends the job's lease. So the hub also writes what a user
/// asks it for, without a job; that may be written twice, which must be no harm.
#[derive(Debug)]
pub struct JobWrite {
    /// The history that the job is of; `None`: any, without a job.
    pub epoch: Option<Epoch>,
    /// How many jobs stand between this and somebody's own change: 0 without a job.
    pub depth: u8,
    /// What changes. It has no number.
    pub mutation: Mutation,
    /// How the lease ends; `None`: there is none.
    pub ended: Option<Ended>,
}

/// Who waits for verdicts.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An attached socket.
    Conn(ConnId),
    /// An HTTP request of a client.
    Call(CallId, Sender),
}

/// A client that pushes by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Who it is.
    pub client: ClientKey,
    /// The first epoch it knew under this id, if it says so.
    pub epoch: Option<Epoch>,
}

impl From<ClientKey> for Sender {
    fn from(client: ClientKey) -> Sender {
        let epoch = None;
        Sender { client, epoch }
    }
}

/// The store's answer to an effect.
#[derive(Debug)]
pub enum StoreAnswer {
    /// To [`Effect::ReadMarks`].
    Marks(MarksFor, Result<MarksRead, StoreError>),
    /// To [`Effect::ReadVerdicts`].
    Verdicts(Vec<Repeat>, Result<VerdictsRead, StoreError>),
    /// To [`Effect::ReadRecords`]: the keys asked and what was read.
    Records(Vec<RecordKey>, Result<RecordsRead, StoreError>),
    /// To [`Effect::Commit`].
    Committed(Result<(), CommitError>),
    /// To [`Effect::ReadView`].
    View(Result<ChangesPage, StoreError>),
    /// To [`Effect::ReadChanges`].
    Changes(ReadId, Result<ChangesPage, StoreError>),
    /// To [`Effect::ReadSnapshot`].
    Snapshot(ReadId, Result<SnapshotPage, StoreError>),
    /// To [`Effect::NewEpoch`].
    NewEpoch(Result<SpaceView, StoreError>),
}

impl StoreAnswer {
    /// Why the store did not do it. A conflict is no failure.
    pub fn failure(&self) -> Option<&StoreError> {
        match self {
            StoreAnswer::Marks(_, read) => read.as_ref().err(),
            StoreAnswer::Verdicts(_, read) => read.as_ref().err(),
            StoreAnswer::Records(_, read) => read.as_ref().err(),
            StoreAnswer::Committed(Err(CommitError::Store(error))) => Some(error),
            StoreAnswer::Committed(_) => None,
            StoreAnswer::View(page) | StoreAnswer::Changes(_, page) => page.as_ref().err(),
            StoreAnswer::Snapshot(_, page) => page.as_ref().err(),
            StoreAnswer::NewEpoch(view) => view.as_ref().err(),
        }
    }
}

/// Why marks are read.
#[derive(Debug)]
pub enum MarksFor {
    /// A client attaches.
    Attach(ConnId),
    /// A call of a client that is not attached.
    Call(CallId),
    /// Numbers seem to be missing before these mutations: the mark may say otherwise.
    Gap(Box<HeldPush>, Waiter),
    /// The session was behind: the marks of these clients with pending mutations.
    Refresh(Vec<ClientKey>),
}

/// Mutations that wait for their client's mark.
#[derive(Debug)]
pub struct HeldPush {
    /// Whose.
    pub client: ClientKey,
    /// The first epoch it knew under this id, if it says so.
    pub epoch: Option<Epoch>,
    /// In order of number.
    pub muts: Vec<Mutation>,
    /// Back-pressure.
    pub permit: Option<Arc<Permit>>,
    /// Of one that is traced.
    pub trace: Option<Arc<Traced>>,
}

/// A mutation that had its verdict before and came again.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// Its number.
    pub m: u64,
    /// What it says now.
    pub hash: [u8; 32],
    /// Whose it is.
    pub client: ClientKey,
    /// Who waits.
    pub waiters: Vec<Waiter>,
    /// Back-pressure: given back when it is answered.
    pub permit: Option<Arc<Permit>>,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// A socket.
    Conn(ConnId),
    /// A call.
    Call(CallId),
}

/// What a session wants done. The shell carries effects out in order; those that read or
/// commit come back as [`Event::Store`].
#[derive(Debug)]
pub enum Effect {
    /// Queue a frame for a socket.
    Send {
        /// Which.
        conn: ConnId,
        /// The message, shared by all who get it.
        frame: Frame,
        /// What may become of it.
        kind: FrameKind,
    },
    /// The socket's outbox takes live frames again.
    Resume(ConnId),
    /// Close a socket after what is queued.
    Close {
        /// Which.
        conn: ConnId,
        /// The close code.
        code: u16,
        /// For people.
        reason: &'static str,
    },
    /// Answer a call.
    Reply(CallId, CallReply),
    /// Read marks afresh.
    ReadMarks(MarksFor, Vec<ClientKey>),
    /// Read the verdicts of one client's numbers.
    ReadVerdicts(WriterNo, Vec<Repeat>),
    /// Read records, of the first keys up to so many bytes.
    ReadRecords(Vec<RecordKey>, usize),
    /// Commit.
    Commit(Box<Commit>),
    /// Read what the session itself missed.
    ReadView {
        /// What the session has.
        after: After,
    },
    /// Read what a socket missed.
    ReadChanges {
        /// Which read.
        read: ReadId,
        /// What it has.
        after: After,
    },
    /// Read a part of a snapshot for a socket.
    ReadSnapshot {
        /// Which read.
        read: ReadId,
        /// Which tables; `None` is all.
        tables: Option<Arc<[TableName]>>,
        /// After which record.
        after: Option<RecordKey>,
    },
    /// Give the space a new epoch: the store has lost commits.
    NewEpoch {
        /// The epoch that lost.
        expected: Epoch,
    },
    /// Tell the other nodes where the space is: a commit whose answer was lost may have led there,
    /// and they were not told of it.
    TellHead {
        /// Its epoch.
        epoch: Epoch,
        /// Its head.
        head: Seq,
    },
    /// Send [`Event::RetryDue`] after so long.
    RetryAfter {
        /// Milliseconds.
        ms: u64,
        /// The wait: one that was begun before another is over without it.
        no: u64,
    },
    /// All that was taken is decided; follows [`Event::Drain`].
    DrainDone,
    /// Tell the other nodes what a socket shows here; `None` if it shows nothing any more.
    Show(ConnId, ClientKey, Option<Json>),
    /// Tell them something else that nobody stores.
    Tell(Spoken),
    /// Tell those who do jobs that there are some, the first of them due then.
    RingForJobs(WallMs),
    /// Something worth counting.
    Note(Note),
}

/// What may become of a frame in a full outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Always queued: an answer the client waits for.
    Answer,
    /// A live delta. Refused by a full outbox, since the store can tell it again.
    Live {
        /// The delta's `from`.
        from: Seq,
    },
    /// A delta of a catch-up: always queued, and [`Event::Drained`] follows when it is written.
    Bulk,
    /// A part of a snapshot, or its end: queued as [`FrameKind::Bulk`] is.
    Part,
    /// Ephemeral: dropped by a full outbox.
    Ephemeral,
    /// The presence of another socket: given back by a full outbox, and told when it has
    /// drained, since nothing else would correct what the device shows.
    Presence {
        /// Whose.
        of: Shower,
    },
}

/// How an HTTP push ends.
#[derive(Debug)]
pub enum CallReply {
    /// All mutations are answered.
    Results {
        /// The space's epoch.
        epoch: Epoch,
        /// The space's head.
        head: Seq,
        /// In order of number.
        results: Vec<(u64, Answer)>,
    },
    /// A changeset is merged.
    Synced(Synced),
    /// What a job wrote is stored and its lease has ended, or neither.
    Job(Result<(), NotEnded>),
    /// Numbers are missing before one of them; go on after this number.
    Gap(Option<u64>),
    /// Everything was erased since its client knew the history it names: nothing was taken.
    Erased,
    /// It was not taken.
    Refused(Refusal),
}

/// Why what a job wrote is not stored, and will not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotEnded {
    /// Its lease is lost.
    LeaseLost,
    /// It can never be stored.
    Rejected(Refusal),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A mutation was answered.
    Verdict(VerdictStatus),
    /// A client was told to reset.
    Reset(ResetWhy),
    /// The space got a new epoch because the store lost commits.
    EpochLost,
    /// A commit conflicted.
    Conflict,
    /// The store took a commit, when it was asked for the so-manieth time.
    Committed(u32),
    /// What another node committed does not continue the view: something was not heard.
    Gap,
    /// A device caught up from the store.
    CatchUp,
    /// A slow device will be caught up when it drains.
    Resync,
    /// Writes of equal stamps and different values met.
    Tie,
    /// So many changes that can never be stored were set aside and are not kept.
    LettersLeftOut(usize),
    /// So many jobs were put by a commit.
    JobsPut(usize),
    /// A job was not made.
    JobCut(JobCut),
}
