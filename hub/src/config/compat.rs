//! The protocol of the first user's clients.

use serde::{Deserialize, Serialize};

use super::Problems;

/// Whether it is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatConfig {
    /// Serve `/sync/…` and `/ws/…`. Its clients cannot be told to begin anew, so where it is on
    /// the keys of deleted records are kept for ever and only their fields collected. Default
    /// true.
    pub enabled: bool,
    /// How long a pull is held, at most, of a device that asks the same more than five times within a
    /// second. It is answered before if something changes. 0 to 3,600,000 ms, default 1,000; 0
    /// holds none.
    pub pull_held_ms: u64,
}

impl Default for CompatConfig {
    fn default() -> Self {
        CompatConfig {
            enabled: true,
            pull_held_ms: 1_000,
        }
    }
}

impl CompatConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("compat.pull_held_ms", self.pull_held_ms, 0..=3_600_000);
    }
}
