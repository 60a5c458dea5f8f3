//! The seam between nodes.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::{NodeId, SpaceKey};

use crate::ephemeral::Ephemeral;
use crate::event::{CommitEvent, Heads, SpaceHead};
use crate::heartbeat::Heartbeat;

/// What a node tells the others.
#[derive(Clone, Debug)]
pub enum Told {
    /// It committed.
    Commit(Arc<CommitEvent>),
    /// Where spaces are to which it committed a short while ago.
    Heads(Arc<Heads>),
    /// How it is.
    Heartbeat(Arc<Heartbeat>),
    /// What its devices show and say of a space.
    Ephemeral(Arc<Ephemeral>),
}

impl Told {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Told::Commit(_) => Kind::Commit,
            Told::Heads(_) => Kind::Heads,
            Told::Heartbeat(_) => Kind::Node,
            Told::Ephemeral(_) => Kind::Ephemeral,
        }
    }

    /// Who tells it.
    pub fn node(&self) -> &NodeId {
        match self {
            Told::Commit(event) => &event.node,
            Told::Heads(heads) => &heads.node,
            Told::Heartbeat(said) => &said.node,
            Told::Ephemeral(told) => &told.node,
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
    /// How a node is.
    Node,
    /// Presence and broadcasts.
    Ephemeral,
}

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Another node committed.
    Commit(Arc<CommitEvent>),
    /// Where spaces are, without what led there: who is behind reads the store.
    Heads(Vec<SpaceHead>, HeadsWhy),
    /// How another node is.
    Heartbeat(Arc<Heartbeat>),
    /// What devices of another node show and say of a space.
    Ephemeral(Arc<Ephemeral>),
    /// Something of this space that is not understood here: it may be behind the store.
    Unread(SpaceKey, UnreadWhy),
    /// Some events were lost, or are not understood: every live space may be behind the store.
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

/// Why events were lost, or as good as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedWhy {
    /// The connection ended and is there again.
    Reconnected,
    /// This node did not take them as fast as they came.
    Slow,
    /// A newer hub says where spaces are, in a form this one does not know.
    Newer,
}

/// Carries events to every node. It may lose, repeat and reorder them.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells everybody. Never waits for a slow hearer, never fails: what is lost is found by
    /// seq.
    fn publish(&self, told: Told);

    /// Returns when what was published before has left this node, or never if it cannot.
    async fn flush(&self);

    /// Returns when there is a way out of this node that was not there before, to one who waits:
    /// what was published on the last one may be lost, also what left long ago.
    async fn came_back(&self);

    /// What other nodes than `node` publish from now on.
    fn subscribe(&self, node: &NodeId) -> Box<dyn Subscription>;
}

/// One hearer's end of the bus.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the bus is gone.
    async fn next(&mut self) -> Option<Heard>;
}
