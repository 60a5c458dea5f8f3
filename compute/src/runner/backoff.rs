//! Waiting longer and longer while something fails.

use crate::jobs::retry::RetryPolicy;

/// From a tenth of a second to five.
const WAITS: RetryPolicy = RetryPolicy {
    attempts_max: u32::MAX,
    first_ms: 100,
    longest_ms: 5_000,
};

/// When something that failed is tried again, in the runner's time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    /// Not before this.
    pub(super) until_run_ms: u64,
}

impl Backoff {
    /// It failed.
    pub(super) fn failed(&mut self, run_ms: u64, seed: u64) {
        self.failures = self.failures.saturating_add(1);
        self.until_run_ms = run_ms + WAITS.wait_ms(self.failures, seed);
    }

    /// It went well.
    pub(super) fn went_well(&mut self) {
        *self = Backoff::default();
    }

    /// It may be tried.
    pub(super) fn is_over(&self, run_ms: u64) -> bool {
        run_ms >= self.until_run_ms
    }
}
