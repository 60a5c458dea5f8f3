//! Mail, `[mail]`. Nobody sends any until there is a server.

use serde::{Deserialize, Serialize};

use super::Problems;
use super::hidden::Hidden;

/// How mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The server, `smtps://USER:PASSWORD@HOST:PORT`.
    pub url: Option<Hidden>,
    /// From whom it is.
    pub from: Option<String>,
}

impl MailConfig {
    /// Whether any is sent.
    pub fn is_on(&self) -> bool {
        self.url.is_some()
    }

    pub(super) fn check(&self, _problems: &mut Problems) {}
}
