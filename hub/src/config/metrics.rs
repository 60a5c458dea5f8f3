//! What Prometheus may read.

use serde::{Deserialize, Serialize};

/// Where metrics are shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// `/metrics` also on the public listener; it is always on the admin listener. Default
    /// true.
    pub public: bool,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        MetricsConfig { public: true }
    }
}
