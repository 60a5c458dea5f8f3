//! The bus of a hub without NATS: nodes of one process, usually one.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::bus::{Bus, Heard, Subscription};
use crate::event::CommitEvent;

/// Events kept for a hearer that is behind. One that falls further behind hears `Missed`.
const BACKLOG_EVENTS_MAX: usize = 4_096;

/// A bus inside one process. Clones share it.
#[derive(Clone, Debug)]
pub struct LocalBus {
    sender: broadcast::Sender<Arc<CommitEvent>>,
}

impl Default for LocalBus {
    fn default() -> Self {
        LocalBus {
            sender: broadcast::channel(BACKLOG_EVENTS_MAX).0,
        }
    }
}

impl Bus for LocalBus {
    fn publish(&self, event: Arc<CommitEvent>) {
        // Without hearers there is nobody to tell.
        let _ = self.sender.send(event);
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(LocalSubscription(self.sender.subscribe()))
    }
}

struct LocalSubscription(broadcast::Receiver<Arc<CommitEvent>>);

#[async_trait]
impl Subscription for LocalSubscription {
    async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(event) => Some(Heard::Commit(event)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncline_protocol::ids::{AppId, Epoch, NodeId, Seq, SpaceId, SpaceKey, WriterNo};
    use syncline_protocol::stamp::Hlc;

    fn event(to: u64) -> Arc<CommitEvent> {
        Arc::new(CommitEvent {
            node: NodeId::trusted("n1"),
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
        })
    }

    #[tokio::test]
    async fn every_hearer_hears_in_order() {
        let bus = LocalBus::default();
        let mut hearers = [bus.subscribe(), bus.subscribe()];
        bus.publish(event(1));
        bus.publish(event(2));
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
    async fn a_hearer_too_far_behind_is_told_so() {
        let bus = LocalBus::default();
        let mut hearer = bus.subscribe();
        (1..=BACKLOG_EVENTS_MAX as u64 + 1).for_each(|to| bus.publish(event(to)));
        assert!(matches!(hearer.next().await, Some(Heard::Missed)));
        assert!(matches!(hearer.next().await, Some(Heard::Commit(event)) if event.to == Seq(2)));
    }
}
