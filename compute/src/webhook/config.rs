//! Endpoints as the config has them, and what is wrong with one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;

use super::guard::Reach;
use super::signature::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, bytes_of};

/// Endpoints of a config.
pub const WEBHOOKS_MAX: usize = 1_000;

/// Bytes of an endpoint's name.
pub const NAME_BYTES_MAX: usize = 64;

/// Bytes of an endpoint's address.
pub const URL_BYTES_MAX: usize = 2 << 10;

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

/// The ports of an endpoint that names none and is not in the cluster.
const WEB_PORTS: [u16; 2] = [443, 80];

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
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

fn reply_bytes_max() -> usize {
    REPLY_BYTES_MAX
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Of a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An endpoint that was checked.
pub(super) struct Checked {
    pub(super) url: Url,
    /// The newest first.
    pub(super) secrets: Vec<Vec<u8>>,
    pub(super) timeout_ms: u64,
    pub(super) reach: Reach,
    pub(super) reply_bytes_max: usize,
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
        let url = self.check_url(reach, wrong)?;
        Some(Checked {
            url,
            secrets,
            timeout_ms: self.timeout_ms,
            reach,
            reply_bytes_max: self.reply_bytes_max,
        })
    }

    fn check_url(&self, reach: Reach, wrong: &mut Vec<String>) -> Option<Url> {
        let text = &self.url.0;
        let url = Url::parse(text)
            .ok()
            .filter(|_| text.len() <= URL_BYTES_MAX);
        let Some(url) = url.filter(Url::has_host) else {
            wrong.push(format!(
                "url: not an address with a host, of at most {URL_BYTES_MAX} bytes"
            ));
            return None;
        };
        match (url.scheme(), reach) {
            ("https", _) | ("http", Reach::Cluster) => {}
            ("http", Reach::Public) => {
                wrong.push("url: http is for what is private; others need https".to_owned());
            }
            _ => {
                wrong.push("url: neither https nor http".to_owned());
                return None;
            }
        }
        if let Err(why) = check_host(&url, reach) {
            wrong.push(format!("url: {why}"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let named = WEB_PORTS.contains(&port) || self.ports.contains(&port);
        if port == 0 || (reach == Reach::Public && !named) {
            wrong.push(format!(
                "url: port {port} is neither 443, 80 nor in `ports`"
            ));
        }
        Some(url)
    }
}

/// A plain address is never asked of the names' guard, so it is looked at here. Parsing has brought
/// every way to write one into one form.
fn check_host(url: &Url, reach: Reach) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    match plain.parse::<IpAddr>() {
        Ok(address) => reach.check(address).map_err(|refused| refused.to_string()),
        Err(_) => {
            let name = host.trim_end_matches('.');
            let is_own = name == "localhost" || name.ends_with(".localhost");
            match is_own && reach == Reach::Public {
                true => Err(format!("address_refused: {host} is this machine")),
                false => Ok(()),
            }
        }
    }
}

fn check_secret(name: &str, secret: &Secret, wrong: &mut Vec<String>) -> Option<Vec<u8>> {
    match bytes_of(&secret.0) {
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
