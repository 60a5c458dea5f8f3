//! The seam between nodes.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::{NodeId, SpaceKey};

use crate::event::{CommitEvent, Heads, SpaceHead};

/// What a node tells the others.
#[derive(Clone, Debug)]
pub enum Told {
    /// It committed.
    Commit(Arc<CommitEvent>),
    /// Where spaces are to which it committed a short while ago.
    Heads(Arc<Heads>),
}

impl Told {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Told::Commit(_) => Kind::Commit,
            Told::Heads(_) => Kind::Heads,
        }
    }
}

/// The kinds of what is told, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commits.
    Commit,
    /// Heads said again.
    Heads,
}

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Another node committed.
    Commit(Arc<CommitEvent>),
    /// Where spaces are, without what led there: who is behind reads the store.
    Heads(Vec<SpaceHead>, HeadsWhy),
    /// Something of this space that is not understood here: it may be behind the store.
    Unread(SpaceKey, UnreadWhy),
    /// Some events were lost: every live space may be behind the store.
    Missed(MissedWhy),
}

/// Why heads are told without what led there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadsWhy {
    /// They were told before, with the commit.
    Again,
    /// The commit is too large for a message.
    TooLarge,
}

/// Why a message is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadWhy {
    /// A newer hub wrote it in a form this one does not know.
    Newer,
    /// Its bytes are damaged.
    Damaged,
}

/// Why events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedWhy {
    /// The connection ended and is there again.
    Reconnected,
    /// This node did not take them as fast as they came.
    Slow,
}

/// Carries events to every node. It may lose, repeat and reorder them.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells everybody. Never waits for a slow hearer, never fails: what is lost is found by
    /// seq.
    fn publish(&self, told: Told);

    /// Returns when what was published before has left this node, or never if it cannot.
    async fn flush(&self);

    /// What other nodes than `node` publish from now on.
    fn subscribe(&self, node: &NodeId) -> Box<dyn Subscription>;
}

/// One hearer's end of the bus.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the bus is gone.
    async fn next(&mut self) -> Option<Heard>;
}
