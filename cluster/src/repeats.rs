//! What is said again: where spaces are to which this node committed a short while ago.
//!
//! If the last message about a space that falls quiet is lost, no later one shows the gap. So each
//! head is said again once a second, ten times. Who has it already needs a look at its own memory
//! for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::{Epoch, NodeId, Seq, SpaceKey};
use tokio::time::MissedTickBehavior;

use crate::bus::{Bus, Told};
use crate::event::{Heads, SpaceHead};

/// From one round to the next.
const EVERY: Duration = Duration::from_secs(1);

/// How often a head is said again.
const TIMES: u8 = 10;

/// Spaces remembered at once. Of more, the new ones are not said again: the audit finds them.
const SPACES_MAX: usize = 200_000;

/// The heads to be said again. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Repeats(Arc<Mutex<HashMap<SpaceKey, Due>>>);

#[derive(Debug)]
struct Due {
    epoch: Epoch,
    head: Seq,
    times: u8,
}

impl Repeats {
    /// A commit of this node brought a space there.
    pub fn note(&self, at: SpaceHead) {
        let mut due = self.lock();
        let SpaceHead { space, epoch, head } = at;
        let times = TIMES;
        if due.len() < SPACES_MAX || due.contains_key(&space) {
            due.insert(space, Due { epoch, head, times });
        }
    }

    /// What is to be said in this round.
    pub fn round(&self) -> Vec<SpaceHead> {
        let mut due = self.lock();
        let heads = due.iter_mut().map(|(space, due)| {
            due.times -= 1;
            SpaceHead {
                space: space.clone(),
                epoch: due.epoch,
                head: due.head,
            }
        });
        let heads = heads.collect();
        due.retain(|_, due| due.times > 0);
        if due.is_empty() {
            due.shrink_to(1_024);
        }
        heads
    }

    /// Says them, for ever.
    pub async fn run(self, node: NodeId, bus: Arc<dyn Bus>) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let heads = self.round();
            if !heads.is_empty() {
                let node = node.clone();
                bus.publish(Told::Heads(Arc::new(Heads { node, heads })));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceKey, Due>> {
        // The map is whole whatever panicked while it was locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    fn at(head: u64) -> SpaceHead {
        SpaceHead {
            space: SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted("ada"),
            },
            epoch: Epoch(1),
            head: Seq(head),
        }
    }

    #[test]
    fn a_head_is_said_again_ten_times() {
        let repeats = Repeats::default();
        repeats.note(at(1));
        for _ in 0..TIMES {
            assert_eq!(repeats.round(), [at(1)]);
        }
        assert_eq!(repeats.round(), []);
    }

    #[test]
    fn a_later_commit_takes_the_place_of_the_one_before() {
        let repeats = Repeats::default();
        repeats.note(at(1));
        repeats.round();
        repeats.note(at(2));
        for _ in 0..TIMES {
            assert_eq!(repeats.round(), [at(2)]);
        }
        assert_eq!(repeats.round(), []);
    }
}
