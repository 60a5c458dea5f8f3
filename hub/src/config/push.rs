//! Web Push, `[push]`: messages to browsers that are not open. Nobody sends any until there is a key.

use serde::{Deserialize, Serialize};
use syncline_compute::push::{PushConfig as Push, PushService, TIMEOUT_MS};

use super::Problems;
use super::hidden::Hidden;

/// How pushes are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushConfig {
    /// The private key that `hub vapid` prints. Another one loses every subscription.
    pub private_key: Option<Hidden>,
    /// Whom the people of a push service write to: `mailto:…` or `https://…`.
    pub contact: Option<String>,
    /// How long an answer of a push service may take, all of it. 100 to 120,000 ms, default 10,000.
    pub timeout_ms: u64,
    /// Push services of the cluster are reached too: at private addresses, at any port, also without
    /// TLS. Addresses come from users, so this lets them ask what only the hub can reach. Default
    /// false.
    pub private: bool,
    /// Ports other than 443 and 80 that push services may be at.
    pub ports: Vec<u16>,
}

impl Default for PushConfig {
    fn default() -> Self {
        PushConfig {
            private_key: None,
            contact: None,
            timeout_ms: TIMEOUT_MS,
            private: false,
            ports: Vec::new(),
        }
    }
}

/// Who sends pushes; `None` without a key. Errors: everything that is wrong, a sentence each.
pub(crate) fn service(config: &PushConfig) -> Result<Option<PushService>, Vec<String>> {
    let Some(private_key) = &config.private_key else {
        return match config.contact {
            Some(_) => Err(vec![
                "push: contact without private_key: `hub vapid` prints one".to_owned(),
            ]),
            None => Ok(None),
        };
    };
    PushService::of(&Push {
        private_key: private_key.reveal().to_owned(),
        contact: config.contact.clone().unwrap_or_default(),
        timeout_ms: config.timeout_ms,
        private: config.private,
        ports: config.ports.clone(),
    })
    .map(Some)
}

impl PushConfig {
    /// Has a key for development, if it has none.
    pub(crate) fn have_key(&mut self, private_key: &str) {
        if self.private_key.is_none() {
            self.private_key = Some(Hidden::new(private_key));
            self.contact = Some("mailto:developer@example.com".to_owned());
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        for why in service(self).err().unwrap_or_default() {
            let why = why.strip_prefix("push: ").unwrap_or(&why).to_owned();
            problems.push("push", why);
        }
    }
}
