//! The protocol of the first user's clients.

use serde::{Deserialize, Serialize};

/// Whether it is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatConfig {
    /// Serve `/sync/…` and `/ws/…`. Its clients cannot be told to begin anew, so where it is on
    /// the keys of deleted records are kept for ever and only their fields collected. Default
    /// true.
    pub enabled: bool,
}

impl Default for CompatConfig {
    fn default() -> Self {
        CompatConfig { enabled: true }
    }
}
