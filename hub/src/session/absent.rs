//! Spaces that were looked for in the store and are not there. A pull opens no space, so one of a
//! user who never wrote would ask the store each time. What is remembered is a view from memory,
//! as that of an open space is: it ends when this node opens the space, when another node says
//! anything of it, and by itself. Nothing of a space is kept but its fingerprint.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::{SpaceView, StoreError};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::entry::Entry;
use super::registry::Sessions;

/// How long it is remembered, about as long as a node that cannot hear others goes without a look
/// at the store.
const KEPT: Duration = Duration::from_secs(3);

/// Spaces that are remembered: one a place. Of two in one place the later is.
const PLACES: usize = 1 << 10;

/// The spaces.
#[derive(Debug)]
pub(super) struct Absent {
    hasher: RandomState,
    places: Box<[Mutex<Place>]>,
    /// Rung when something is heard of a space of that place, and when its session wakes.
    bells: Box<[Notify]>,
}

#[derive(Debug, Default)]
struct Place {
    /// A space's fingerprint, and until when it counts as absent.
    absent: Option<(u64, Instant)>,
    /// How often something was heard of a space of this place.
    heard: u64,
}

/// What is known of a space.
#[derive(Debug, PartialEq, Eq)]
enum Known {
    /// It was not there a moment ago.
    Absent,
    /// The store must be asked; so much was heard before that.
    Nothing(u64),
}

impl Default for Absent {
    fn default() -> Self {
        Absent {
            hasher: RandomState::new(),
            places: (0..PLACES).map(|_| Mutex::default()).collect(),
            bells: (0..PLACES).map(|_| Notify::new()).collect(),
        }
    }
}

impl Absent {
    fn known(&self, space: &SpaceKey, now: Instant) -> Known {
        let (fingerprint, place) = self.place(space);
        let is_absent = |(of, until)| of == fingerprint && now < until;
        match place.absent.is_some_and(is_absent) {
            true => Known::Absent,
            false => Known::Nothing(place.heard),
        }
    }

    /// The store has no such space, which was asked when so much had been heard.
    fn keep(&self, space: &SpaceKey, heard: u64, now: Instant) {
        let (fingerprint, mut place) = self.place(space);
        if place.heard == heard {
            place.absent = Some((fingerprint, now + KEPT));
        }
    }

    /// A space is opened here, or another node says something of it.
    pub(super) fn heard(&self, space: &SpaceKey) {
        self.place(space).1.end();
        self.bell(space).notify_waiters();
    }

    /// A session that slept is woken.
    pub(super) fn wakes(&self, space: &SpaceKey) {
        self.bell(space).notify_waiters();
    }

    /// Waits until a session does not sleep any more with the view that was seen.
    pub(super) async fn woken(&self, entry: &Entry, seen: SpaceView) {
        loop {
            let mut rung = pin!(self.bell(&entry.space).notified());
            rung.as_mut().enable();
            // One that woke before is not rung for again.
            if entry.asleep_at() != Some(seen) {
                return;
            }
            rung.await;
        }
    }

    fn missed(&self) {
        self.places.iter().for_each(|place| lock(place).end());
        self.bells.iter().for_each(Notify::notify_waiters);
    }

    /// Waits until something is heard that may be of this space, which is absent.
    async fn ended(&self, space: &SpaceKey) {
        let mut rung = pin!(self.bell(space).notified());
        rung.as_mut().enable();
        // What was heard before is not rung for again.
        if self.known(space, Instant::now()) == Known::Absent {
            rung.await;
        }
    }

    fn place(&self, space: &SpaceKey) -> (u64, MutexGuard<'_, Place>) {
        let fingerprint = self.hasher.hash_one(space);
        (fingerprint, lock(&self.places[at(fingerprint)]))
    }

    fn bell(&self, space: &SpaceKey) -> &Notify {
        &self.bells[at(self.hasher.hash_one(space))]
    }
}

impl Place {
    fn end(&mut self) {
        self.absent = None;
        self.heard += 1;
    }
}

fn at(fingerprint: u64) -> usize {
    fingerprint as usize % PLACES
}

fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    // A place is whole whatever panicked while it was locked.
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// The entry of a space that is there; none is made of one that is not.
    pub async fn known(&self, space: &SpaceKey) -> Result<Option<Arc<Entry>>, StoreError> {
        // Before the entry is looked for, so that one which is made after that is heard of.
        let known = self.absent().known(space, Instant::now());
        if let Some(entry) = self.find(space) {
            return Ok(Some(entry));
        }
        let Known::Nothing(heard) = known else {
            return Ok(None);
        };
        if self.store().space(space).await?.is_some() {
            return Ok(Some(self.get(space)));
        }
        self.absent().keep(space, heard, Instant::now());
        Ok(None)
    }

    /// Waits until a space that is not there may be there, or so long.
    pub async fn appears(&self, space: &SpaceKey, at_most: Duration) {
        // The time over means the same: look again.
        let _ = timeout(at_most, self.absent().ended(space)).await;
    }

    /// The entry of a space of which another node says something.
    pub(crate) fn heard(&self, space: &SpaceKey) -> Option<Arc<Entry>> {
        self.absent().heard(space);
        self.find(space)
    }

    /// Other nodes may have said anything.
    pub(crate) fn missed(&self) {
        self.absent().missed();
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    fn space(name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(name),
        }
    }

    #[test]
    fn a_space_is_absent_until_its_time_is_over() {
        let (absent, now) = (Absent::default(), Instant::now());
        let ada = space("u:ada");
        assert_eq!(absent.known(&ada, now), Known::Nothing(0));
        absent.keep(&ada, 0, now);
        let last = now + KEPT - Duration::from_nanos(1);
        assert_eq!(absent.known(&ada, last), Known::Absent);
        assert_eq!(absent.known(&ada, now + KEPT), Known::Nothing(0));
    }

    #[test]
    fn what_was_heard_while_the_store_was_asked_counts() {
        let (absent, now) = (Absent::default(), Instant::now());
        let ada = space("u:ada");
        absent.heard(&ada);
        absent.keep(&ada, 0, now);
        assert_eq!(absent.known(&ada, now), Known::Nothing(1));
        absent.keep(&ada, 1, now);
        assert_eq!(absent.known(&ada, now), Known::Absent);
        absent.missed();
        assert_eq!(absent.known(&ada, now), Known::Nothing(2));
    }

    #[test]
    fn any_number_of_strangers_leaves_no_more_than_its_places() {
        let (absent, now) = (Absent::default(), Instant::now());
        let strangers: Vec<_> = (0..2 * PLACES)
            .map(|number| space(&format!("u:{number}")))
            .collect();
        for stranger in &strangers {
            absent.keep(stranger, 0, now);
            assert_eq!(absent.known(stranger, now), Known::Absent);
        }
        let kept = strangers.iter();
        let kept = kept.filter(|stranger| absent.known(stranger, now) == Known::Absent);
        assert!(kept.count() <= PLACES);
    }
}
