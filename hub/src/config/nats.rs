//! The bus between nodes.

use serde::{Deserialize, Serialize};

use super::{Problems, shown};

/// The bus between nodes. Without it a node is alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// `nats://HOST:PORT`. Default: none, and the bus is in the process.
    #[serde(serialize_with = "shown::secret")]
    pub url: Option<String>,
}

impl NatsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.url.is_some() {
            problems.push(
                "nats.url",
                "asks for a cluster, which is not built yet; leave it out for one node",
            );
        }
    }
}
