//! Mail, `[mail]`. Nobody sends any until there is a server.

use serde::{Deserialize, Serialize};
use syncline_compute::mail::{MailConfig as Mail, MailService, TIMEOUT_MS};
use syncline_compute::webhook::Secret;

use super::Problems;
use super::hidden::Hidden;

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The server that takes mail: `smtps://USER:PASSWORD@HOST:PORT`, of TLS from the start, or
    /// `smtp://…`, of TLS by STARTTLS, without which nothing is sent.
    pub url: Option<Hidden>,
    /// Who writes, as `Todo <todo@example.com>`.
    pub from: Option<String>,
    /// How long it may take to hand over one letter, all of it. 100 to 120,000 ms, default 30,000.
    pub timeout_ms: u64,
    /// It is a server of the cluster: at private addresses, and `smtp` is without TLS, except with
    /// `?tls=required`. Default false.
    pub private: bool,
}

impl Default for MailConfig {
    fn default() -> Self {
        MailConfig {
            url: None,
            from: None,
            timeout_ms: TIMEOUT_MS,
            private: false,
        }
    }
}

/// Who sends mail; `None` without a server. Errors: everything that is wrong, a sentence each.
pub(crate) fn service(config: &MailConfig) -> Result<Option<MailService>, Vec<String>> {
    let Some(url) = &config.url else {
        return match config.from {
            Some(_) => Err(vec!["mail: from without url: nobody sends it".to_owned()]),
            None => Ok(None),
        };
    };
    MailService::of(&Mail {
        url: Secret::new(url.reveal()),
        from: config.from.clone().unwrap_or_default(),
        timeout_ms: config.timeout_ms,
        private: config.private,
    })
    .map(Some)
}

impl MailConfig {
    /// Whether any is sent.
    pub fn is_on(&self) -> bool {
        self.url.is_some()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        for why in service(self).err().unwrap_or_default() {
            let why = why.strip_prefix("mail: ").unwrap_or(&why).to_owned();
            problems.push("mail", why);
        }
    }
}
