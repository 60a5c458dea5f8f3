//! The replies that peers are taking, and which of them is given up when there is no room for
//! others. Whoever takes a reply at [`PRESSED_BYTES_PER_S`] keeps it; of the others the slowest goes
//! first, and no more of them than must. So slow readers, however many, keep nobody out; while there
//! is room for all they have the time of [`ToBeTaken`](super::owed::ToBeTaken).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::time::Instant;

/// How fast a reply must have been taken, on the whole, while others wait for its room.
const PRESSED_BYTES_PER_S: u64 = 64 << 10;

/// What that leaves out of account at the beginning: a peer may be far away.
const PRESSED_GRACE: Duration = Duration::from_secs(5);

/// A reply that is held until it is taken.
#[derive(Debug)]
pub(super) struct Taking {
    began: Instant,
    bytes_taken: AtomicU64,
    end: Mutex<End>,
}

#[derive(Debug, Default)]
struct End {
    is_given_up: bool,
    /// The connection that waits for its peer.
    waker: Option<Waker>,
}

impl Taking {
    pub(super) fn begin() -> Arc<Taking> {
        Arc::new(Taking {
            began: Instant::now(),
            bytes_taken: AtomicU64::new(0),
            end: Mutex::default(),
        })
    }

    /// The peer took some of it.
    pub(super) fn took(&self, bytes: u64) {
        self.bytes_taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether it is given up. If not, the connection is woken when it is.
    pub(super) fn is_given_up(&self, cx: &mut Context<'_>) -> bool {
        let mut end = locked(&self.end);
        if !end.is_given_up {
            end.waker = Some(cx.waker().clone());
        }
        end.is_given_up
    }

    fn give_up(&self) {
        let mut end = locked(&self.end);
        end.is_given_up = true;
        if let Some(waker) = end.waker.take() {
            waker.wake();
        }
    }

    /// Bytes a second so far if that is too little under pressure.
    fn behind(&self, now: Instant) -> Option<u64> {
        let taken = self.bytes_taken.load(Ordering::Relaxed);
        let since = now - self.began;
        let counted_ms = since.saturating_sub(PRESSED_GRACE).as_millis() as u64;
        let is_behind = taken < PRESSED_BYTES_PER_S * counted_ms / 1_000;
        is_behind.then(|| taken * 1_000 / (since.as_millis() as u64).max(1))
    }
}

/// The replies that hold a room. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Takings {
    all: Arc<Mutex<All>>,
    given_up: IntCounter,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    held: BTreeMap<u64, (Weak<Taking>, usize)>,
}

/// Keeps a reply among those that hold room.
#[derive(Debug)]
pub(super) struct Listed {
    no: u64,
    all: Arc<Mutex<All>>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        locked(&self.all).held.remove(&self.no);
    }
}

impl Takings {
    /// None yet; those given up are counted.
    pub(super) fn new(given_up: IntCounter) -> Takings {
        Takings {
            all: Arc::default(),
            given_up,
        }
    }

    /// A reply holds so many bytes until what this returns is dropped.
    pub(super) fn add(&self, taking: &Arc<Taking>, bytes: usize) -> Listed {
        let mut all = locked(&self.all);
        all.next += 1;
        let no = all.next;
        all.held.insert(no, (Arc::downgrade(taking), bytes));
        let all = self.all.clone();
        Listed { no, all }
    }

    /// Somebody waits for so many bytes: of the replies that are taken too slowly the slowest are
    /// given up, the oldest of equals first, until they held as much.
    pub(super) fn press(&self, bytes: usize) {
        let now = Instant::now();
        let mut behind: Vec<(u64, u64, Arc<Taking>, usize)> = Vec::new();
        for (no, (taking, held)) in &locked(&self.all).held {
            let Some(taking) = taking.upgrade() else {
                continue;
            };
            if let Some(bytes_per_s) = taking.behind(now) {
                behind.push((bytes_per_s, *no, taking, *held));
            }
        }
        behind.sort_unstable_by_key(|(bytes_per_s, no, ..)| (*bytes_per_s, *no));
        let mut free = 0;
        for (.., taking, held) in behind {
            if free >= bytes {
                return;
            }
            free += held;
            if !locked(&taking.end).is_given_up {
                taking.give_up();
                self.given_up.inc();
            }
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is whole whatever panicked while it was locked.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1_024;

    fn takings() -> Takings {
        Takings::new(IntCounter::new("given_up", "given up").unwrap())
    }

    fn is_given_up(taking: &Taking) -> bool {
        taking.is_given_up(&mut Context::from_waker(Waker::noop()))
    }

    /// A reply of which so many bytes were taken, and ten seconds later.
    async fn after_ten_seconds(bytes_taken: u64) -> Arc<Taking> {
        let taking = Taking::begin();
        tokio::time::advance(Duration::from_secs(10)).await;
        taking.took(bytes_taken);
        taking
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_taken_at_the_pace_stays_and_one_below_it_goes() {
        let paced = PRESSED_BYTES_PER_S * 5;
        for (bytes_taken, goes) in [(paced, false), (paced - 1, true)] {
            let takings = takings();
            let taking = after_ten_seconds(bytes_taken).await;
            let _listed = takings.add(&taking, KIB);
            takings.press(1);
            assert_eq!(is_given_up(&taking), goes, "{bytes_taken}");
            assert_eq!(takings.given_up.get(), u64::from(goes));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_too_slow_at_the_beginning() {
        let (takings, taking) = (takings(), Taking::begin());
        let _listed = takings.add(&taking, KIB);
        tokio::time::advance(PRESSED_GRACE).await;
        takings.press(1);
        assert!(!is_given_up(&taking));
        tokio::time::advance(Duration::from_millis(1)).await;
        takings.press(1);
        assert!(is_given_up(&taking));
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_go_and_no_more_than_must() {
        let takings = takings();
        let replies = [
            after_ten_seconds(300),
            after_ten_seconds(200),
            after_ten_seconds(100),
        ];
        let mut held = Vec::new();
        for reply in replies {
            let taking = reply.await;
            held.push((takings.add(&taking, KIB), taking));
        }
        // They are 30, 20 and 10 seconds old.
        let gone = || held.iter().map(|(_, taking)| is_given_up(taking));
        takings.press(KIB);
        assert_eq!(gone().collect::<Vec<_>>(), [true, false, false]);
        // What is given up already is on its way.
        takings.press(KIB);
        assert_eq!(takings.given_up.get(), 1);
        takings.press(KIB + 1);
        assert_eq!(gone().filter(|is| *is).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_is_not_among_them() {
        let takings = takings();
        let taking = after_ten_seconds(0).await;
        drop(takings.add(&taking, KIB));
        takings.press(KIB);
        assert!(!is_given_up(&taking));
        assert!(locked(&takings.all).held.is_empty());
    }
}
