//! How long each of many took.

use std::fmt;
use std::time::{Duration, Instant};

use super::cpu::Spent;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// At once.
    pub(crate) sessions: usize,
    /// Changes of a commit.
    pub(crate) changes: usize,
    pub(crate) lasts: Duration,
}

/// The durations of one session, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<u32>);

impl Times {
    /// Notes what began then and has ended.
    pub(crate) fn note(&mut self, began: Instant) {
        self.0
            .push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

/// What all sessions did.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Ascending.
    times_us: Vec<u32>,
    lasted: Duration,
    spent: Option<Spent>,
}

impl Measured {
    pub(crate) fn new(all: impl IntoIterator<Item = Times>, lasted: Duration) -> Measured {
        let mut times_us: Vec<u32> = all.into_iter().flat_map(|times| times.0).collect();
        times_us.sort_unstable();
        Measured {
            times_us,
            lasted,
            spent: None,
        }
    }

    /// The same, with the processor time that passed.
    pub(crate) fn spending(self, spent: Spent) -> Measured {
        let spent = Some(spent);
        Measured { spent, ..self }
    }

    /// Microseconds of processor time each: this process's, and the database's.
    pub(crate) fn cpu_us(&self) -> Option<(f64, f64)> {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.times_us.len().max(1) as f64;
        self.spent
            .map(|spent| (each(spent.ours), each(spent.others)))
    }

    /// A second.
    pub(crate) fn rate(&self) -> f64 {
        self.times_us.len() as f64 / self.lasted.as_secs_f64()
    }

    /// Milliseconds that so many of a hundred took at most.
    fn quantile_ms(&self, percent: usize) -> f64 {
        let at = self.times_us.len() * percent / 100;
        let last = self.times_us.len().saturating_sub(1);
        self.times_us
            .get(at.min(last))
            .map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (half, most) = (self.quantile_ms(50), self.quantile_ms(99));
        write!(f, "{:>10.0} {half:>8.2} {most:>8.2}", self.rate())
    }
}
