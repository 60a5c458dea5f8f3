//! How mail is sent, and what is wrong with that.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use serde::Deserialize;

use crate::outgoing::address::URL_BYTES_MAX;
use crate::outgoing::guard::Reach;
use crate::outgoing::secret::Secret;

/// How long it may take to hand over one letter by default, in milliseconds.
pub const TIMEOUT_MS: u64 = 30_000;

/// The shortest such time.
pub const TIMEOUT_MS_MIN: u64 = 100;

/// The longest.
pub const TIMEOUT_MS_CEILING: u64 = 120_000;

/// Bytes of who writes.
pub const FROM_BYTES_MAX: usize = 256;

/// The port of `smtps` (RFC 8314), and of `smtp` for who hands letters in (RFC 6409).
const PORTS: [(&str, u16); 2] = [("smtps", 465), ("smtp", 587)];

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The server that takes mail: `smtps://user:password@host:port`, of TLS from the start, or
    /// `smtp://…`, of TLS by STARTTLS, without which nothing is sent. It is never shown.
    pub url: Secret,
    /// Who writes, as `Todo <todo@example.com>`.
    pub from: String,
    /// How long it may take to hand over one letter, all of it, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// It is a server of the cluster: at private addresses, and `smtp` is without TLS, except with
    /// `?tls=required`.
    #[serde(default)]
    pub private: bool,
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encrypted {
    /// From the start.
    FromStart,
    /// By STARTTLS, or nothing is said.
    Starttls,
    /// Never.
    Never,
}

/// A config that was checked.
#[derive(Clone)]
pub(super) struct Checked {
    /// Without the brackets of an address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encrypted: Encrypted,
    pub(super) login: Option<Credentials>,
    pub(super) from: Mailbox,
    pub(super) reach: Reach,
    pub(super) timeout: Duration,
}

/// What a URL says.
struct Server {
    host: String,
    port: u16,
    encrypted: Encrypted,
    login: Option<Credentials>,
}

impl MailConfig {
    /// Errors: everything that is wrong with it, a sentence each.
    pub(super) fn check(&self) -> Result<Checked, Vec<String>> {
        let mut wrong = Vec::new();
        let server = self.server(&mut wrong);
        let is_plain = self.from.len() <= FROM_BYTES_MAX && !self.from.contains(char::is_control);
        let from = self.from.parse::<Mailbox>().ok().filter(|_| is_plain);
        if from.is_none() {
            wrong.push(format!(
                "mail: from: NAME@HOST or NAME <NAME@HOST>, at most {FROM_BYTES_MAX} bytes"
            ));
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_CEILING).contains(&self.timeout_ms) {
            wrong.push(format!(
                "mail: timeout_ms: between {TIMEOUT_MS_MIN} and {TIMEOUT_MS_CEILING}"
            ));
        }
        let reach = match self.private {
            true => Reach::Cluster,
            false => Reach::Public,
        };
        match (server, from) {
            (Some(server), Some(from)) if wrong.is_empty() => Ok(Checked {
                host: server.host,
                port: server.port,
                encrypted: server.encrypted,
                login: server.login,
                from,
                reach,
                timeout: Duration::from_millis(self.timeout_ms),
            }),
            _ => Err(wrong),
        }
    }

    /// Nothing of the URL is repeated in what is wrong with it.
    fn server(&self, wrong: &mut Vec<String>) -> Option<Server> {
        let mut refuse = |why: &str| wrong.push(format!("mail: url: {why}"));
        let text = self.url.text();
        let url = Url::parse(text).ok();
        let url = url.filter(|url| url.has_host() && text.len() <= URL_BYTES_MAX);
        let url = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
        let Some(url) = url else {
            refuse("smtps://USER:PASSWORD@HOST:PORT or smtp://…");
            return None;
        };
        let known = PORTS.iter().find(|(scheme, _)| *scheme == url.scheme());
        let Some((scheme, port)) = known else {
            refuse("neither smtps nor smtp");
            return None;
        };
        let encrypted = match (*scheme, url.query()) {
            ("smtps", None) => Encrypted::FromStart,
            ("smtp", None) if self.private => Encrypted::Never,
            ("smtp", None | Some("tls=required")) => Encrypted::Starttls,
            _ => {
                refuse("after the ? is at most tls=required, of smtp");
                Encrypted::FromStart
            }
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            refuse("it has no path");
        }
        let port = url.port().unwrap_or(*port);
        if port == 0 {
            refuse("port 0 is none");
        }
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                let decoded =
                    |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
                Some(Credentials::new(decoded(user), decoded(password)))
            }
            _ => {
                refuse("a user and a password, or neither");
                None
            }
        };
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Server {
            host: host.to_owned(),
            port,
            encrypted,
            login,
        })
    }
}
