//! The seam between nodes.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::NodeId;

use crate::event::CommitEvent;

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Another node committed.
    Commit(Arc<CommitEvent>),
    /// Some events were lost: every live space may be behind the store.
    Missed,
}

/// Carries events to every node. It may lose, repeat and reorder them.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells everybody. Never waits for a slow hearer, never fails: what is lost is found by
    /// seq.
    fn publish(&self, event: Arc<CommitEvent>);

    /// What other nodes than `node` publish from now on.
    fn subscribe(&self, node: &NodeId) -> Box<dyn Subscription>;
}

/// One hearer's end of the bus.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the bus is gone.
    async fn next(&mut self) -> Option<Heard>;
}
