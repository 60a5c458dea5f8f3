//! Clocks: the world's one true time, and what devices and nodes make of it.

use syncline_protocol::stamp::Hlc;

/// A device's hybrid logical clock over a wall clock that is off.
#[derive(Clone, Debug)]
pub struct DeviceClock {
    skew_ms: i64,
    last: Hlc,
}

impl DeviceClock {
    /// A clock that is off by so much.
    pub fn new(skew_ms: i64) -> DeviceClock {
        DeviceClock {
            skew_ms,
            last: Hlc::default(),
        }
    }

    /// How far it is off.
    pub fn skew_ms(&self) -> i64 {
        self.skew_ms
    }

    /// A fresh reading.
    pub fn tick(&mut self, true_ms: u64) -> Hlc {
        self.last = self.last.tick(skewed(true_ms, self.skew_ms));
        self.last
    }

    /// Somebody sets it: it is off by so much from now on.
    pub fn set(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// Reads the wall clock, as devices without a logical clock do.
    pub fn read_wall(&mut self, true_ms: u64) -> Hlc {
        self.last = Hlc::new(self.wall_ms(true_ms), 0);
        self.last
    }

    /// What the wall clock shows, without any logic.
    pub fn wall_ms(&self, true_ms: u64) -> u64 {
        skewed(true_ms, self.skew_ms)
    }

    /// The last reading again, as careless writers do.
    pub fn again(&self) -> Option<Hlc> {
        (self.last != Hlc::default()).then_some(self.last)
    }
}

/// A wall clock that is off by `skew_ms`.
pub fn skewed(true_ms: u64, skew_ms: i64) -> u64 {
    true_ms.saturating_add_signed(skew_ms)
}
