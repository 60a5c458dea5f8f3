//! Many seeds on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::count::{Counts, Kind};
use super::trace::Violation;
use super::world::live;

/// Seeds of a whole campaign.
pub const SEEDS: u64 = 16_000;

/// How often each fault must have fired in a whole campaign.
const FIRED_MIN: u64 = 1_000;

/// What must have happened at all.
const HAPPENED: [Kind; 4] = [Kind::Conflict, Kind::Retry, Kind::Reset, Kind::Clamp];

/// Steps each seed takes, at least.
const STEPS_MIN: u64 = 200;

/// How a campaign went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What happened in all seeds.
    pub counts: Counts,
    /// Seeds lived through.
    pub seeds: u64,
    /// The least seed that broke something, among those lived through.
    pub failed: Option<(u64, Violation)>,
}

/// Lives seeds through until one fails. `prepare` runs first on each thread.
pub fn run(seeds: Range<u64>, prepare: impl Fn() + Sync) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let outcome = Mutex::new(Outcome::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                prepare();
                work(&next, seeds.end, &outcome);
            });
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn work(next: &AtomicU64, end: u64, outcome: &Mutex<Outcome>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let ending = live(seed, false);
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.counts += &ending.counts;
        outcome.seeds += 1;
        if let Some(broken) = ending.broken {
            let earlier = outcome.failed.as_ref();
            if earlier.is_none_or(|(failed, _)| seed < *failed) {
                outcome.failed = Some((seed, broken));
            }
            // Nobody begins another.
            next.store(end, Ordering::Relaxed);
        } else {
            assert!(ending.steps >= STEPS_MIN, "seed {seed} is too short");
        }
    }
}

impl Outcome {
    /// Why the campaign does not count, if it does not: a seed failed, or something that was to
    /// be tried was not.
    pub fn failure(&self) -> Option<String> {
        if let Some((seed, Violation { invariant, seen })) = &self.failed {
            return Some(format!(
                "seed {seed} breaks `{invariant}`: {seen}\nreplay: SIM_SEED={seed} SIM_TRACE=1 make sim"
            ));
        }
        // A short campaign is asked for its share.
        let least = FIRED_MIN * self.seeds / SEEDS / if self.seeds < SEEDS { 2 } else { 1 };
        let rare = Kind::FAULTS
            .iter()
            .find(|kind| self.counts.of(**kind) < least);
        let never = HAPPENED
            .iter()
            .find(|kind| self.seeds >= SEEDS / 10 && self.counts.of(**kind) == 0);
        let untried = rare.or(never)?;
        Some(format!(
            "too little was tried: {}, {} times",
            untried.name(),
            self.counts.of(*untried)
        ))
    }
}
