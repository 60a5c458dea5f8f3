//! Servers to which jobs of the kind `webhook` are posted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_compute::webhook::{
    REPLY_BYTES_MAX, Secret, TIMEOUT_MS, WebhookConfig as Endpoint, Webhooks,
};
use syncline_protocol::ids::AppId;

use super::hidden::Hidden;
use super::{Problems, shown};

/// The endpoints by name, `[webhooks.NAME]`.
pub type WebhookConfigs = BTreeMap<String, WebhookConfig>;

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where events are posted: `https://…`, or `http://…` where `private` is set. A user and a
    /// password in it are sent, and it is never shown.
    pub url: Option<Hidden>,
    /// What signs events: at least 32 bytes, or `whsec_` and their base64.
    pub secret: Option<Hidden>,
    /// The secret before it. While it is set events carry a signature of each.
    pub old_secret: Option<Hidden>,
    /// How long an answer may take, all of it. 100 to 120,000 ms, default 10,000.
    pub timeout_ms: u64,
    /// It is a server of the cluster: at private addresses, at any port, also without TLS. Default
    /// false.
    pub private: bool,
    /// Ports other than 443 and 80 that it may be at.
    pub ports: Vec<u16>,
    /// Bytes of an answer; a longer one counts as none. 1 to 10,485,760, default 1,048,576.
    pub reply_bytes_max: u64,
    /// Users may have their notifications posted to it. Default false.
    pub notifications: bool,
    /// Apps whose triggers and schedules may post to it; empty: every app's. It must be said where a
    /// trigger takes the endpoint's name from a record (`to = "$after.…"`), since then users choose.
    #[serde(deserialize_with = "super::apps", serialize_with = "shown::list")]
    pub apps: Vec<AppId>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        WebhookConfig {
            url: None,
            secret: None,
            old_secret: None,
            timeout_ms: TIMEOUT_MS,
            private: false,
            ports: Vec::new(),
            reply_bytes_max: REPLY_BYTES_MAX as u64,
            notifications: false,
            apps: Vec::new(),
        }
    }
}

impl WebhookConfig {
    fn endpoint(&self) -> Endpoint {
        let secret = |hidden: &Option<Hidden>| {
            let text = hidden.as_ref().map_or("", Hidden::reveal);
            Secret::new(text)
        };
        Endpoint {
            url: secret(&self.url),
            secret: secret(&self.secret),
            old_secret: self
                .old_secret
                .as_ref()
                .map(|old| Secret::new(old.reveal())),
            timeout_ms: self.timeout_ms,
            private: self.private,
            ports: self.ports.clone(),
            reply_bytes_max: usize::try_from(self.reply_bytes_max).unwrap_or(usize::MAX),
            apps: self.apps.clone(),
        }
    }
}

/// The endpoints, ready to be posted to by a pool of so many workers. Errors: everything that is
/// wrong with them.
pub(crate) fn endpoints(configs: &WebhookConfigs, pool: usize) -> Result<Webhooks, Vec<String>> {
    let endpoints = configs
        .iter()
        .map(|(name, config)| (name.clone(), config.endpoint()));
    Webhooks::of(&endpoints.collect(), pool)
}

pub(super) fn check(configs: &WebhookConfigs, problems: &mut Problems) {
    for why in endpoints(configs, 1).err().unwrap_or_default() {
        problems.push("webhooks", why);
    }
}
