//! How fast one user may push, on all its sockets and requests and in all apps. Without it one who
//! pushes as fast as the machine takes would leave the others what is left.
//!
//! What a user pushes costs time: its changes and its bytes, at the rates of the config, whichever
//! take longer. A user may be ahead of its pace by [`AHEAD`], so what a device collected offline
//! goes at once; one further ahead waits. A push that is let in is so whole, however large, and
//! what comes behind it pays for that. Servers with the service key have no pace: they are the
//! operator's.
//!
//! What a user has told to its other sockets has a pace of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::UserId;
use tokio::time::Instant;

use crate::config::LimitsConfig;
use crate::wheel::{Alarm, Sleeper, Wheel};

/// How far ahead of its pace a user may be.
pub const AHEAD: Duration = Duration::from_secs(10);

/// Users that are remembered before those who kept their pace are looked for and forgotten.
const REMEMBERED_MIN: usize = 1_024;

/// What a push holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Changes; a push without any counts as one.
    pub changes: usize,
    /// Of its message or body.
    pub bytes: usize,
}

/// The paces of a node's users. Who owes nothing is forgotten, also while nobody pushes.
#[derive(Debug)]
pub struct Paces {
    changes_per_s: u64,
    bytes_per_s: u64,
    users: Mutex<Users>,
    wheel: Arc<Wheel>,
    alarm: Alarm,
}

#[derive(Debug)]
struct Users {
    /// When what each pushed will be paid for. Who is not here owes nothing.
    paid_at: HashMap<UserId, Instant>,
    remembered_max: usize,
}

/// The user is too far ahead: how long until it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast(pub Duration);

