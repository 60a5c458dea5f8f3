//! How long what is deleted is kept.

use serde::{Deserialize, Serialize};

use super::Problems;

/// What is collected when, and how fast.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days that a deleted record is known to have been deleted. A device away for longer takes a
    /// snapshot. What is known of a client's last mutations is kept twice as long after its last
    /// one. 1 to 3,650, default 30.
    pub days: u64,
    /// Milliseconds from one walk through all spaces to the next, on average: nodes part by
    /// chance. 1 to 604,800,000 (a week), default 3,600,000.
    pub interval_ms: u64,
    /// Records, and clients, collected in one transaction; of records 4 MiB at most, or one. 1 to
    /// 10,000, default 500.
    pub batch: u64,
    /// Milliseconds between two transactions, so that commits go before. 0 to 60,000, default 50.
    pub pause_ms: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        RetentionConfig {
            days: 30,
            interval_ms: 3_600_000,
            batch: 500,
            pause_ms: 50,
        }
    }
}

impl RetentionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("retention.days", self.days, 1..=3_650);
        let week_ms = 604_800_000;
        problems.range("retention.interval_ms", self.interval_ms, 1..=week_ms);
        problems.range("retention.batch", self.batch, 1..=10_000);
        problems.range("retention.pause_ms", self.pause_ms, 0..=60_000);
    }
}
