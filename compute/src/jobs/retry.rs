//! When a job that failed is tried again, and when it is given up.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobError, Outcome};

/// How often and how patiently jobs of a kind are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1.
    pub attempts_max: u32,
    /// The wait after the first failure, in milliseconds. Each further one is twice the one before.
    pub first_ms: u64,
    /// No wait is longer, in milliseconds.
    pub longest_ms: u64,
}

impl Default for RetryPolicy {
    /// Twelve tries within two hours to two and a half: waits of 5 s, 10 s and so on, the last an hour, each
    /// between half of it and all.
    fn default() -> Self {
        RetryPolicy {
            attempts_max: 12,
            first_ms: 5_000,
            longest_ms: 3_600_000,
        }
    }
}

impl RetryPolicy {
    /// How long to wait after the try with this number, from 1: between half and all of what the
    /// policy says, so that what failed together does not come back together. Equal seeds wait
    /// equally.
    pub fn wait_ms(&self, attempt: u32, seed: u64) -> u64 {
        let doublings = attempt.saturating_sub(1).min(63);
        let whole = self.first_ms.saturating_mul(1 << doublings);
        let whole = whole.min(self.longest_ms);
        let half = whole / 2;
        half + mixed(seed ^ u64::from(attempt)) % (whole - half + 1)
    }

    /// What becomes of a job whose try with this number failed.
    pub fn after_failure(&self, attempt: u32, error: JobError, at: Moment) -> Outcome {
        if attempt >= self.attempts_max {
            return Outcome::Dead { error };
        }
        let at_ms = at.now_ms.saturating_add(self.wait_ms(attempt, at.seed));
        Outcome::Retry { at_ms, error }
    }

    /// What becomes of a job that was leased, before anything of it is done: given up, if more tries
    /// were begun than there may be. None of them said how it ended, so it is the job that ends its
    /// workers. `None`: it is done.
    pub fn before_start(&self, attempt: u32) -> Option<Outcome> {
        let tries = attempt.saturating_sub(1);
        (attempt > self.attempts_max.max(1)).then(|| Outcome::Dead {
            error: JobError::new(&format!("of {tries} tries the last ones never ended")),
        })
    }
}

/// What is not the policy's: the time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The worker's clock.
    pub now_ms: WallMs,
    /// Random.
    pub seed: u64,
}

/// `SplitMix64`'s output function: every bit of the seed moves every bit of the answer.
pub(crate) fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: 4,
        first_ms: 1_000,
        longest_ms: 10_000,
    };

    fn why() -> JobError {
        JobError::new("no answer")
    }

    #[test]
    fn each_wait_is_between_half_and_all_of_twice_the_one_before() {
        for (attempt, whole) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000), (5, 10_000)] {
            for seed in 0..200 {
                let wait = POLICY.wait_ms(attempt, seed);
                assert!((whole / 2..=whole).contains(&wait), "{attempt}: {wait}");
            }
        }
    }

    #[test]
    fn waits_of_many_are_spread() {
        let waits: std::collections::HashSet<u64> =
            (0..100).map(|seed| POLICY.wait_ms(3, seed)).collect();
        assert!(waits.len() > 90, "{} of 100", waits.len());
        let early = waits.iter().filter(|wait| **wait < 3_000).count();
        assert!((25..75).contains(&early), "{early} in the first half");
    }

    #[test]
    fn no_wait_is_longer_however_often_it_failed() {
        for attempt in [6, 64, 65, u32::MAX] {
            assert!(POLICY.wait_ms(attempt, 7) <= POLICY.longest_ms);
        }
    }

    #[test]
    fn equal_seeds_wait_equally() {
        assert_eq!(POLICY.wait_ms(2, 9), POLICY.wait_ms(2, 9));
        assert_ne!(POLICY.wait_ms(2, 9), POLICY.wait_ms(2, 10));
    }

    #[test]
    fn the_last_try_that_fails_is_the_end() {
        let at = Moment {
            now_ms: 50,
            seed: 1,
        };
        let third = POLICY.after_failure(3, why(), at);
        assert!(matches!(third, Outcome::Retry { at_ms, .. } if at_ms > 50));
        let fourth = POLICY.after_failure(4, why(), at);
        assert_eq!(fourth, Outcome::Dead { error: why() });
    }

    #[test]
    fn a_job_that_ends_its_workers_is_given_up() {
        assert_eq!(POLICY.before_start(4), None);
        assert!(matches!(POLICY.before_start(5), Some(Outcome::Dead { .. })));
    }
}
