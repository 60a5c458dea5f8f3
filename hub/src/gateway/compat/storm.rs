//! A fault of the first user's client makes an idle tab pull without pause. A device that asks
//! again and again with the same cursor is answered a little later, or at once when something
//! changes; nobody else notices. But that client asks whether or not it was answered, and a browser
//! has six connections to a host: were all held, what the device has to send would wait behind all
//! that it asked. So only few of a user are held at once, and the others answered as ever.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::IntGauge;

/// Equal questions within a second that are answered at once.
const AT_ONCE_MAX: u64 = 5;

/// The time in which they are counted.
const COUNTED: Duration = Duration::from_secs(1);

/// Questions of one user that are held at once.
const HELD_AT_ONCE_MAX: u8 = 2;

/// Questions remembered: one a place, each 8 bytes. Of two in one place the later is remembered,
/// so a storm may be answered at once for a while where many others ask.
const PLACES: usize = 1 << 16;

/// Counts equal questions. Every pull comes by here, so it is one atomic word for each.
pub struct Storm {
    hasher: RandomState,
    began: Instant,
    /// A question's fingerprint (32 bits), when it was first asked (24 bits of ms), how often
    /// since (8 bits).
    places: Box<[AtomicU64]>,
    /// How many are held, of the users of each place.
    held: Box<[AtomicU8]>,
    /// How many are held in all.
    held_now: IntGauge,
    held_at_most: Duration,
}

impl std::fmt::Debug for Storm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storm").finish_non_exhaustive()
    }
}

/// A question that is held.
#[derive(Debug)]
struct Holding<'a> {
    of_user: &'a AtomicU8,
    of_all: &'a IntGauge,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.of_user.fetch_sub(1, Ordering::Relaxed);
        self.of_all.dec();
    }
}

impl Storm {
    /// Nobody has asked yet. A question is held so long at most; `held_now` shows how many are.
    pub fn new(held_at_most: Duration, held_now: IntGauge) -> Storm {
        Storm {
            hasher: RandomState::new(),
            began: Instant::now(),
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            held: (0..PLACES).map(|_| AtomicU8::new(0)).collect(),
            held_now,
            held_at_most,
        }
    }

    /// How long a question is held, at most.
    pub fn held_at_most(&self) -> Duration {
        self.held_at_most
    }

    /// Counts a question of a user, and holds it until `over` if it was asked too often and few
    /// enough of theirs are held; true if it was held.
    pub async fn held(
        &self,
        question: impl Hash,
        user: impl Hash,
        over: impl Future<Output = ()>,
    ) -> bool {
        if !self.is_too_often(question) {
            return false;
        }
        let Some(_held) = self.hold(user) else {
            return false;
        };
        over.await;
        true
    }

    /// Counts a question; true if it was asked too often within the last second.
    fn is_too_often(&self, question: impl Hash) -> bool {
        let now_ms = self.began.elapsed().as_millis() as u64;
        self.asked(self.hasher.hash_one(question), now_ms)
    }

    /// Holds a question of a user as long as this is kept; `None` if enough of theirs are held.
    fn hold(&self, user: impl Hash) -> Option<Holding<'_>> {
        let held = &self.held[self.hasher.hash_one(user) as usize % PLACES];
        let one_more = |now| (now < HELD_AT_ONCE_MAX).then_some(now + 1);
        let relaxed = Ordering::Relaxed;
        held.fetch_update(relaxed, relaxed, one_more).ok()?;
        self.held_now.inc();
        Some(Holding {
            of_user: held,
            of_all: &self.held_now,
        })
    }

    fn asked(&self, hash: u64, now_ms: u64) -> bool {
        const TIME: u64 = (1 << 24) - 1;
        let place = &self.places[hash as usize % PLACES];
        let (fingerprint, now_ms) = (hash >> 32, now_ms & TIME);
        let held = place.load(Ordering::Relaxed);
        let (of, first_ms, count) = (held >> 32, (held >> 8) & TIME, held & 0xff);
        let is_recent = (now_ms.wrapping_sub(first_ms) & TIME) < COUNTED.as_millis() as u64;
        let (first_ms, count) = if of == fingerprint && is_recent {
            (first_ms, count)
        } else {
            (now_ms, 0)
        };
        let counted = (count + 1).min(0xff);
        // Of two at the same moment one may not be counted: then it is held one question later.
        let held = fingerprint << 32 | first_ms << 8 | counted;
        place.store(held, Ordering::Relaxed);
        count >= AT_ONCE_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    fn storm() -> Storm {
        Storm::new(COUNTED, IntGauge::new("held", "Questions held.").unwrap())
    }

    #[test]
    fn a_question_is_answered_at_once_up_to_the_limit_and_held_one_past_it() {
        let storm = storm();
        let (question, other) = (7 << 32 | 1, 8 << 32 | 2);
        for _ in 0..AT_ONCE_MAX {
            assert!(!storm.asked(question, 1_000));
        }
        assert!(storm.asked(question, 1_999));
        assert!(!storm.asked(other, 1_999));
        assert!(
            !storm.asked(question, 2_000),
            "a second later it begins anew"
        );
    }

    #[test]
    fn a_storm_of_any_length_is_held() {
        let storm = storm();
        let held = (0..1_000).filter(|_| storm.asked(7 << 32, 1)).count();
        assert_eq!(held as u64, 1_000 - AT_ONCE_MAX);
    }

    #[test]
    fn of_one_user_two_are_held_at_once_and_no_more() {
        let storm = storm();
        let first = storm.hold("ada");
        let second = storm.hold("ada");
        assert!(first.is_some() && second.is_some());
        assert!(storm.hold("ada").is_none());
        drop(first);
        assert!(storm.hold("ada").is_some());
    }

    #[tokio::test]
    async fn a_third_question_is_answered_while_two_are_held() {
        let storm = storm();
        let held = || Box::pin(storm.held("tasks", "ada", std::future::pending()));
        for _ in 0..AT_ONCE_MAX {
            assert_eq!(poll!(held()), Poll::Ready(false));
        }
        let (mut first, mut second) = (held(), held());
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        assert_eq!(poll!(held()), Poll::Ready(false));
        // Its client has gone.
        drop(first);
        assert!(poll!(held()).is_pending());
        let over = storm.held("tasks", "ada", std::future::ready(()));
        assert!(over.await);
    }

    #[test]
    fn of_two_questions_in_one_place_the_later_is_remembered() {
        let storm = storm();
        for _ in 0..1_000 {
            assert!(!storm.asked(7 << 32 | 1, 1));
            assert!(!storm.asked(8 << 32 | 1, 1));
        }
    }
}
