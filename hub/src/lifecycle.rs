//! Where a node is in its life, and how its parts learn that it ends.

use tokio::sync::watch;

/// A node's stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not everything is up yet; `/ready` says so.
    Starting,
    /// It serves.
    Ready,
    /// It takes nothing new and finishes what it has.
    Draining,
}

/// The node's stage. One for a node; whoever needs it holds an `Arc`.
#[derive(Debug)]
pub struct Lifecycle(watch::Sender<Stage>);

impl Lifecycle {
    /// Of a node that starts.
    pub fn starting() -> Lifecycle {
        Lifecycle(watch::Sender::new(Stage::Starting))
    }

    /// The stage now.
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Moves on to `stage`. There is no way back: an earlier stage is ignored.
    pub fn advance(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let forward = stage > *now;
            *now = stage.max(*now);
            forward
        });
    }

    /// Returns when the node drains, at once if it does already.
    pub async fn draining(&self) {
        let mut stage = self.0.subscribe();
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
}
