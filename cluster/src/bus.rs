//! The seam between nodes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::event::CommitEvent;

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A node committed. The hearer's own commits are heard too.
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

    /// Everything published from now on.
    fn subscribe(&self) -> Box<dyn Subscription>;
}

/// One hearer's end of the bus.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the bus is gone.
    async fn next(&mut self) -> Option<Heard>;
}
