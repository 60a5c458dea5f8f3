//! A seed is a whole history: what its world is like, and how it ended.

use super::World;
use crate::sim::count::Counts;
use crate::sim::plan::{Mix, RETENTION_MS};
use crate::sim::rng::Rng;
use crate::sim::trace::Violation;

/// How a seed ended.
#[derive(Debug)]
pub struct Ending {
    /// What happened.
    pub counts: Counts,
    /// What was broken, if anything.
    pub broken: Option<Violation>,
    /// Steps taken.
    pub steps: u64,
}

/// Lives a seed through.
pub fn live(seed: u64, traced: bool) -> Ending {
    let (mix, sleepy) = drawn(seed);
    // In three of four blocks of those, so that each mix has it with and without sleep.
    let collects = !(seed / 8).is_multiple_of(4);
    run(seed, (mix, sleepy), Some(collects), traced)
}

/// The mix of a seed, and whether its sessions sleep: in every other block of mixes, so that each
/// mix does both.
pub fn drawn(seed: u64) -> (Mix, bool) {
    (Mix::of(seed), seed / 4 % 2 == 1)
}

/// Lives a seed through with a mix of devices of its own and sessions that sleep or do not, as
/// worlds were when named histories were: nothing is collected, no clock is near a minute fast.
pub fn live_with(seed: u64, (mix, sleepy): (Mix, bool), traced: bool) -> Ending {
    run(seed, (mix, sleepy), None, traced)
}

/// `collects` says whether something is collected; `None` is a world of the first kind.
fn run(seed: u64, mix: (Mix, bool), collects: Option<bool>, traced: bool) -> Ending {
    let mut world = World::new((seed, mix), traced);
    // In two of three blocks of all that, the first of which has none.
    let is_cluster = collects.is_some() && !(seed / 128).is_multiple_of(3);
    if collects.is_some() {
        let mut newer = Rng::new(seed.rotate_left(32));
        world.draw_near_minutes(&mut newer);
        world.draw_tabs(&mut newer);
        world.newer = Some(newer);
        world.draw_loss(seed);
        world.draw_jobs(seed);
    }
    if collects.is_some() && seed / 32 % 4 == 1 {
        world.begin_erasing(seed);
    }
    if collects == Some(true) {
        world.plan.retention_ms = Some(*world.retention.pick(&RETENTION_MS));
    }
    if is_cluster {
        world.begin_cluster(seed);
    }
    let broken = world.live().err();
    if let Some(broken) = &broken {
        world.aids.trace.say(&"checker", || {
            format!("{}: {}", broken.invariant, broken.seen)
        });
    }
    Ending {
        counts: world.aids.counts,
        broken,
        steps: world.aids.trace.step,
    }
}
