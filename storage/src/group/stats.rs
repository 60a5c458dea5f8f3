//! Counters of the committers, read by the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::types::CommitError;

/// Buckets of a histogram: bucket `n` counts values up to `2^n`, the last one all greater.
pub const BUCKETS: usize = 24;

/// A histogram by powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Values in (2^(n-1), 2^n]; 0 and 1 in the first, all above 2^22 in the last.
    pub counts: [u64; BUCKETS],
    /// The sum of all values.
    pub sum: u64,
}

/// What the committers did since they were started. Updated with relaxed atomics: a reading
/// may be of a moment between two of its numbers.
#[derive(Debug, Default)]
pub struct GroupStats {
    committed: AtomicU64,
    conflicts: AtomicU64,
    failed: AtomicU64,
    sizes: Histogram,
    durations_us: Histogram,
}

/// A reading of [`GroupStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupTotals {
    /// Commits that took effect.
    pub committed: u64,
    /// Commits answered `Conflict`.
    pub conflicts: u64,
    /// Commits the store failed on.
    pub failed: u64,
    /// Commits per group; the counts' sum is the number of groups.
    pub sizes: Buckets,
    /// Microseconds per group, from hand-over to answer.
    pub durations_us: Buckets,
}

impl GroupStats {
    /// The numbers now.
    pub fn totals(&self) -> GroupTotals {
        GroupTotals {
            committed: self.committed.load(Ordering::Relaxed),
            conflicts: self.conflicts.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            sizes: self.sizes.read(),
            durations_us: self.durations_us.read(),
        }
    }

    pub(super) fn note(&self, answers: &[Result<(), CommitError>], took: Duration) {
        self.sizes.note(answers.len() as u64);
        self.durations_us
            .note(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        for answer in answers {
            let counter = match answer {
                Ok(()) => &self.committed,
                Err(CommitError::Conflict | CommitError::LeasesLost(_)) => &self.conflicts,
                Err(CommitError::TooLarge(_) | CommitError::Store(_)) => &self.failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Histogram {
    fn note(&self, value: u64) {
        self.counts[bucket_of(value)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn read(&self) -> Buckets {
        Buckets {
            counts: std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed)),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

fn bucket_of(value: u64) -> usize {
    let exponent = u64::BITS - value.saturating_sub(1).leading_zeros();
    (exponent as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_the_values_up_to_its_power_of_two() {
        let buckets: Vec<_> = [0, 1, 2, 3, 4, 5, 1 << 22, (1 << 22) + 1, u64::MAX]
            .map(bucket_of)
            .to_vec();
        assert_eq!(buckets, [0, 0, 1, 2, 2, 3, 22, 23, 23]);
    }
}
