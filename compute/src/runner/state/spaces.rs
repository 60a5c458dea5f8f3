//! What one space may have of a pool.
//!
//! A try may take long, and any space may have jobs at any moment: so however much one has to do, it
//! has no more than a quarter of the workers. Half as many wait here for its next place. One that has any
//! waiting is *full*: claims name it, and the store passes over it, so that others get what they would get
//! without it. What more is leased of a space is given back at once, and then claims take of none more
//! than there is place in it, until they bring none of it or it is full.

use std::collections::{HashSet, VecDeque};

use syncline_protocol::ids::SpaceKey;
use syncline_storage::jobs::{CLAIM_FULL_MAX, LeasedJob};

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
    /// A claim brought more than it may have, and so did all after it bring some of it.
    has_more: bool,
    /// It was full when the last claim was made.
    is_passed_over: bool,
}

impl InSpace {
    /// It has all its places, and some that wait for one.
    fn is_full(&self, workers: usize) -> bool {
        self.held > places(workers)
    }
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
    /// The spaces that a claim passes over, in order. Of what a pool holds at most, seven can be full.
    pub(super) fn pass_over_full(&mut self, workers: usize) -> Vec<SpaceKey> {
        self.has_place_again = false;
        let mut full = Vec::new();
        for (space, of) in &mut self.spaces {
            of.is_passed_over = of.is_full(workers);
            if of.is_passed_over {
                full.push(space.clone());
            }
        }
        full.sort_unstable();
        debug_assert!(full.len() <= CLAIM_FULL_MAX, "{full:?} of {workers}");
        full
    }

    /// How many jobs of one space a claim may bring. Where one has more than it may have and is not full,
    /// no more than there is place in it, which is at least half of its places.
    pub(super) fn per_space(&self, workers: usize) -> usize {
        let spaces = self.spaces.values();
        let has_more = spaces.filter(|of| of.has_more && !of.is_full(workers));
        let left = has_more.map(|of| held_max(workers).saturating_sub(of.held).max(1));
        left.min().unwrap_or(usize::MAX).min(places(workers))
    }

    /// Of a space that was not passed over the store has no more once a claim brings none of it.
    pub(super) fn note_brought(&mut self, leased: &[&LeasedJob]) {
        let brought: HashSet<&SpaceKey> = leased.iter().map(|one| &one.lease.name.space).collect();
        for (space, of) in &mut self.spaces {
            of.has_more &= of.is_passed_over || brought.contains(space);
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
        if (of.has_more || of.is_passed_over) && !of.is_full(workers) {
            self.hungry = true;
            self.has_place_again = true;
        }
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
