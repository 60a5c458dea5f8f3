//! The one source of chance of a world: everything that happens is drawn here, so a seed is a
//! whole history.

use syncline_storage::faulty::Prng;

/// Draws from a seed.
#[derive(Clone, Debug)]
pub struct Rng(Prng);

impl Rng {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Rng {
        let mut prng = Prng::new(seed);
        // Neighbouring seeds part at once.
        prng.next_u64();
        Rng(prng)
    }

    /// A number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound.max(1) as u64) as usize
    }

    /// A number from `first` to `last`.
    pub fn within(&mut self, first: u64, last: u64) -> u64 {
        first + self.0.below(last - first + 1)
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.0.below(1_000) < per_mille
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
