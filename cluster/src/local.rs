//! The bus of a hub without NATS: nodes of one process, usually one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use syncline_protocol::ids::NodeId;
use tokio::sync::broadcast;

use crate::bus::{Bus, HeadsWhy, Heard, MissedWhy, Subscription, Told};

/// Events kept for a hearer that is behind. One that falls further behind hears `Missed`.
const BACKLOG_EVENTS_MAX: usize = 4_096;

/// A bus inside one process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LocalBus {
    /// A queue for each hearer: a node that is alone is woken by nothing.
    hearers: Arc<Mutex<Vec<Hearer>>>,
}

#[derive(Debug)]
struct Hearer {
    node: NodeId,
    queue: broadcast::Sender<Told>,
}

impl LocalBus {
    fn hearers(&self) -> MutexGuard<'_, Vec<Hearer>> {
        // The list is whole whatever panicked while it was locked.
        self.hearers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for LocalBus {
    fn publish(&self, told: Told) {
        self.hearers().retain(|hearer| {
            // One that does not listen any more is forgotten.
            hearer.node == *told.node() || hearer.queue.send(told.clone()).is_ok()
        });
    }

    async fn flush(&self) {}

    /// It never goes away.
    async fn came_back(&self) {
        std::future::pending::<()>().await;
    }

    fn subscribe(&self, node: &NodeId) -> Box<dyn Subscription> {
        let (queue, events) = broadcast::channel(BACKLOG_EVENTS_MAX);
        let node = node.clone();
        self.hearers().push(Hearer { node, queue });
        Box::new(LocalSubscription(events))
    }
}

struct LocalSubscription(broadcast::Receiver<Told>);

#[async_trait]
impl Subscription for LocalSubscription {
    async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(Told::Commit(event)) => Some(Heard::Commit(event)),
            Ok(Told::Heads(told)) => Some(Heard::Heads(told.heads.clone(), HeadsWhy::Again)),
            Ok(Told::Heartbeat(said)) => Some(Heard::Heartbeat(said)),
            Ok(Told::Ephemeral(told)) => Some(Heard::Ephemeral(told)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Missed(MissedWhy::Slow)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CommitEvent;
    use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey, WriterNo};
    use syncline_protocol::stamp::Hlc;

    fn event(node: &str, to: u64) -> Told {
        Told::Commit(Arc::new(CommitEvent {
            node: NodeId::trusted(node),
            space: SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted("ada"),
            },
            epoch: Epoch(1),
            from: Seq(to - 1),
            to: Seq(to),
            clock: Hlc::default(),
            live: 0,
            writers: WriterNo(0),
            records: Vec::new(),
            marks: Vec::new(),
            jobs_due_ms: None,
            followed: None,
        }))
    }

    #[tokio::test]
    async fn every_hearer_hears_in_order() {
        let bus = LocalBus::default();
        let mut hearers = ["n2", "n3"].map(|node| bus.subscribe(&NodeId::trusted(node)));
        bus.publish(event("n1", 1));
        bus.publish(event("n1", 2));
        for hearer in &mut hearers {
            for to in [1, 2] {
                let Some(Heard::Commit(heard)) = hearer.next().await else {
                    panic!("no event")
                };
                assert_eq!(heard.to, Seq(to));
            }
        }
    }

    #[tokio::test]
    async fn a_node_does_not_hear_itself() {
        let bus = LocalBus::default();
        let mut own = bus.subscribe(&NodeId::trusted("n1"));
        bus.publish(event("n1", 1));
        bus.publish(event("n2", 2));
        assert!(matches!(own.next().await, Some(Heard::Commit(event)) if event.to == Seq(2)));
    }

    #[tokio::test]
    async fn a_hearer_that_ended_is_forgotten() {
        let bus = LocalBus::default();
        drop(bus.subscribe(&NodeId::trusted("n2")));
        bus.publish(event("n1", 1));
        assert!(bus.hearers().is_empty());
    }

    #[tokio::test]
    async fn a_hearer_too_far_behind_is_told_so() {
        let bus = LocalBus::default();
        let mut hearer = bus.subscribe(&NodeId::trusted("n2"));
        (1..=BACKLOG_EVENTS_MAX as u64 + 1).for_each(|to| bus.publish(event("n1", to)));
        assert!(matches!(
            hearer.next().await,
            Some(Heard::Missed(MissedWhy::Slow))
        ));
        assert!(matches!(hearer.next().await, Some(Heard::Commit(event)) if event.to == Seq(2)));
    }
}
