//! Where a node is in its life, and how its parts learn that it ends.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// A node's stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not everything is up, be it the store that went away; `/ready` says so.
    Starting,
    /// It serves.
    Ready,
    /// It takes nothing new and finishes what it has.
    Draining,
}

/// The node's stage. One for a node; whoever needs it holds an `Arc`.
#[derive(Debug)]
pub struct Lifecycle {
    stage: watch::Sender<Stage>,
    /// The store answers, as far as anybody asked.
    store_answers: AtomicBool,
}

impl Lifecycle {
    /// Of a node that starts.
    pub fn starting() -> Lifecycle {
        Lifecycle {
            stage: watch::Sender::new(Stage::Starting),
            store_answers: AtomicBool::new(true),
        }
    }

    /// The stage now; `Starting` again while the store does not answer.
    pub fn stage(&self) -> Stage {
        match *self.stage.borrow() {
            Stage::Ready if !self.store_answers.load(Ordering::Relaxed) => Stage::Starting,
            stage => stage,
        }
    }

    /// Notes whether the store answers. A node without it keeps what it has and takes nothing
    /// new.
    pub fn store_answers(&self, it_does: bool) {
        self.store_answers.store(it_does, Ordering::Relaxed);
    }

    /// Moves on to `stage`. There is no way back: an earlier stage is ignored.
    pub fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let forward = stage > *now;
            *now = stage.max(*now);
            forward
        });
    }

    /// Returns when the node drains, at once if it does already.
    pub async fn draining(&self) {
        let mut stage = self.stage.subscribe();
        let drains = stage.wait_for(|stage| *stage == Stage::Draining).await;
        drains.expect("the sender lives in self");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_is_seen_by_those_who_come_late_and_never_undone() {
        let lifecycle = Lifecycle::starting();
        lifecycle.advance(Stage::Ready);
        assert_eq!(lifecycle.stage(), Stage::Ready);
        lifecycle.advance(Stage::Draining);
        lifecycle.advance(Stage::Ready);
        lifecycle.draining().await;
        assert_eq!(lifecycle.stage(), Stage::Draining);
    }

    #[tokio::test]
    async fn without_its_store_a_node_is_not_ready() {
        let lifecycle = Lifecycle::starting();
        lifecycle.advance(Stage::Ready);
        lifecycle.store_answers(false);
        assert_eq!(lifecycle.stage(), Stage::Starting);
        lifecycle.store_answers(true);
        assert_eq!(lifecycle.stage(), Stage::Ready);
        lifecycle.advance(Stage::Draining);
        lifecycle.store_answers(false);
        assert_eq!(lifecycle.stage(), Stage::Draining);
    }
}
