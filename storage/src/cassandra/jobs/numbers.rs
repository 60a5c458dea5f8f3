//! Numbers of jobs. No two hubs share a counter, so a number is a time, counted on where that has not
//! moved, and beside it who gave it.

use std::sync::atomic::{AtomicU64, Ordering};

use syncline_protocol::stamp::WallMs;

use crate::jobs::JobNo;

/// Bits that say which store gave a number. The milliseconds before them last until 2109.
const GIVER_BITS: u32 = 21;

/// Gives each number once: another store gives the same one only if it has the same of two million
/// random givers, and then not in the same space.
#[derive(Debug)]
pub(in crate::cassandra) struct Numbers {
    giver: u64,
    /// The last time that was given.
    last_ms: AtomicU64,
}

/// Numbers that were given and not used yet, the smallest first.
#[derive(Debug)]
pub(in crate::cassandra) struct Given {
    giver: u64,
    next_ms: u64,
}

impl Numbers {
    pub(in crate::cassandra) fn of(random: u64) -> Numbers {
        Numbers {
            giver: random & ((1 << GIVER_BITS) - 1),
            last_ms: AtomicU64::new(0),
        }
    }

    /// So many, each greater than `after`, which is the last one of their space.
    pub(in crate::cassandra) fn give(
        &self,
        count: usize,
        (after, now_ms): (JobNo, WallMs),
    ) -> Given {
        let least_ms = now_ms.max((after.0 >> GIVER_BITS) + 1);
        let count = count as u64;
        let first = |last_ms: u64| least_ms.max(last_ms + 1);
        let take = |last_ms| Some(first(last_ms) + count - 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // It never refuses.
        let last_ms = self.last_ms.fetch_update(set, fetch, take).unwrap_or(0);
        Given {
            giver: self.giver,
            next_ms: first(last_ms),
        }
    }
}

impl Given {
    pub(super) fn next(&mut self) -> JobNo {
        let no = JobNo(self.next_ms << GIVER_BITS | self.giver);
        self.next_ms += 1;
        no
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(numbers: &Numbers, count: usize, about: (JobNo, WallMs)) -> Vec<JobNo> {
        let mut given = numbers.give(count, about);
        (0..count).map(|_| given.next()).collect()
    }

    #[test]
    fn numbers_grow_though_the_clock_stands_still_or_goes_back() {
        let numbers = Numbers::of(7);
        let mut nos = all(&numbers, 3, (JobNo(0), 1_000));
        nos.extend(all(&numbers, 2, (JobNo(0), 1_000)));
        nos.extend(all(&numbers, 2, (JobNo(0), 10)));
        let once: std::collections::BTreeSet<_> = nos.iter().collect();
        assert!(nos.is_sorted() && once.len() == 7, "{nos:?}");
    }

    #[test]
    fn a_number_is_greater_than_those_that_others_gave() {
        let ahead = all(&Numbers::of(u64::MAX), 1, (JobNo(0), 9_000));
        let behind = all(&Numbers::of(0), 1, (ahead[0], 1_000));
        assert!(behind > ahead);
    }

    #[test]
    fn a_number_is_no_other_stores() {
        let one = all(&Numbers::of(1), 9, (JobNo(0), 5));
        let other = all(&Numbers::of(2), 9, (JobNo(0), 5));
        assert!(one.iter().all(|no| !other.contains(no)));
    }
}
