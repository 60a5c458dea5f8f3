//! This node among the others.

use serde::{Deserialize, Serialize};

use super::Problems;

/// How sockets are shared out among nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Sockets a second that a node well above the mean tells to come back elsewhere: above it by
    /// more than 100 and by more than a fifth. It ends a little above the mean. 0 to 1,000, default
    /// 5; 0 sheds none.
    pub shed_per_s: u64,
    /// Seconds that every node must have been there before any sheds. 0 to 3,600, default 60.
    pub shed_after_s: u64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        ClusterConfig {
            shed_per_s: 5,
            shed_after_s: 60,
        }
    }
}

impl ClusterConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("cluster.shed_per_s", self.shed_per_s, 0..=1_000);
        problems.range("cluster.shed_after_s", self.shed_after_s, 0..=3_600);
    }
}
