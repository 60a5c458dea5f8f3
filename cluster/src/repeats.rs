//! What is said again: where spaces are to which this node committed a short while ago.
//!
//! If the last message about a space that falls quiet is lost, no later one shows the gap. So each
//! head is said again once a second, ten times. Who has it already needs a look at its own memory
//! for that.
//!
//! All ten may go into a connection that carries nothing any more, which is found out after half a
//! minute. So what was said is remembered a while longer, and said again when there is another.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::{Epoch, NodeId, Seq, SpaceKey};
use tokio::time::MissedTickBehavior;

use crate::bus::{Bus, Told};
use crate::event::SpaceHead;
use crate::telling::heads;

/// From one round to the next.
pub const EVERY: Duration = Duration::from_secs(1);

/// How often a head is said again.
const TIMES: u8 = 10;

/// Spaces remembered at once. Of more, the new ones are not said again: the audit finds them.
const SPACES_MAX: usize = 200_000;

/// Rounds for which a head is remembered after it was said ten times. A connection that does not
/// answer is given up after 30 s, and one that is there again takes some more.
const ROUNDS_KEPT: u64 = 60;

/// Heads remembered so. Of more, the oldest are forgotten: the audit finds them.
const KEPT_MAX: usize = 200_000;

/// Heads told at once, of a round that may have many more. The next leave when these have, so that
/// a round never takes the room of commits that wait for the bus.
const PIECE: usize = 2_000;

/// The heads to be said again. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Repeats(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// To be said.
    due: HashMap<SpaceKey, Due>,
    /// Said often enough, the oldest first, each with the number of its last round. A space may be
    /// there twice, and be due too: then the later counts.
    kept: VecDeque<(u64, SpaceHead)>,
    /// Rounds so far.
    rounds: u64,
}

#[derive(Debug)]
struct Due {
    epoch: Epoch,
    head: Seq,
    times: u8,
}

impl Repeats {
    /// A commit of this node brought a space there.
    pub fn note(&self, at: SpaceHead) {
        let due = &mut self.lock().due;
        let SpaceHead { space, epoch, head } = at;
        let times = TIMES;
        if due.len() < SPACES_MAX || due.contains_key(&space) {
            due.insert(space, Due { epoch, head, times });
        }
    }

    /// What is to be said in this round.
    pub fn round(&self) -> Vec<SpaceHead> {
        let said = &mut *self.lock();
        said.rounds += 1;
        let heads = said.due.iter_mut().map(|(space, due)| {
            due.times -= 1;
            due.at(space)
        });
        let heads = heads.collect();
        let often_enough = said.due.extract_if(|_, due| due.times == 0);
        let often_enough = often_enough.map(|(space, due)| (said.rounds, due.at(&space)));
        said.kept.extend(often_enough);
        said.forget();
        heads
    }

    /// What was said a while ago may be lost: it is to be said as often again.
    pub fn again(&self) {
        let Said { due, kept, .. } = &mut *self.lock();
        due.values_mut().for_each(|due| due.times = TIMES);
        for (_, SpaceHead { space, epoch, head }) in kept.drain(..).rev() {
            if due.len() >= SPACES_MAX {
                break;
            }
            let times = TIMES;
            due.entry(space).or_insert(Due { epoch, head, times });
        }
    }

    /// Whether nothing is to be said.
    pub fn is_empty(&self) -> bool {
        self.lock().due.is_empty()
    }

    /// The same, as `node` tells it: in pieces, none if there is nothing to be said.
    pub fn told(&self, node: &NodeId) -> Vec<Told> {
        let round = self.round();
        let pieces = round.chunks(PIECE);
        pieces.map(|piece| heads(node, piece.to_vec())).collect()
    }

    /// Says one round.
    pub async fn say(&self, node: &NodeId, bus: &dyn Bus) {
        for told in self.told(node) {
            bus.publish(told);
            bus.flush().await;
        }
    }

    /// Says them, for ever.
    pub async fn run(self, node: NodeId, bus: Arc<dyn Bus>) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = rounds.tick() => self.say(&node, &*bus).await,
                () = bus.came_back() => self.again(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        // It is whole whatever panicked while it was locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    /// Forgets what is old, and what is too much.
    fn forget(&mut self) {
        let is_old = |(round, _): &(u64, SpaceHead)| round + ROUNDS_KEPT <= self.rounds;
        while self.kept.len() > KEPT_MAX || self.kept.front().is_some_and(is_old) {
            self.kept.pop_front();
        }
        if self.due.is_empty() {
            self.due.shrink_to(1_024);
        }
        if self.kept.is_empty() {
            self.kept.shrink_to(1_024);
        }
    }
}

impl Due {
    fn at(&self, space: &SpaceKey) -> SpaceHead {
        SpaceHead {
            space: space.clone(),
            epoch: self.epoch,
            head: self.head,
        }
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

    #[test]
    fn what_was_said_is_said_as_often_again_when_it_may_be_lost() {
        let repeats = Repeats::default();
        repeats.note(at(1));
        (0..4).for_each(|_| drop(repeats.round()));
        repeats.again();
        for _ in 0..TIMES {
            assert_eq!(repeats.round(), [at(1)]);
        }
        assert!(repeats.is_empty());
        (1..ROUNDS_KEPT).for_each(|_| drop(repeats.round()));
        repeats.again();
        for _ in 0..TIMES {
            assert_eq!(repeats.round(), [at(1)]);
        }
        assert_eq!(repeats.round(), []);
    }

    #[test]
    fn what_was_said_long_ago_is_forgotten() {
        let repeats = Repeats::default();
        repeats.note(at(1));
        (0..u64::from(TIMES) + ROUNDS_KEPT).for_each(|_| drop(repeats.round()));
        repeats.again();
        assert_eq!(repeats.round(), []);
    }

    #[test]
    fn of_a_space_the_last_head_is_said_again() {
        let repeats = Repeats::default();
        for head in [1, 2] {
            repeats.note(at(head));
            (0..TIMES).for_each(|_| drop(repeats.round()));
        }
        repeats.again();
        assert_eq!(repeats.round(), [at(2)]);
        repeats.note(at(3));
        repeats.again();
        assert_eq!(repeats.round(), [at(3)]);
    }
}
