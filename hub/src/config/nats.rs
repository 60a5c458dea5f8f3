//! The bus between nodes.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Problems, parse, shown};

/// The bus between nodes. Without it a node is alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// `nats://HOST:PORT`. Default: none, and the bus is in the process.
    #[serde(deserialize_with = "url", serialize_with = "shown::secret")]
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

/// It may hold a password.
fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    parse::secret(from).map(Some)
}
