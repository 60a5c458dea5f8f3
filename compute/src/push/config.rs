//! How pushes are sent, and what is wrong with that.

use std::fmt;

use serde::Deserialize;

use super::keys::VapidKeys;
use super::vapid::check_contact;

/// How long an answer may take by default, all of it, in milliseconds.
pub const TIMEOUT_MS: u64 = 10_000;

/// The shortest such time.
pub const TIMEOUT_MS_MIN: u64 = 100;

/// The longest.
pub const TIMEOUT_MS_CEILING: u64 = 120_000;

/// Ports that may be named.
pub const PORTS_MAX: usize = 32;

/// How pushes are sent.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// The private key of [`VapidKeys`]. Another one loses every subscription.
    pub private_key: String,
    /// Whom the people of a push service write to: `mailto:…` or `https://…`.
    pub contact: String,
    /// How long an answer may take, all of it, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Push services of the cluster are reached too: at private addresses, at any port, also without
    /// TLS. Addresses come from users, so this lets them ask what only the hub can reach.
    #[serde(default)]
    pub private: bool,
    /// Other ports than 443 and 80 that push services may be at.
    #[serde(default)]
    pub ports: Vec<u16>,
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

impl fmt::Debug for PushConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushConfig")
            .field("contact", &self.contact)
            .field("timeout_ms", &self.timeout_ms)
            .field("private", &self.private)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl PushConfig {
    /// The key. Errors: everything that is wrong with the config, a sentence each.
    pub(super) fn check(&self) -> Result<VapidKeys, Vec<String>> {
        let mut wrong = Vec::new();
        let keys = VapidKeys::parse(&self.private_key);
        let keys = keys.map_err(|error| wrong.push(format!("push: private_key: {error}")));
        if let Err(why) = check_contact(&self.contact) {
            wrong.push(format!("push: {why}"));
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_CEILING).contains(&self.timeout_ms) {
            wrong.push(format!(
                "push: timeout_ms: between {TIMEOUT_MS_MIN} and {TIMEOUT_MS_CEILING}"
            ));
        }
        if self.ports.len() > PORTS_MAX || self.ports.contains(&0) {
            wrong.push(format!("push: ports: at most {PORTS_MAX}, and none is 0"));
        }
        match keys {
            Ok(keys) if wrong.is_empty() => Ok(keys),
            _ => Err(wrong),
        }
    }
}
