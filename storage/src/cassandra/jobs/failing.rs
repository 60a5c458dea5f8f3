//! Spaces whose claims fail: what cannot be read, is held by who is gone, or has too few replicas left.
//!
//! A visit of one takes seconds until it fails, in which what others gave in the same claim waits, and its
//! turn stays before theirs. So this hub's claims pass over it for a while, which doubles from failure to
//! failure, and its jobs wait as long after it is well again. Other hubs find out by themselves.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use crate::jobs::JobKind;

/// How long a space is passed over after its first failure, and at most, in milliseconds.
const PASSED_OVER_MS: (u64, u64) = (1_000, 60_000);

/// Spaces and kinds that are remembered. One that fails beside so many is visited by every claim.
const FAILING_MAX: usize = 256;

/// By space and kind.
#[derive(Debug, Default)]
pub(in crate::cassandra) struct Failing(Mutex<HashMap<(JobKind, SpaceKey), Failed>>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    /// Failures, one after the other.
    times: u32,
    /// When the last one was, by the clock of who claimed.
    since_ms: WallMs,
}

impl Failed {
    /// How long it is passed over, in milliseconds.
    fn lasts_ms(self) -> u64 {
        let (first_ms, most_ms) = PASSED_OVER_MS;
        let doublings = self.times.saturating_sub(1).min(16);
        (first_ms << doublings).min(most_ms)
    }

    /// A clock that was put back since says nothing.
    fn is_passed_over(self, now_ms: WallMs) -> bool {
        (self.since_ms..self.since_ms.saturating_add(self.lasts_ms())).contains(&now_ms)
    }

    /// It has failed no more for so long that it may as well be new.
    fn is_old(self, now_ms: WallMs) -> bool {
        now_ms.abs_diff(self.since_ms) > 10 * PASSED_OVER_MS.1
    }
}

impl Failing {
    fn all(&self) -> MutexGuard<'_, HashMap<(JobKind, SpaceKey), Failed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spaces that a claim of a kind passes over now.
    pub(super) fn of(&self, kind: &JobKind, now_ms: WallMs) -> Vec<SpaceKey> {
        let all = self.all();
        let passed_over = all
            .iter()
            .filter(|((of, _), failed)| of == kind && failed.is_passed_over(now_ms));
        passed_over.map(|((_, space), _)| space.clone()).collect()
    }

    /// A claim of a kind failed at a space.
    pub(super) fn note(&self, (kind, space): (&JobKind, &SpaceKey), now_ms: WallMs) {
        let mut all = self.all();
        let queue = (kind.clone(), space.clone());
        if all.len() >= FAILING_MAX && !all.contains_key(&queue) {
            all.retain(|_, failed| !failed.is_old(now_ms));
            if all.len() >= FAILING_MAX {
                return;
            }
        }
        let failed = all.entry(queue).or_insert(Failed {
            times: 0,
            since_ms: now_ms,
        });
        failed.times = failed.times.saturating_add(1);
        failed.since_ms = now_ms;
    }

    /// One went well.
    pub(super) fn went_well(&self, (kind, space): (&JobKind, &SpaceKey)) {
        let mut all = self.all();
        if !all.is_empty() {
            all.remove(&(kind.clone(), space.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::space::{NOW, space_key};

    fn kind() -> JobKind {
        JobKind::trusted("webhook")
    }

    /// From when to when it is passed over, after so many failures.
    fn passed_over_ms(times: u32) -> u64 {
        let failing = Failing::default();
        let ada = space_key("todo", "ada");
        for _ in 0..times {
            failing.note((&kind(), &ada), NOW);
        }
        let is = |ms: &u64| failing.of(&kind(), NOW + ms).is_empty();
        (0..200_000).step_by(500).find(is).unwrap()
    }

    #[test]
    fn a_space_is_passed_over_for_longer_from_failure_to_failure() {
        let waits = [1, 2, 3, 6, 7, 40].map(passed_over_ms);
        assert_eq!(waits, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn what_goes_well_once_is_passed_over_no_more() {
        let failing = Failing::default();
        let (ada, bob) = (space_key("todo", "ada"), space_key("todo", "bob"));
        failing.note((&kind(), &ada), NOW);
        failing.note((&kind(), &bob), NOW);
        failing.went_well((&kind(), &ada));
        assert_eq!(failing.of(&kind(), NOW), [bob]);
    }

    #[test]
    fn another_kind_of_the_space_is_not_passed_over() {
        let failing = Failing::default();
        failing.note((&kind(), &space_key("todo", "ada")), NOW);
        assert!(failing.of(&JobKind::trusted("mail"), NOW).is_empty());
    }

    #[test]
    fn a_clock_that_is_put_back_has_nothing_passed_over() {
        let failing = Failing::default();
        failing.note((&kind(), &space_key("todo", "ada")), NOW);
        assert!(failing.of(&kind(), NOW - 1).is_empty());
    }

    #[test]
    fn no_more_are_remembered_than_may_be_and_old_ones_make_room() {
        let failing = Failing::default();
        for n in 0..=FAILING_MAX {
            let space = space_key("todo", &format!("s{n}"));
            failing.note((&kind(), &space), NOW);
        }
        assert_eq!(failing.of(&kind(), NOW).len(), FAILING_MAX);
        let later = NOW + 10 * PASSED_OVER_MS.1 + 1;
        let ada = space_key("todo", "ada");
        failing.note((&kind(), &ada), later);
        assert_eq!(failing.of(&kind(), later), [ada]);
    }
}
