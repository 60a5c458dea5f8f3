//! Deadlines by the ten thousand: one wheel for every worker instead of a timer for every
//! socket.
//!
//! Time is coarse here: it moves in ticks. Who waits has one place in the wheel, is woken when
//! its slot comes, looks what time it is, and takes its next place. Setting a place again
//! leaves the old one behind, which is passed over when its slot comes. A place keeps nobody
//! alive: who is gone is passed over too.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// A tick lasts no longer than this, and no shorter than the next.
const TICK_MAX: Duration = Duration::from_millis(100);
const TICK_MIN: Duration = Duration::from_millis(5);

/// Slots of a wheel: with the longest tick, nearly a minute. Who waits longer looks earlier.
const SLOTS: u64 = 512;

/// A coarse moment: ticks since the wheel began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u32);

/// Who waits for a moment.
pub trait Sleeper: Send + Sync {
    /// Its place in the wheel.
    fn alarm(&self) -> &Alarm;

    /// Its moment has come.
    fn ring(self: Arc<Self>);
}

/// The moment somebody waits for, and whether it has come.
#[derive(Debug)]
pub struct Alarm(AtomicU32);

/// No moment.
const UNSET: u32 = u32::MAX;

impl Default for Alarm {
    fn default() -> Self {
        Alarm(AtomicU32::new(UNSET))
    }
}

impl Alarm {
    /// The moment; `None` if it has come or was never set.
    pub fn set_for(&self) -> Option<Tick> {
        match self.0.load(Ordering::Acquire) {
            UNSET => None,
            tick => Some(Tick(tick)),
        }
    }
}

type Slot = Mutex<Vec<Weak<dyn Sleeper>>>;

/// The wheels of a node, all turned by one task.
pub struct Wheel {
    wheels: Box<[Box<[Slot]>]>,
    next_wheel: AtomicU64,
    now: AtomicU32,
    tick: Duration,
}

impl std::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wheel")
            .field("now", &self.now)
            .field("tick", &self.tick)
            .finish_non_exhaustive()
    }
}

impl Wheel {
    /// Wheels for so many workers, fine enough for deadlines of `shortest`.
    pub fn new(workers: usize, shortest: Duration) -> Wheel {
        let wheel = || (0..SLOTS).map(|_| Slot::default()).collect();
        Wheel {
            wheels: (0..workers.max(1)).map(|_| wheel()).collect(),
            next_wheel: AtomicU64::new(0),
            now: AtomicU32::new(0),
            tick: (shortest / 8).clamp(TICK_MIN, TICK_MAX),
        }
    }

    /// The moment that is now.
    pub fn now(&self) -> Tick {
        Tick(self.now.load(Ordering::Relaxed))
    }

    /// The moment so long after another: not earlier, and less than two ticks later.
    pub fn after(&self, since: Tick, wait: Duration) -> Tick {
        let ticks = wait.as_nanos().div_ceil(self.tick.as_nanos());
        let ticks = u32::try_from(ticks).unwrap_or(UNSET).saturating_add(1);
        Tick(since.0.saturating_add(ticks).min(UNSET - 1))
    }

    /// How long until a moment; `None` if it has come.
    pub fn until(&self, moment: Tick) -> Option<Duration> {
        let ticks = moment
            .0
            .checked_sub(self.now().0)
            .filter(|ticks| *ticks > 0)?;
        Some(self.tick * ticks)
    }

    /// Wakes somebody at a moment, or earlier if that is too far away; at the next tick if it
    /// has passed. An earlier place of the same one is void.
    pub fn wake_at(&self, sleeper: Arc<dyn Sleeper>, at: Tick) {
        let now = self.now().0;
        let farthest = now.saturating_add(SLOTS as u32 - 1);
        let at = at.0.clamp(now + 1, farthest);
        sleeper.alarm().0.store(at, Ordering::Release);
        let wheel = self.next_wheel.fetch_add(1, Ordering::Relaxed) as usize % self.wheels.len();
        let slot = &self.wheels[wheel][(u64::from(at) % SLOTS) as usize];
        lock(slot).push(Arc::downgrade(&sleeper));
        // The wheel may have turned past the slot meanwhile.
        if self.now().0 >= at {
            ring(sleeper, at);
        }
    }

