//! A fault of the first user's client makes an idle tab pull without pause. A device that asks
//! again and again with the same cursor is answered a little later, or at once when something
//! changes; nobody else notices.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Equal questions within a second that are answered at once.
const AT_ONCE_MAX: u64 = 5;

/// How long a further one is held, at most.
pub const HELD: Duration = Duration::from_secs(1);

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
}

impl Default for Storm {
    fn default() -> Self {
        Storm {
            hasher: RandomState::new(),
            began: Instant::now(),
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl std::fmt::Debug for Storm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storm").finish_non_exhaustive()
    }
}

impl Storm {
    /// Counts a question; true if it was asked too often within the last second.
    pub fn is_too_often(&self, question: impl Hash) -> bool {
        let now_ms = self.began.elapsed().as_millis() as u64;
        self.asked(self.hasher.hash_one(question), now_ms)
    }

    fn asked(&self, hash: u64, now_ms: u64) -> bool {
        const TIME: u64 = (1 << 24) - 1;
        let place = &self.places[hash as usize % PLACES];
        let (fingerprint, now_ms) = (hash >> 32, now_ms & TIME);
        let held = place.load(Ordering::Relaxed);
        let (of, first_ms, count) = (held >> 32, (held >> 8) & TIME, held & 0xff);
        let is_recent = (now_ms.wrapping_sub(first_ms) & TIME) < HELD.as_millis() as u64;
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
    use super::*;

    #[test]
    fn a_question_is_answered_at_once_up_to_the_limit_and_held_one_past_it() {
        let storm = Storm::default();
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
        let storm = Storm::default();
        let held = (0..1_000).filter(|_| storm.asked(7 << 32, 1)).count();
        assert_eq!(held as u64, 1_000 - AT_ONCE_MAX);
    }

    #[test]
    fn of_two_questions_in_one_place_the_later_is_remembered() {
        let storm = Storm::default();
        for _ in 0..1_000 {
            assert!(!storm.asked(7 << 32 | 1, 1));
            assert!(!storm.asked(8 << 32 | 1, 1));
        }
    }
}
