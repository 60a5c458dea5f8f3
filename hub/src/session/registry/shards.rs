//! The entries of a node's spaces, found by their space, in sets that each have a lock of their own.
//!
//! A set grows with a burst of spaces and shrinks when far fewer are left, so that a burst costs
//! memory only while it lasts.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use syncline_protocol::ids::SpaceKey;

use crate::session::entry::Entry;

/// Locks of the entries; a power of two.
const SHARDS: usize = 64;

/// A set of so many places is never too large.
const PLACES_MIN: usize = 64;

/// A set shrinks when less than one place of so many is taken, to twice what it holds: to grow
/// and to shrink it then each take many spaces that come or go.
const PLACES_PER_ENTRY_MAX: usize = 8;

/// All of them.
#[derive(Default)]
pub(super) struct Shards {
    hasher: RandomState,
    sets: Vec<Mutex<Set>>,
}

/// Those of one lock.
#[derive(Default)]
pub(super) struct Set {
    kept: HashSet<Kept>,
    /// Places that were made for them. What a set says of its own leaves out those of entries that
    /// went.
    places: usize,
}

/// An entry, found by its space.
struct Kept(Arc<Entry>);

impl Borrow<SpaceKey> for Kept {
    fn borrow(&self) -> &SpaceKey {
        &self.0.space
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.space.hash(state);
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.0.space == other.0.space
    }
}

impl Eq for Kept {}

impl Shards {
    pub(super) fn new() -> Shards {
        Shards {
            hasher: RandomState::new(),
            sets: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Acts on the set that a space's entry is in, or would be.
    pub(super) fn with<T>(&self, space: &SpaceKey, act: impl FnOnce(&mut Set) -> T) -> T {
        let at = self.hasher.hash_one(space) as usize % SHARDS;
        // A set stays usable whatever panicked while it was locked: entries are whole.
        act(&mut self.sets[at].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every entry there is now.
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        let entries = |set: &Mutex<Set>| {
            let set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.kept
                .iter()
                .map(|kept| kept.0.clone())
                .collect::<Vec<Arc<Entry>>>()
        };
        self.sets.iter().flat_map(entries).collect()
    }
}

impl Set {
    /// The entry of a space.
    pub(super) fn get(&self, space: &SpaceKey) -> Option<&Arc<Entry>> {
        self.kept.get(space).map(|kept| &kept.0)
    }

    /// Puts an entry in the place of its space, whoever had it.
    pub(super) fn put(&mut self, entry: Arc<Entry>) {
        self.kept.replace(Kept(entry));
        self.places = self.places.max(self.kept.capacity());
    }

    /// Takes an entry out, if its space's place is still its own.
    pub(super) fn remove(&mut self, entry: &Arc<Entry>) {
        if self
            .get(&entry.space)
            .is_some_and(|known| Arc::ptr_eq(known, entry))
        {
            self.kept.remove(&entry.space);
            self.give_back();
        }
    }

    /// Gives memory back that a burst of spaces took.
    fn give_back(&mut self) {
        let held = self.kept.len();
        if self.places > PLACES_MIN && held < self.places / PLACES_PER_ENTRY_MAX {
            self.kept.shrink_to(2 * held);
            self.places = self.kept.capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;
    use crate::gateway::intake::tests::session;

    const MANY: usize = 100_000;

    fn entry(n: usize) -> Arc<Entry> {
        let space = SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(&format!("user{n}")),
        };
        Arc::new(Entry::starting(space, session(1)).0)
    }

    impl Shards {
        fn put(&self, entry: &Arc<Entry>) {
            self.with(&entry.space, |set| set.put(entry.clone()));
        }

        fn remove(&self, entry: &Arc<Entry>) {
            self.with(&entry.space, |set| set.remove(entry));
        }

        fn capacity(&self) -> usize {
            let capacities = self
                .sets
                .iter()
                .map(|set| set.lock().unwrap().kept.capacity());
            capacities.sum()
        }
    }

    #[test]
    fn what_a_burst_of_spaces_took_is_given_back_when_they_go() {
        let shards = Shards::new();
        let burst: Vec<Arc<Entry>> = (0..MANY).map(entry).collect();
        burst.iter().for_each(|entry| shards.put(entry));
        assert!(shards.capacity() >= MANY);
        for left in [MANY / 10, MANY / 100, 0] {
            burst[left..].iter().for_each(|entry| shards.remove(entry));
            let most = (PLACES_PER_ENTRY_MAX + 1) * left + 2 * SHARDS * PLACES_MIN;
            assert!(
                shards.capacity() <= most,
                "{} places for {left}",
                shards.capacity()
            );
            assert_eq!(shards.all().len(), left);
            for entry in &burst[..left] {
                let found = shards.with(&entry.space, |set| set.get(&entry.space).cloned());
                assert!(found.is_some_and(|found| Arc::ptr_eq(&found, entry)));
            }
        }
    }

    #[test]
    fn spaces_that_come_and_go_do_not_have_a_set_grow_and_shrink_each_time() {
        let mut set = Set::default();
        let all: Vec<Arc<Entry>> = (0..4_096).map(entry).collect();
        all.iter().for_each(|entry| set.put(entry.clone()));
        let places = set.places;
        // Three of four go, and come back, again and again.
        for _ in 0..8 {
            all[1_024..].iter().for_each(|entry| set.remove(entry));
            assert_eq!(set.places, places);
            for entry in &all[1_024..] {
                set.put(entry.clone());
            }
            assert_eq!(set.places, places);
        }
    }

    #[test]
    fn an_entry_that_another_has_followed_takes_nothing_out() {
        let (shards, old, new) = (Shards::new(), entry(1), entry(1));
        shards.put(&old);
        shards.put(&new);
        shards.remove(&old);
        let found = shards.with(&new.space, |set| set.get(&new.space).cloned());
        assert!(found.is_some_and(|found| Arc::ptr_eq(&found, &new)));
    }
}