    /// Wakes somebody at a moment or before it: a place that comes earlier is kept, so whoever
    /// asks often has one place and not many.
    pub fn wake_by(&self, sleeper: Arc<dyn Sleeper>, at: Tick) {
        let earlier = |set: Tick| set > self.now() && set <= at;
        if !sleeper.alarm().set_for().is_some_and(earlier) {
            self.wake_at(sleeper, at);
        }
    }

    /// Places taken, those left behind included.
    #[cfg(test)]
    fn place_count(&self) -> usize {
        let slots = self.wheels.iter().flatten();
        slots.map(|slot| lock(slot).len()).sum()
    }

    /// Moves time to a moment and wakes who waited for one until then. It is that moment before
    /// anybody is woken: after a stop of the process nobody sees the time between.
    pub fn turn_to(&self, now: Tick) {
        let before = self.now.swap(now.0, Ordering::AcqRel);
        let last = now.0.min(before.saturating_add(SLOTS as u32));
        for at in before.saturating_add(1)..=last {
            for wheel in &self.wheels {
                let slot = &wheel[(u64::from(at) % SLOTS) as usize];
                let places = std::mem::take(&mut *lock(slot));
                for place in places {
                    let Some(sleeper) = place.upgrade() else {
                        continue;
                    };
                    // Who waits for the slot's next round may have come before it was emptied.
                    let is_later =
                        |set: Tick| set > now && (set.0 - at).is_multiple_of(SLOTS as u32);
                    if sleeper.alarm().set_for().is_some_and(is_later) {
                        lock(slot).push(place);
                    } else {
                        ring(sleeper, at);
                    }
                }
            }
        }
    }

    /// Turns the wheel for ever.
    pub async fn run(&self) {
        let (began, first) = (Instant::now(), self.now().0);
        let mut ticks = interval_at(began + self.tick, self.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let passed = began.elapsed().as_nanos() / self.tick.as_nanos();
            let passed = u32::try_from(passed).unwrap_or(UNSET);
            self.turn_to(Tick(first.saturating_add(passed).min(UNSET - 1)));
        }
    }
}

