//! Many seeds on all cores.

use std::ops::Range;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::count::{Counts, Kind};
use super::trace::Violation;
use super::world::{Ending, live};

/// Seeds of a whole campaign.
pub const SEEDS: u64 = 16_000;

/// How often each fault must have fired in a whole campaign.
const FIRED_MIN: u64 = 1_000;

/// What must have happened at all.
const HAPPENED: [Kind; 21] = [
    Kind::Conflict,
    Kind::Retry,
    Kind::Reset,
    Kind::Clamp,
    Kind::EpochLost,
    Kind::LossPulled,
    Kind::HeadTold,
    Kind::FoundByHead,
    Kind::FoundByLook,
    Kind::MovedAhead,
    Kind::BasesCompared,
    Kind::Copied,
    Kind::ComparedAsIs,
    Kind::RestCompared,
    Kind::Complete,
    Kind::Ordered,
    Kind::SyncDone,
    Kind::PullDone,
    Kind::JobReplayed,
    Kind::JobSnoozed,
    Kind::JobCancelled,
];

/// Of a thousand records compared, how many may be shown otherwise by an excuse. An excuse that
/// is used more often may be swallowing what it is not for.
const EXCUSED_MAX: [(Kind, u64); 7] = [
    (Kind::ExcusedUnsent, 100),
    (Kind::ExcusedOverwritten, 1),
    (Kind::ExcusedOlder, 20),
    (Kind::ExcusedGhost, 22),
    (Kind::ExcusedErased, 25),
    (Kind::ExcusedDropped, 10),
    (Kind::ExcusedCrossed, 15),
];

/// The same of those compared at rest, by all excuses together.
const EXCUSED_AT_REST_MAX: u64 = 50;

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
        let ending = live_through(seed);
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

/// Lives a seed through. A panic is one more thing that must not be.
fn live_through(seed: u64) -> Ending {
    panic::catch_unwind(|| live(seed, false)).unwrap_or_else(|cause| {
        let texts = (cause.downcast_ref::<String>(), cause.downcast_ref::<&str>());
        let seen = match texts {
            (Some(text), _) => text.clone(),
            (None, Some(text)) => (*text).to_owned(),
            (None, None) => String::new(),
        };
        Ending {
            counts: Counts::default(),
            broken: Some(Violation {
                invariant: "panic",
                seen,
            }),
            steps: 0,
        }
    })
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
        let Some(untried) = rare.or(never) else {
            return self.excused_too_often();
        };
        Some(format!(
            "too little was tried: {}, {} times",
            untried.name(),
            self.counts.of(*untried)
        ))
    }

    /// Which excuse has more than its share, in a campaign long enough to tell.
    fn excused_too_often(&self) -> Option<String> {
        let compared: u64 = Kind::EXCUSES.iter().map(|kind| self.counts.of(*kind)).sum();
        let shares = EXCUSED_MAX.map(|(kind, most)| (kind, most, compared));
        let at_rest = self.counts.of(Kind::RestCompared);
        let at_rest = (Kind::RestExcused, EXCUSED_AT_REST_MAX, at_rest);
        let past = |(kind, most, of): &(Kind, u64, u64)| self.counts.of(*kind) * 1_000 > of * most;
        let mut shares = shares.into_iter().chain([at_rest]);
        let (kind, most, compared) =
            shares.find(|share| self.seeds >= SEEDS / 10 && past(share))?;
        let (times, name) = (self.counts.of(kind), kind.name());
        Some(format!(
            "excused too often: {name}, {times} of {compared}, at most {most} of 1,000"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A campaign that compared a thousand records and excused so many of them.
    fn excusing(kind: Kind, times: u64) -> Outcome {
        let mut outcome = Outcome {
            seeds: SEEDS,
            ..Outcome::default()
        };
        (times..1_000).for_each(|_| outcome.counts.add(Kind::ComparedAsIs));
        (0..times).for_each(|_| outcome.counts.add(kind));
        outcome
    }

    #[test]
    fn every_excuse_has_a_share_and_no_more() {
        assert_eq!(EXCUSED_MAX.len() + 1, Kind::EXCUSES.len());
        for (kind, most) in EXCUSED_MAX {
            assert_eq!(excusing(kind, most).excused_too_often(), None);
            let failure = excusing(kind, most + 1).excused_too_often();
            assert!(failure.is_some_and(|why| why.contains(kind.name())));
        }
    }

    #[test]
    fn excuses_at_rest_have_a_share_too() {
        for (more, is_much) in [(0, false), (1, true)] {
            let mut outcome = excusing(Kind::ExcusedGhost, 0);
            outcome.counts.add_many(Kind::RestCompared, 1_000);
            let excused = EXCUSED_AT_REST_MAX + more;
            outcome.counts.add_many(Kind::RestExcused, excused);
            assert_eq!(outcome.excused_too_often().is_some(), is_much);
        }
    }
}
