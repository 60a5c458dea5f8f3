//! One attached socket, as the session sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::ids::{ClientKey, RecordKey, Seq, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::wire::cursor::{Selection, SnapshotSum};
use syncline_storage::types::After;

use super::event::{ReadId, Shower};
use crate::gateway::frame::Frame;

/// A socket of a client that was welcomed.
#[derive(Debug)]
pub(super) struct Conn {
    /// Whose it is.
    pub(super) client: ClientKey,
    /// The tables it wants, sorted; `None` is all.
    pub(super) tables: Option<Arc<[TableName]>>,
    /// The `to` of the last delta sent: what its cursor will be.
    pub(super) sent: Seq,
    /// It needs nothing up to here; at or past `sent`, since a commit without anything it can
    /// see is not sent.
    pub(super) seen: Seq,
    /// Where it goes on inside the commit after `seen`, if its last page ended there.
    pub(super) inside: Option<Box<RecordKey>>,
    /// What it was sent is no state of the space yet: a page that was cut, or a snapshot, whose
    /// parts are of different moments and may be ahead of this session. It must be read to
    /// until a page is complete, be it an empty one; live deltas would leave out what moved on
    /// between two pages.
    pub(super) partial: bool,
    /// How it gets what it lacks.
    pub(super) phase: Phase,
    /// Its ephemeral state.
    pub(super) presence: Option<Json>,
    /// What it is to be told of others' presence when its outbox has drained and its token is
    /// good: the last word of each. Nearly no socket has any.
    pub(super) missed: Option<Box<Missed>>,
    /// Its token has ended and no other was shown: it is told nothing new.
    pub(super) token_ended: bool,
    /// It was told that everything was erased: what it pushes may be of before.
    pub(super) erased: bool,
}

/// Frames that could not be told, by whose presence they show.
pub(super) type Missed = BTreeMap<Shower, Frame>;

/// Presences a socket may miss. One more closes it: whoever connects is shown who is there.
pub(super) const MISSED_MAX: usize = 256;

/// How a socket gets what it lacks.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has everything up to the session's head and gets commits as they happen.
    Live,
    /// It is read to from the store, page by page.
    CatchUp(Step),
    /// It gets a snapshot, then catches up.
    Snapshot(Box<Snapshot>, Step),
    /// Its outbox is full; when it drains, it catches up.
    Lagging,
}

/// Where a reading phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The store was asked; only the answer to this read counts.
    Reading(ReadId),
    /// A frame was sent; the next is read when it is written.
    Writing,
    /// It is ahead of the session, which is catching up itself.
    WaitingForView,
}

/// A snapshot under way.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The tables it is of; `None` is all.
    pub(super) tables: Option<Arc<[TableName]>>,
    /// Who asks for it: what its hello selects and fills up. Its place says so.
    pub(super) selection: Selection,
    /// The head before the first part.
    pub(super) at: Seq,
    /// The last record sent.
    pub(super) after: Option<RecordKey>,
    /// Records sent.
    pub(super) done: u64,
    /// Their sum.
    pub(super) sum: SnapshotSum,
    /// The cursor to go on from afterwards: `at`, or the client's own if only new tables were
    /// filled.
    pub(super) resume_from: Seq,
}

impl Conn {
    /// From where it is read to.
    pub(super) fn after(&self) -> After {
        match &self.inside {
            Some(key) => After {
                seq: self.seen.next(),
                key: Some(RecordKey::clone(key)),
            },
            None => self.seen.into(),
        }
    }

    /// Whether others' presence must wait until it is told what it missed.
    pub(super) fn misses_presence(&self) -> bool {
        self.token_ended || self.missed.is_some()
    }

    /// Whether it wants a table.
    pub(super) fn wants(&self, table: &TableName) -> bool {
        wants(self.tables.as_deref(), table)
    }
}

/// Whether a sorted selection of tables holds one; `None` is all that a device may be shown.
pub(super) fn wants(tables: Option<&[TableName]>, table: &TableName) -> bool {
    !table.is_private() && tables.is_none_or(|tables| tables.binary_search(table).is_ok())
}
