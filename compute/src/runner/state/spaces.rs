//! What one space may have of a pool.
//!
//! A try may take long, and any space may have jobs at any moment: so however much one has to do, it
//! has no more than a quarter of the workers. Half as many wait here for its next place. What more is
//! leased of it is given back at once, and claims take no more of it than there is place until they
//! bring none of it.

use std::collections::{HashSet, VecDeque};

use syncline_protocol::ids::SpaceKey;
use syncline_storage::jobs::LeasedJob;

use super::super::event::TryId;
use super::{Pool, RunnerState, Waits};

/// One space may have one of so many workers.
const SPACES_PER_POOL: usize = 4;

/// What is held of a space.
#[derive(Debug, Default)]
pub(super) struct InSpace {
    /// Jobs that are leased.
    held: usize,
    /// Which of them have a worker or wait for one.
    pub(super) placed: usize,
    /// Which of them wait for a place, in order. Some of it may be gone.
    behind: VecDeque<TryId>,
    /// The last claim brought more than it may have.
    has_more: bool,
}

/// Workers of a pool that one space may have.
pub(super) fn places(workers: usize) -> usize {
    (workers / SPACES_PER_POOL).max(1)
}

/// Jobs of one space that are held.
fn held_max(workers: usize) -> usize {
    let places = places(workers);
    places + (places / 2).max(1)
}

impl Pool {
    /// How many jobs of one space a claim may bring.
    pub(super) fn per_space(&self, workers: usize) -> usize {
        let full = self.spaces.values().filter(|of| of.has_more);
        let left = full.map(|of| held_max(workers).saturating_sub(of.held).max(1));
        left.min().unwrap_or(usize::MAX).min(places(workers))
    }

    /// A space that has more than it may have is full for as long as claims bring any of it.
    pub(super) fn note_brought(&mut self, leased: &[&LeasedJob]) {
        let brought: HashSet<&SpaceKey> = leased.iter().map(|one| &one.lease.name.space).collect();
        for (space, of) in &mut self.spaces {
            of.has_more &= brought.contains(space);
        }
    }

    /// Counts a job of a space that was leased. Returns whether it may be kept.
    pub(super) fn hold_one(&mut self, space: &SpaceKey, workers: usize) -> Place {
        let of = self.spaces.entry(space.clone()).or_default();
        self.held += 1;
        of.held += 1;
        if of.held <= held_max(workers) {
            return Place::Free;
        }
        of.has_more = true;
        Place::Taken
    }

    /// A job of a space is held no more.
    pub(super) fn forget_one(&mut self, space: &SpaceKey, workers: usize) {
        self.held -= 1;
        let Some(of) = self.spaces.get_mut(space) else {
            return;
        };
        of.held -= 1;
        self.hungry |= of.has_more && of.held <= places(workers);
        if of.held == 0 {
            self.spaces.remove(space);
        }
    }
}

/// Whether a space may have one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It may.
    Free,
    /// It has all that it may have.
    Taken,
}

impl RunnerState {
    /// It may begin when a worker is free, and its space may have one more.
    pub(super) fn offer(&mut self, id: TryId) {
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let places = places(self.workers(one.pool));
        let pool = &mut self.pools[one.pool];
        let of = pool.spaces.entry(one.lease.name.space.clone()).or_default();
        if of.placed < places {
            pool.ready.push_back(id);
            self.wait_for(id, Waits::Worker);
        } else {
            of.behind.push_back(id);
            self.wait_for(id, Waits::Space);
        }
    }

    /// Those that wait for a place in their space take what is free.
    pub(super) fn move_up(&mut self, pool: usize, space: &SpaceKey) {
        let places = places(self.workers(pool));
        while let Some(of) = self.pools[pool].spaces.get_mut(space)
            && of.placed < places
            && let Some(id) = of.behind.pop_front()
        {
            if self
                .tries
                .get(&id)
                .is_some_and(|one| one.stage.is_waiting())
            {
                self.pools[pool].ready.push_back(id);
                self.wait_for(id, Waits::Worker);
            }
        }
    }
}
