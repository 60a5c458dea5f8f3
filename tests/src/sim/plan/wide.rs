//! How badly a world with a real cluster is treated, beyond what befalls every world.

use crate::sim::rng::Rng;

/// Of a thousand such worlds, how many have nothing of it.
const CALM: u64 = 100;

/// Rates, in a thousand steps unless another unit is named.
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    /// The bus is cut between two nodes, one way or both.
    pub partitions: u64,
    /// A node is cut off from the bus, and knows.
    pub bus_away: u64,
    /// A node is cut off from the store.
    pub store_cuts: u64,
    /// A node stands still.
    pub pauses: u64,
    /// A node crashes and stays away.
    pub downs: u64,
    /// A node is drained and comes back.
    pub drains: u64,
    /// A node's clock is set.
    pub clocks: u64,
    /// A device lies in a drawer.
    pub drawers: u64,
    /// Of store work, of its answers, and of what the bus carries: held up.
    pub delays: u64,
    /// Of what the bus carries: damaged, and too large.
    pub unread: u64,
}

/// How many steps any of it lasts.
pub const LASTS: (u64, u64) = (10, 80);

impl Wide {
    /// The rates of a world.
    pub fn draw(rng: &mut Rng) -> Wide {
        let calm = rng.chance(CALM);
        let mut rate = |most| if calm { 0 } else { rng.within(0, most) };
        Wide {
            partitions: rate(24),
            bus_away: rate(10),
            store_cuts: rate(8),
            pauses: rate(8),
            downs: rate(4),
            drains: rate(6),
            clocks: rate(4),
            drawers: rate(12),
            delays: rate(160),
            unread: rate(200),
        }
    }
}
