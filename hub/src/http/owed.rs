//! The replies of a connection that hold room, in the order in which they are written. The first
//! must be taken whole in its time: who takes a little now and then would hold it for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use super::taking::Taking;

/// A reply that must be taken whole; in its response's extensions.
#[derive(Clone, Debug)]
pub(super) struct ToBeTaken {
    /// Alive while the reply is held.
    pub(super) held: Weak<Taking>,
    /// How long it takes at the least rate.
    pub(super) least: Duration,
}

/// What a connection's peer has still to take. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed(Arc<Mutex<VecDeque<Owing>>>);

#[derive(Debug)]
struct Owing {
    reply: ToBeTaken,
    /// Its time is over; known once those before it were taken.
    due: Option<Instant>,
}

impl Owed {
    /// One more is written.
    pub(super) fn add(&self, reply: ToBeTaken) {
        self.with(|owed| owed.push_back(Owing { reply, due: None }));
    }

    /// Until when the peer must have taken the one that is written now, which has `grace` beside
    /// its own time.
    pub(super) fn due(&self, grace: Duration) -> Option<Instant> {
        self.with(|owed| {
            while owed
                .front()
                .is_some_and(|first| first.reply.held.strong_count() == 0)
            {
                owed.pop_front();
            }
            let first = owed.front_mut()?;
            let least = first.reply.least;
            let due = first
                .due
                .get_or_insert_with(|| Instant::now() + grace + least);
            Some(*due)
        })
    }

    /// The peer took some of the one that is written now.
    pub(super) fn took(&self, bytes: u64) {
        let first = self.with(|owed| owed.iter().find_map(|one| one.reply.held.upgrade()));
        if let Some(first) = first {
            first.took(bytes);
        }
    }

    /// Whether one of them is given up for others. If none is, the connection is woken when it is.
    pub(super) fn is_given_up(&self, cx: &mut Context<'_>) -> bool {
        self.with(|owed| {
            let mut held = owed.iter().filter_map(|one| one.reply.held.upgrade());
            held.any(|one| one.is_given_up(cx))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Owing>) -> T) -> T {
        // The queue is whole whatever panicked while it was locked.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn reply(least_s: u64) -> (Arc<Taking>, ToBeTaken) {
        let held = Taking::begin();
        let to_be_taken = ToBeTaken {
            held: Arc::downgrade(&held),
            least: Duration::from_secs(least_s),
        };
        (held, to_be_taken)
    }

    #[tokio::test(start_paused = true)]
    async fn each_reply_has_its_time_from_when_those_before_it_were_taken() {
        let (owed, began) = (Owed::default(), Instant::now());
        assert_eq!(owed.due(GRACE), None);
        let ((first, large), (second, small)) = (reply(600), reply(1));
        owed.add(large);
        owed.add(small);
        assert_eq!(owed.due(GRACE), Some(began + Duration::from_secs(630)));
        tokio::time::advance(Duration::from_secs(500)).await;
        assert_eq!(owed.due(GRACE), Some(began + Duration::from_secs(630)));
        drop(first);
        assert_eq!(owed.due(GRACE), Some(began + Duration::from_secs(531)));
        drop(second);
        assert_eq!(owed.due(GRACE), None);
    }
}