/// Wakes one whose moment this is; any other place of it is passed over.
fn ring(sleeper: Arc<dyn Sleeper>, at: u32) {
    let alarm = &sleeper.alarm().0;
    let rung = alarm.compare_exchange(at, UNSET, Ordering::AcqRel, Ordering::Relaxed);
    if rung.is_ok() {
        sleeper.ring();
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Vec<Weak<dyn Sleeper>>> {
    // A list is whole whatever panicked while it was locked.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Bell {
        alarm: Alarm,
        rung: AtomicU32,
    }

    impl Sleeper for Bell {
        fn alarm(&self) -> &Alarm {
            &self.alarm
        }

        fn ring(self: Arc<Self>) {
            self.rung.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn rung(&self) -> u32 {
            self.rung.load(Ordering::Relaxed)
        }
    }

    fn wheel() -> Wheel {
        Wheel::new(2, TICK_MAX * 8)
    }

    fn turn(wheel: &Wheel, times: u32) {
        (0..times).for_each(|_| wheel.turn_to(Tick(wheel.now().0 + 1)));
    }

    #[test]
    fn a_bell_rings_once_at_its_tick_and_not_one_before() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        wheel.wake_at(bell.clone(), Tick(5));
        turn(&wheel, 4);
        assert_eq!(bell.rung(), 0);
        turn(&wheel, 1);
        assert_eq!(bell.rung(), 1);
        turn(&wheel, 2 * SLOTS as u32);
        assert_eq!(bell.rung(), 1);
    }

    #[test]
    fn all_that_passed_rings_when_it_is_now() {
        let wheel = wheel();
        let bells = [3, 4, 400].map(|at| {
            let bell = Arc::new(Bell::default());
            wheel.wake_at(bell.clone(), Tick(at));
            bell
        });
        wheel.turn_to(Tick(399));
        assert_eq!(bells.each_ref().map(|bell| bell.rung()), [1, 1, 0]);
        wheel.turn_to(Tick(5_000));
        assert_eq!(bells.each_ref().map(|bell| bell.rung()), [1, 1, 1]);
    }

    /// Has another one wait as long as it may when it rings.
    struct Chained(Alarm, Arc<Wheel>, Arc<Bell>);

    impl Sleeper for Chained {
        fn alarm(&self) -> &Alarm {
            &self.0
        }

        fn ring(self: Arc<Self>) {
            self.1.wake_at(self.2.clone(), Tick(UNSET - 1));
        }
    }

    #[test]
    fn a_place_for_the_next_round_is_kept_when_its_slot_is_passed() {
        let (wheel, bell) = (Arc::new(wheel()), Arc::new(Bell::default()));
        let first = Arc::new(Chained(Alarm::default(), wheel.clone(), bell.clone()));
        wheel.wake_at(first.clone(), Tick(1));
        wheel.turn_to(Tick(5));
        assert_eq!(bell.alarm.set_for(), Some(Tick(5 + SLOTS as u32 - 1)));
        turn(&wheel, SLOTS as u32 - 1);
        assert_eq!(bell.rung(), 1);
    }

    #[test]
    fn a_moment_that_passed_is_the_next_tick() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        turn(&wheel, 10);
        wheel.wake_at(bell.clone(), Tick(3));
        turn(&wheel, 1);
        assert_eq!(bell.rung(), 1);
    }

    #[test]
    fn a_moment_beyond_the_wheel_rings_at_its_edge() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        wheel.wake_at(bell.clone(), Tick(1_000_000));
        assert_eq!(bell.alarm.set_for(), Some(Tick(SLOTS as u32 - 1)));
        turn(&wheel, SLOTS as u32 - 1);
        assert_eq!(bell.rung(), 1);
    }

    #[test]
    fn a_place_set_again_rings_at_the_last_moment_only() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        wheel.wake_at(bell.clone(), Tick(9));
        wheel.wake_at(bell.clone(), Tick(4));
        wheel.wake_at(bell.clone(), Tick(6));
        for (turns, rung) in [(5, 0), (1, 1), (20, 1)] {
            turn(&wheel, turns);
            assert_eq!(bell.rung(), rung);
        }
    }

    #[test]
    fn who_asks_often_has_one_place() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        for at in 5..300 {
            wheel.wake_by(bell.clone(), Tick(at));
        }
        assert_eq!(wheel.place_count(), 1);
        wheel.wake_by(bell.clone(), Tick(3));
        turn(&wheel, 3);
        assert_eq!(bell.rung(), 1);
        wheel.wake_by(bell.clone(), Tick(9));
        turn(&wheel, 6);
        assert_eq!(bell.rung(), 2);
    }

    #[test]
    fn a_place_keeps_nobody_alive() {
        let (wheel, bell) = (wheel(), Arc::new(Bell::default()));
        wheel.wake_at(bell.clone(), Tick(5));
        let weak = Arc::downgrade(&bell);
        drop(bell);
        assert!(weak.upgrade().is_none());
        turn(&wheel, 5);
        assert_eq!(wheel.place_count(), 0);
    }

    #[test]
    fn a_wait_is_never_cut_short() {
        let wheel = wheel();
        for ms in [0, 1, 99, 100, 101, 30_000] {
            let wait = Duration::from_millis(ms);
            let ticks = wheel.after(Tick(7), wait).0 - 7;
            // The tick that is now may be nearly over.
            assert!(TICK_MAX * (ticks - 1) >= wait, "{ms}");
            assert!(TICK_MAX * (ticks - 1) < wait + TICK_MAX, "{ms}");
        }
    }

    #[test]
    fn everybody_is_woken_whatever_turns_meanwhile() {
        let wheel = Arc::new(wheel());
        let bells: Vec<_> = (0..2_000).map(|_| Arc::new(Bell::default())).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| turn(&wheel, 3_000));
            for bell in &bells {
                wheel.wake_at(bell.clone(), Tick(wheel.now().0 + 1));
            }
        });
        turn(&wheel, SLOTS as u32);
        assert!(bells.iter().all(|bell| bell.rung() == 1));
    }
}
