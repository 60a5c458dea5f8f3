//! How many events an endpoint is given at once: a part of the pool, so that one which is slow or
//! dead leaves the rest to others.
//!
//! Who finds no place is told when to come again. That is later the more were turned away since the
//! endpoint last ended one, so that the jobs of a dead endpoint are not claimed and given back as
//! fast as the store can.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// An endpoint has this part of a pool.
const PART: usize = 4;

/// The wait of the first that are turned away, in milliseconds.
const WAIT_MS: u64 = 1_000;

/// The longest wait. A server that comes back is posted to within it.
const WAIT_MS_MAX: u64 = 30_000;

/// The places of an endpoint.
pub(super) struct Places {
    free: Semaphore,
    /// How many there are.
    size: u64,
    /// Jobs that found none, since one was last given back.
    turned_away: AtomicU64,
}

/// One that is taken until it is dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    _permit: SemaphorePermit<'a>,
}

impl Places {
    /// Of a pool of so many workers: a quarter of them, and at least one.
    pub(super) fn of(pool: usize) -> Places {
        // No machine has more workers than that.
        let size = (pool / PART).clamp(1, Semaphore::MAX_PERMITS);
        Places {
            free: Semaphore::new(size),
            size: size as u64,
            turned_away: AtomicU64::new(0),
        }
    }

    /// Takes one. Errors: there is none; how long to wait, in milliseconds.
    pub(super) fn take(&self) -> Result<Place<'_>, u64> {
        match self.free.try_acquire() {
            Ok(permit) => Ok(Place {
                places: self,
                _permit: permit,
            }),
            Err(_) => {
                let before = self.turned_away.fetch_add(1, Ordering::Relaxed);
                let wait_ms = WAIT_MS.saturating_mul(1 + before / self.size);
                Err(wait_ms.min(WAIT_MS_MAX))
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.places.turned_away.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_quarter_of_the_pool_and_not_one_more() {
        for (pool, size) in [(0, 1), (1, 1), (7, 1), (8, 2), (11, 2), (32, 8)] {
            let places = Places::of(pool);
            let taken: Vec<_> = (0..size).map(|_| places.take()).collect();
            assert!(taken.iter().all(Result::is_ok), "{pool}");
            assert!(places.take().is_err(), "{pool}");
            drop(taken);
            assert!(places.take().is_ok(), "{pool}");
        }
        let most = Places::of(usize::MAX).free.available_permits();
        assert_eq!(most, Semaphore::MAX_PERMITS);
    }

    #[test]
    fn who_is_turned_away_waits_longer_the_more_there_are() {
        let places = Places::of(8);
        let [first, second] = [places.take(), places.take()];
        let waits: Vec<u64> = (0..5).filter_map(|_| places.take().err()).collect();
        assert_eq!(waits, [1_000, 1_000, 2_000, 2_000, 3_000]);
        for _ in 0..100 {
            assert!(places.take().is_err());
        }
        assert_eq!(places.take().err(), Some(30_000));
        drop(first);
        let again = places.take();
        assert_eq!((again.is_ok(), places.take().err()), (true, Some(1_000)));
        drop(second);
    }
}
