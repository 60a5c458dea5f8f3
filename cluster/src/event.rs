//! What a node tells the others about a commit.

use std::sync::Arc;

use syncline_protocol::given::Given;
use syncline_protocol::ids::{ClientKey, Epoch, NodeId, RecordKey, Seq, SpaceKey, WriterNo};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::trace::TraceParent;
use syncline_storage::jobs::first_due_ms;
use syncline_storage::types::Commit;

/// A commit that is durable.
#[derive(Clone, Debug)]
pub struct CommitEvent {
    /// The node that made it.
    pub node: NodeId,
    /// The space.
    pub space: SpaceKey,
    /// The space's epoch.
    pub epoch: Epoch,
    /// The head before.
    pub from: Seq,
    /// The head after; equal to `from` if only marks moved.
    pub to: Seq,
    /// The space's clock after.
    pub clock: Hlc,
    /// Live records after.
    pub live: u64,
    /// The last writer number given after.
    pub writers: WriterNo,
    /// The changed records, whole.
    pub records: Vec<(RecordKey, Arc<Record>)>,
    /// The clients whose marks moved: their writer number and last mutation.
    pub marks: Vec<MarkMoved>,
    /// When the first of the jobs is due that it put; `None` if it put none.
    pub jobs_due_ms: Option<WallMs>,
    /// How its way to the devices is measured; `None` of most.
    pub followed: Option<Followed>,
}

/// Of a commit whose way to the devices is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// When it was durable, by the clock of the node that made it.
    pub committed_at_ms: WallMs,
    /// Which trace it is part of, if that is recorded.
    pub trace: Option<TraceParent>,
}

/// Where a space is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceHead {
    /// The space.
    pub space: SpaceKey,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its head.
    pub head: Seq,
}

/// Where spaces are to which a node committed.
#[derive(Clone, Debug)]
pub struct Heads {
    /// The node that says so.
    pub node: NodeId,
    /// The spaces.
    pub heads: Vec<SpaceHead>,
}

/// A client's mark after a commit.
#[derive(Clone, Debug)]
pub struct MarkMoved {
    /// The client.
    pub client: ClientKey,
    /// Its number in the space.
    pub writer: WriterNo,
    /// Its last mutation with a verdict; `None` if it did not move.
    pub last: Option<u64>,
    /// Its claims to which the hub gave a stamp; `None` if they did not move.
    pub given: Option<Arc<Given>>,
}

impl CommitEvent {
    /// The event of a commit that `node` is about to make.
    pub fn of(commit: &Commit, node: &NodeId) -> CommitEvent {
        let moved = commit.marks.iter().map(|mark| MarkMoved {
            client: mark.client.clone(),
            writer: mark.writer,
            last: mark.last,
            given: mark.given.clone(),
        });
        CommitEvent {
            node: node.clone(),
            space: commit.space.clone(),
            epoch: commit.expect_epoch,
            from: commit.expect_head,
            to: commit.head,
            clock: commit.clock,
            live: commit.live,
            writers: commit.writers,
            records: commit.records.clone(),
            marks: moved.collect(),
            jobs_due_ms: first_due_ms(&commit.ends, &commit.jobs),
            followed: None,
        }
    }

    /// Where the space is after it.
    pub fn space_head(&self) -> SpaceHead {
        SpaceHead {
            space: self.space.clone(),
            epoch: self.epoch,
            head: self.to,
        }
    }
}
