//! A fault of the first user's client makes an idle tab pull without pause. A device that asks
//! again and again with the same cursor is answered a little later, or at once when something
//! changes; nobody else notices.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// Equal questions within a second that are answered at once.
const AT_ONCE_MAX: u32 = 5;

/// How long a further one is held, at most.
pub const HELD: Duration = Duration::from_secs(1);

/// Questions remembered; the oldest go first.
const QUESTIONS_MAX: u64 = 100_000;

/// Counts equal questions.
#[derive(Clone)]
pub struct Storm {
    hasher: RandomState,
    asked: Cache<u64, Arc<AtomicU32>>,
}

impl Default for Storm {
    fn default() -> Self {
        let asked = Cache::builder()
            .max_capacity(QUESTIONS_MAX)
            .time_to_live(HELD)
            .build();
        Storm {
            hasher: RandomState::new(),
            asked,
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
        let asked = self
            .asked
            .get_with(self.hasher.hash_one(question), Arc::default);
        asked.fetch_add(1, Ordering::Relaxed) >= AT_ONCE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_at_once_up_to_the_limit_and_held_one_past_it() {
        let storm = Storm::default();
        for _ in 0..AT_ONCE_MAX {
            assert!(!storm.is_too_often(("ada", "c1", "t1")));
        }
        assert!(storm.is_too_often(("ada", "c1", "t1")));
        assert!(!storm.is_too_often(("ada", "c1", "t2")));
    }
}
