//! How a world is built and how badly it is treated: drawn once from its seed.

mod wide;

use std::sync::Arc;

use syncline_compute::triggers::Triggers;
use syncline_storage::types::PageLimit;

pub use self::wide::{LASTS, Wide};

use super::rng::Rng;

/// The hub's clock at the beginning: 2026-11-24T10:00:00Z.
pub const BEGIN_MS: u64 = 1_795_514_400_000;

/// Steps before the faults end, at least.
const CHAOS_STEPS_MIN: u64 = 220;

/// Seconds a device's clock may be off.
const SKEW_S_MAX: u64 = 3_600;

/// Which devices a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Only native ones.
    Native,
    /// Only such of the compatibility protocol.
    Compat,
    /// Native ones at the even places, the others between them.
    NativeFirst,
    /// The other way round.
    CompatFirst,
}

impl Mix {
    /// The mix of a seed. It draws nothing, so a world of native devices alone lives the same
    /// history whatever the others learn.
    pub fn of(seed: u64) -> Mix {
        match seed % 4 {
            0 => Mix::Native,
            1 => Mix::Compat,
            2 => Mix::NativeFirst,
            _ => Mix::CompatFirst,
        }
    }

    /// Whether each device speaks the compatibility protocol.
    fn devices(self, count: usize) -> Vec<bool> {
        let is_compat = |place: usize| match self {
            Mix::Native => false,
            Mix::Compat => true,
            Mix::NativeFirst => place % 2 == 1,
            Mix::CompatFirst => place.is_multiple_of(2),
        };
        (0..count).map(is_compat).collect()
    }
}

/// The shape of a world. Rates are per thousand.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Steps with faults.
    pub chaos_steps: u64,
    /// Nodes that serve the space.
    pub nodes: usize,
    /// Devices of the user: whether each speaks the compatibility protocol.
    pub compat: Vec<bool>,
    /// Of a step: somebody does something by free will.
    pub acts: u64,
    /// Of a step: something breaks.
    pub faults: u64,
    /// Of a store operation: it fails, or its answer is lost.
    pub store_faults: u64,
    /// Of a bus event: it is lost, or heard twice.
    pub bus_faults: u64,
    /// Of a cache read: the entry was just forgotten.
    pub forgetful: u64,
    /// Whether sessions sleep whenever they may. Named histories are older than that.
    pub sleepy: bool,
    /// Of a push: turned away as slow.
    pub slow: u64,
    /// How much a read returns.
    pub page: PageLimit,
    /// Bytes of an outbox.
    pub outbox_bytes_max: usize,
    /// How long an epoch must last before a session changes it for a client's sake.
    pub epoch_change_interval_ms: u64,
    /// Mutations of one commit.
    pub commit_mutations_max: usize,
    /// How long what is dead is kept, in milliseconds, numbers of clients twice as long; `None` for
    /// ever. Named histories are older than that.
    pub retention_ms: Option<u64>,
    /// What befalls its cluster; `None` in a world of the first kind, whose bus knows commits alone.
    pub wide: Option<Wide>,
    /// What follows from changes; nothing in worlds without jobs.
    pub triggers: Arc<Triggers>,
    /// The step at which a backup is made, and the one at which it is restored.
    pub restore: Option<Restore>,
}

/// How long what is dead is kept, in the worlds of which it is not for ever.
pub const RETENTION_MS: [u64; 3] = [0, 500, 10_000];

/// A restore in the course of a world.
#[derive(Clone, Copy, Debug)]
pub struct Restore {
    /// When the backup is made.
    pub backup_at: u64,
    /// When it is restored.
    pub restore_at: u64,
    /// Whether the operator follows the runbook and gives a new epoch before anybody is served.
    pub by_the_book: bool,
}

impl Plan {
    /// The plan of a world.
    pub fn draw((mix, sleepy): (Mix, bool), rng: &mut Rng) -> Plan {
        let chaos_steps = rng.within(CHAOS_STEPS_MIN, 2 * CHAOS_STEPS_MIN);
        let calm = rng.chance(100);
        let rate = |rng: &mut Rng, most| if calm { 0 } else { rng.within(0, most) };
        Plan {
            chaos_steps,
            nodes: *rng.pick(&[1, 1, 2, 2, 3]),
            compat: mix.devices(rng.within(3, 5) as usize),
            sleepy,
            acts: rng.within(120, 300),
            faults: rate(rng, 60),
            store_faults: rate(rng, 150),
            bus_faults: rate(rng, 300),
            forgetful: rate(rng, 300),
            slow: rate(rng, 50),
            page: PageLimit {
                records: rng.within(1, 6) as usize,
                bytes: usize::MAX,
            },
            outbox_bytes_max: *rng.pick(&[300, 800, 3_000, 256 << 10]),
            epoch_change_interval_ms: *rng.pick(&[0, 60_000, 3_600_000]),
            commit_mutations_max: *rng.pick(&[1, 3, 256]),
            retention_ms: None,
            wide: None,
            triggers: Arc::default(),
            restore: draw_restore(rng, chaos_steps),
        }
    }
}

fn draw_restore(rng: &mut Rng, chaos_steps: u64) -> Option<Restore> {
    if !rng.chance(350) {
        return None;
    }
    let backup_at = rng.within(10, chaos_steps - 60);
    Some(Restore {
        backup_at,
        restore_at: rng.within(backup_at + 1, chaos_steps - 20),
        by_the_book: rng.chance(500),
    })
}

/// How far a device's clock is off, in milliseconds: one in three is right to the second.
pub fn draw_skew_ms(rng: &mut Rng) -> i64 {
    let most_ms = match rng.below(3) {
        0 => 500,
        _ => SKEW_S_MAX * 1_000,
    };
    rng.within(0, 2 * most_ms) as i64 - most_ms as i64
}