impl TooFast {
    /// In milliseconds, rounded up.
    pub fn wait_ms(self) -> u64 {
        u64::try_from(self.0.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

impl Paces {
    /// Of pushes.
    pub fn of_pushes(config: &LimitsConfig, wheel: &Arc<Wheel>) -> Arc<Paces> {
        let per_s = (config.user_changes_per_s, config.user_bytes_per_s);
        Paces::new(per_s, wheel)
    }

    /// Of what is told to other sockets and not stored: each that is told counts as a change.
    pub fn of_telling(config: &LimitsConfig, wheel: &Arc<Wheel>) -> Arc<Paces> {
        Paces::new((config.user_told_per_s, u64::MAX), wheel)
    }

    /// Of so many changes and bytes a second.
    fn new((changes_per_s, bytes_per_s): (u64, u64), wheel: &Arc<Wheel>) -> Arc<Paces> {
        Arc::new(Paces {
            changes_per_s,
            bytes_per_s,
            users: Mutex::new(Users {
                paid_at: HashMap::new(),
                remembered_max: REMEMBERED_MIN,
            }),
            wheel: wheel.clone(),
            alarm: Alarm::default(),
        })
    }

    /// Whether a user may push now.
    pub fn check(&self, user: &UserId, now: Instant) -> Result<(), TooFast> {
        self.with(|users| users.check(user, now).map(|_| ()))
    }

    /// Lets a push in, or says how long the user must wait with it.
    pub fn take(self: &Arc<Self>, user: &UserId, load: Load, now: Instant) -> Result<(), TooFast> {
        let cost = self.cost(load);
        self.with(|users| {
            let paid_at = users.check(user, now)?;
            users.forget_some(now);
            users.paid_at.insert(user.clone(), paid_at + cost);
            Ok(())
        })?;
        self.wake_to_forget();
        Ok(())
    }

    fn wake_to_forget(self: &Arc<Self>) {
        let at = self.wheel.after(self.wheel.now(), AHEAD);
        self.wheel.wake_by(self.clone(), at);
    }

    /// Users that are remembered.
    #[cfg(test)]
    pub(in crate::gateway) fn remembered(&self) -> usize {
        self.with(|users| users.paid_at.len())
    }

    fn cost(&self, load: Load) -> Duration {
        let of = |count: usize, per_s: u64| {
            Duration::from_micros((count as u64).saturating_mul(1_000_000) / per_s.max(1))
        };
        let changes = of(load.changes.max(1), self.changes_per_s);
        changes.max(of(load.bytes, self.bytes_per_s))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Users) -> T) -> T {
        // The map is whole whatever panicked while it was locked.
        act(&mut self.users.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sleeper for Paces {
    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn ring(self: Arc<Self>) {
        let is_done = self.with(|users| {
            users.forget(Instant::now());
            users.paid_at.is_empty()
        });
        if !is_done {
            self.wake_to_forget();
        }
    }
}

impl Users {
    /// When what the user pushed so far is paid for, at the earliest now.
    fn check(&self, user: &UserId, now: Instant) -> Result<Instant, TooFast> {
        let paid_at = self
            .paid_at
            .get(user)
            .map_or(now, |paid_at| *paid_at.max(&now));
        let ahead = paid_at - now;
        if ahead >= AHEAD {
            // A tick later it is less.
            return Err(TooFast(ahead - AHEAD + Duration::from_millis(1)));
        }
        Ok(paid_at)
    }

    /// Forgets who owes nothing, each time that twice as many are remembered as then stayed.
    fn forget_some(&mut self, now: Instant) {
        if self.paid_at.len() >= self.remembered_max {
            self.forget(now);
        }
    }

    fn forget(&mut self, now: Instant) {
        self.paid_at.retain(|_, paid_at| *paid_at > now);
        self.remembered_max = (2 * self.paid_at.len()).max(REMEMBERED_MIN);
        self.paid_at.shrink_to(self.remembered_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Load = Load {
        changes: 1,
        bytes: 100,
    };

    fn paces(changes_per_s: u64, bytes_per_s: u64) -> Arc<Paces> {
        let wheel = Arc::new(Wheel::new(1, AHEAD));
        Paces::new((changes_per_s, bytes_per_s), &wheel)
    }

    fn user(name: &str) -> UserId {
        UserId::trusted(name)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pushes_are_let_in_up_to_the_limit_and_one_past_it_waits() {
        let (paces, now) = (paces(5, 1 << 20), Instant::now());
        for _ in 0..50 {
            paces.take(&user("ada"), ONE, now).unwrap();
        }
        let too_fast = paces.take(&user("ada"), ONE, now).unwrap_err();
        assert_eq!(paces.check(&user("ada"), now), Err(too_fast));
        assert_eq!(too_fast.wait_ms(), 1);
        // It has a pace, and others have theirs.
        paces.take(&user("bob"), ONE, now).unwrap();
        let later = now + too_fast.0;
        paces.take(&user("ada"), ONE, later).unwrap();
        let too_fast = paces.take(&user("ada"), ONE, later).unwrap_err();
        assert_eq!(too_fast.wait_ms(), 200);
    }

    #[test]
    fn bytes_count_where_they_take_longer_than_changes() {
        let (paces, now) = (paces(1_000, 1_000), Instant::now());
        let bytes = |bytes| Load { changes: 1, bytes };
        paces.take(&user("ada"), bytes(9_999), now).unwrap();
        paces.take(&user("ada"), bytes(1), now).unwrap();
        assert!(paces.take(&user("ada"), bytes(1), now).is_err());
    }

    #[test]
    fn a_push_larger_than_the_limit_is_let_in_and_paid_for_by_what_follows() {
        let (paces, now) = (paces(100, 1 << 20), Instant::now());
        let large = Load {
            changes: 20_000,
            bytes: 1,
        };
        paces.take(&user("ada"), ONE, now).unwrap();
        paces.take(&user("ada"), large, now).unwrap();
        let TooFast(wait) = paces.take(&user("ada"), ONE, now).unwrap_err();
        assert!((secs(190)..secs(191)).contains(&wait), "{wait:?}");
        paces.take(&user("ada"), large, now + wait).unwrap();
    }

    #[test]
    fn a_push_of_nothing_counts_as_a_change() {
        let (paces, now) = (paces(1, 1 << 20), Instant::now());
        let nothing = Load {
            changes: 0,
            bytes: 0,
        };
        let let_in = (0..20).filter(|_| paces.take(&user("ada"), nothing, now).is_ok());
        assert_eq!(let_in.count(), 10);
    }

    #[test]
    fn who_kept_its_pace_is_forgotten() {
        let (paces, now) = (paces(1, 1 << 20), Instant::now());
        for n in 0..REMEMBERED_MIN {
            paces.take(&user(&format!("u{n}")), ONE, now).unwrap();
        }
        assert_eq!(paces.remembered(), REMEMBERED_MIN);
        paces.take(&user("late"), ONE, now + secs(1)).unwrap();
        assert_eq!(paces.remembered(), 1);
    }
}
