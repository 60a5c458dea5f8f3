//! The bus between nodes.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use syncline_cluster::nats::{Login, NatsError, NatsOptions, Prefix};
use syncline_protocol::ids::NodeId;

use super::hidden::Hidden;
use super::{Problem, Problems, parse};

/// The bus between nodes. Without it a node is alone.
///
/// A node shows who it is in one way at most: `credentials`, `nkey`, `token`, or `user` with
/// `password`. On NATS it must be allowed to publish and to subscribe to `sync.v1.>`, with its
/// `prefix` in place of `sync`, and needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT` to insist on TLS, as `ca` and `cert` do too; several
    /// with commas between.
    /// Default: none, and the bus is in the process.
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
    /// A file of credentials (`.creds`), with a user's JWT and the seed of its key.
    pub credentials: Option<PathBuf>,
    /// The seed of a user's NKEY, which begins with `SU`.
    pub nkey: Option<Hidden>,
    /// A token.
    pub token: Option<Hidden>,
    /// A user's name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Hidden>,
    /// The PEM file of the certificates to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// The PEM file of this node's own certificate, where the server asks for one.
    pub cert: Option<PathBuf>,
    /// The PEM file of its private key.
    pub key: Option<PathBuf>,
    /// What the subjects begin with: 1 to 32 letters, digits, `-` and `_`, default `sync`. Nodes of
    /// one hub have the same, and two hubs on one NATS not, or their nodes, presence and broadcasts
    /// mix.
    #[serde(deserialize_with = "prefix")]
    pub prefix: String,
    /// Connections that hear, each a share of the spaces; one more publishes. 1 to 16, default 2.
    pub connections: u64,
}

impl Default for NatsConfig {
    fn default() -> NatsConfig {
        NatsConfig {
            url: None,
            credentials: None,
            nkey: None,
            token: None,
            user: None,
            password: None,
            ca: None,
            cert: None,
            key: None,
            prefix: Prefix::DEFAULT.to_owned(),
            connections: 2,
        }
    }
}

impl NatsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("nats.connections", self.connections, 1..=16);
        if let Err(problem) = self.options(&NodeId::trusted("check")) {
            problems.push(problem.key, problem.message);
        }
    }

    /// How the bus is reached; `None` if there is none. Errors: what cannot be used.
    pub fn options(&self, node: &NodeId) -> Result<Option<NatsOptions>, Problem> {
        let Some(url) = &self.url else {
            return match self.without_url() {
                Some(key) => Err(problem(key, "is set, but nats.url is not")),
                None => Ok(None),
            };
        };
        let servers = NatsOptions::parse_servers(url);
        let servers = servers.map_err(|why| problem("nats.url", why))?;
        let (login_key, login) = self.login()?;
        let certificate = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (Some(_), None) => return Err(problem("nats.key", "is not set, but nats.cert is")),
            (None, Some(_)) => return Err(problem("nats.cert", "is not set, but nats.key is")),
        };
        let options = NatsOptions {
            servers,
            login,
            ca: self.ca.clone(),
            certificate,
            prefix: Prefix::parse(&self.prefix).map_err(|why| problem("nats.prefix", why))?,
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            node: node.clone(),
        };
        options.check().map_err(|error| {
            let key = match error {
                NatsError::Ca { .. } => "nats.ca",
                NatsError::Certificate { .. } => "nats.cert",
                NatsError::Key { .. } => "nats.key",
                NatsError::Credentials { .. } | NatsError::Nkey => login_key,
                NatsError::Client(_) => "nats.url",
            };
            problem(key, error.to_string())
        })?;
        Ok(Some(options))
    }

    /// Whoever set one of these meant a bus.
    fn without_url(&self) -> Option<&'static str> {
        let files = [
            ("nats.credentials", &self.credentials),
            ("nats.ca", &self.ca),
            ("nats.cert", &self.cert),
            ("nats.key", &self.key),
        ];
        let texts = [
            ("nats.nkey", self.nkey.is_some()),
            ("nats.token", self.token.is_some()),
            ("nats.user", self.user.is_some()),
            ("nats.password", self.password.is_some()),
        ];
        let files = files.iter().map(|(key, file)| (*key, file.is_some()));
        let mut set = files.chain(texts).filter(|(_, is_set)| *is_set);
        set.next().map(|(key, _)| key)
    }

    /// The one way that is set, and its key.
    fn login(&self) -> Result<(&'static str, Login), Problem> {
        let text = |hidden: &Hidden| hidden.reveal().to_owned();
        let mut ways = Vec::new();
        if let Some(path) = &self.credentials {
            ways.push(("nats.credentials", Login::Credentials(path.clone())));
        }
        if let Some(seed) = &self.nkey {
            ways.push(("nats.nkey", Login::Nkey(text(seed))));
        }
        if let Some(token) = &self.token {
            ways.push(("nats.token", Login::Token(text(token))));
        }
        match (&self.user, &self.password) {
            (None, None) => {}
            (Some(user), Some(password)) => {
                ways.push(("nats.user", Login::Password(user.clone(), text(password))));
            }
            (Some(_), None) => {
                return Err(problem("nats.password", "is not set, but nats.user is"));
            }
            (None, Some(_)) => {
                return Err(problem("nats.user", "is not set, but nats.password is"));
            }
        }
        let one = ways.pop().unwrap_or(("nats.url", Login::Nobody));
        match ways.pop() {
            Some((other, _)) => {
                let why = format!("is set, and so is {}: only one can be used", one.0);
                Err(problem(other, why))
            }
            None => Ok(one),
        }
    }
}

/// What stands there may hold a password by mistake, so it is not told.
fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let url = parse::secret(from)?;
    NatsOptions::parse_servers(&url).map_err(serde::de::Error::custom)?;
    Ok(Some(url))
}

fn prefix<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    parse::text(from, |text| Prefix::parse(text).map(|_| text.to_owned()))
}

fn problem(key: &'static str, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem { key, message }
}
