//! Endpoints as the config has them, and what is wrong with one.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;
use syncline_protocol::ids::AppId;

use super::signature::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, bytes_of};
use crate::outgoing::address;
use crate::outgoing::guard::Reach;
use crate::outgoing::secret::Secret;

/// Endpoints of a config.
pub const WEBHOOKS_MAX: usize = 1_000;

/// Bytes of an endpoint's name.
pub const NAME_BYTES_MAX: usize = 64;

/// Ports an endpoint may name.
pub const PORTS_MAX: usize = 32;

/// How long an answer may take by default, all of it, in milliseconds.
pub const TIMEOUT_MS: u64 = 10_000;

/// The shortest such time.
pub const TIMEOUT_MS_MIN: u64 = 100;

/// The longest.
pub const TIMEOUT_MS_CEILING: u64 = 120_000;

/// Bytes of an answer by default. A longer one counts as none.
pub const REPLY_BYTES_MAX: usize = 1 << 20;

/// The most an operator may allow.
pub const REPLY_BYTES_CEILING: usize = 10 << 20;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where events are posted. `https`, or `http` inside the cluster. A user and password in it are
    /// sent, and it is never shown.
    pub url: Secret,
    /// What signs them: 32 bytes at least, as text, or as `whsec_` and their base64.
    pub secret: Secret,
    /// The one before it. While it is here events carry a signature of each.
    #[serde(default)]
    pub old_secret: Option<Secret>,
    /// How long an answer may take, all of it, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// It is a server of the cluster: at private addresses, at any port, also without TLS.
    #[serde(default)]
    pub private: bool,
    /// Other ports than 443 and 80 that it may be at.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Bytes of an answer. A longer one counts as none.
    #[serde(default = "reply_bytes_max")]
    pub reply_bytes_max: usize,
    /// Apps whose jobs may be posted to it; every app's if there are none.
    #[serde(skip)]
    pub apps: Vec<AppId>,
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

fn reply_bytes_max() -> usize {
    REPLY_BYTES_MAX
}

/// An endpoint that was checked.
pub(super) struct Checked {
    pub(super) url: Url,
    /// The newest first.
    pub(super) secrets: Vec<Vec<u8>>,
    pub(super) timeout_ms: u64,
    pub(super) reach: Reach,
    pub(super) reply_bytes_max: usize,
    pub(super) apps: Vec<AppId>,
}

/// Those of which nothing is wrong, by name; `wrong` gets what is, a sentence each.
pub(super) fn check(
    configs: &BTreeMap<String, WebhookConfig>,
    wrong: &mut Vec<String>,
) -> Vec<(String, Checked)> {
    if configs.len() > WEBHOOKS_MAX {
        wrong.push(format!("webhooks: there are more than {WEBHOOKS_MAX}"));
        return Vec::new();
    }
    let mut checked = Vec::new();
    for (name, config) in configs {
        let mut found = Vec::new();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            found.push(format!(
                "a name has 1 to {NAME_BYTES_MAX} bytes and no control characters"
            ));
        }
        let endpoint = config.check(&mut found);
        match endpoint.filter(|_| found.is_empty()) {
            Some(endpoint) => checked.push((name.clone(), endpoint)),
            None => wrong.extend(found.iter().map(|why| format!("webhook {name:?}: {why}"))),
        }
    }
    checked
}

impl WebhookConfig {
    fn check(&self, wrong: &mut Vec<String>) -> Option<Checked> {
        let reach = match self.private {
            true => Reach::Cluster,
            false => Reach::Public,
        };
        let mut secrets = Vec::new();
        secrets.extend(check_secret("secret", &self.secret, wrong));
        let old = self.old_secret.as_ref();
        secrets.extend(old.and_then(|old| check_secret("old_secret", old, wrong)));
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_CEILING).contains(&self.timeout_ms) {
            wrong.push(format!(
                "timeout_ms: between {TIMEOUT_MS_MIN} and {TIMEOUT_MS_CEILING}"
            ));
        }
        if !(1..=REPLY_BYTES_CEILING).contains(&self.reply_bytes_max) {
            wrong.push(format!(
                "reply_bytes_max: between 1 and {REPLY_BYTES_CEILING}"
            ));
        }
        if self.ports.len() > PORTS_MAX || self.ports.contains(&0) {
            wrong.push(format!("ports: at most {PORTS_MAX}, and none is 0"));
        }
        let (url, found) = address::checked(self.url.text(), reach, &self.ports);
        wrong.extend(found.iter().map(|why| format!("url: {why}")));
        Some(Checked {
            url: url?,
            secrets,
            timeout_ms: self.timeout_ms,
            reach,
            reply_bytes_max: self.reply_bytes_max,
            apps: self.apps.clone(),
        })
    }
}

fn check_secret(name: &str, secret: &Secret, wrong: &mut Vec<String>) -> Option<Vec<u8>> {
    match bytes_of(secret.text()) {
        None => wrong.push(format!("{name}: what follows whsec_ is no base64")),
        Some(bytes) if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) => {
            return Some(bytes);
        }
        Some(_) => wrong.push(format!(
            "{name}: between {SECRET_BYTES_MIN} and {SECRET_BYTES_MAX} bytes"
        )),
    }
    None
}
