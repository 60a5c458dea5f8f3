//! Where a node is in its life, and how its parts learn that it ends.

use tokio::sync::watch;

/// A node's stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not everything is up.
    Starting,
    /// It serves.
    Ready,
    /// It takes nothing new and finishes what it has.
    Draining,
}

/// Why a node that serves should be given no new devices. It keeps what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreTrouble {
    /// It is away, or answers too late.
    #[error("the store does not answer")]
    NoAnswer,
    /// Its file was moved or removed, or another one has its name.
    #[error("store.url no longer names the file that is open: what is written goes with that")]
    Moved,
    /// It can be read, and every commit fails.
    #[error("the store takes no writes: is its disk full?")]
    NoWrites,
}

/// The node's stage. One for a node; whoever needs it holds an `Arc`.
#[derive(Debug)]
pub struct Lifecycle {
    stage: watch::Sender<Stage>,
    store_trouble: watch::Sender<Option<StoreTrouble>>,
}

impl Lifecycle {
    /// Of a node that starts.
    pub fn starting() -> Lifecycle {
        Lifecycle {
            stage: watch::Sender::new(Stage::Starting),
            store_trouble: watch::Sender::new(None),
        }
    }

    /// The stage now.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// What keeps the store from its work, as of the last look.
    pub fn store_trouble(&self) -> Option<StoreTrouble> {
        *self.store_trouble.borrow()
    }

    /// Notes what was found when somebody looked.
    pub fn set_store_trouble(&self, trouble: Option<StoreTrouble>) {
        self.store_trouble.send_replace(trouble);
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
}
