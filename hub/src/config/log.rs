//! What is logged, and how.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::Problems;

/// The log, which goes to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// One line of text or one JSON object an event. Default text.
    pub format: LogFormat,
    /// What is logged: `info`, or `warn,syncline_hub=debug`. Default `info,async_nats=off`: the
    /// client of the bus tells each thing that happens to it, and the hub tells what matters of it.
    pub filter: String,
}

/// The form of a logged event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            format: LogFormat::Text,
            filter: "info,async_nats=off".into(),
        }
    }
}

impl LogConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            problems.push("log.filter", format!("cannot be read: {error}"));
        }
    }
}
