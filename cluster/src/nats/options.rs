//! Where NATS is and how this node shows who it is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::{ConnectOptions, ServerAddr};
use nkeys::{KeyPair, KeyPairType};
use syncline_protocol::ids::NodeId;

use super::subject::Prefix;

/// From one ping to the next. Two without an answer end the connection.
const PING: Duration = Duration::from_secs(10);

/// A connection that is not there by then is tried again.
const CONNECTING: Duration = Duration::from_secs(5);

/// Commands that wait for the connection. What comes then waits before it.
const COMMANDS_MAX: usize = 256;

/// Messages of one shard that wait to be taken. More are lost, and that is heard.
const MESSAGES_MAX: usize = 4_096;

/// The longest wait between two tries to connect.
const RETRY_MS_MAX: u64 = 4_000;

/// How this node reaches NATS.
#[derive(Clone)]
pub struct NatsOptions {
    /// The servers, in any order.
    pub servers: Vec<ServerAddr>,
    /// Who this node is to them.
    pub login: Login,
    /// The PEM file of the certificates to trust; those of the system if none.
    pub ca: Option<PathBuf>,
    /// The PEM files of this node's certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What its subjects begin with.
    pub prefix: Prefix,
    /// Connections that hear. One more publishes.
    pub connections: usize,
    /// This node, as the servers' monitoring shows it.
    pub node: NodeId,
}

/// How this node shows who it is.
#[derive(Clone)]
pub enum Login {
    /// It does not.
    Nobody,
    /// By a user's JWT and the seed of its key.
    Credentials(PathBuf),
    /// By the seed of a key.
    Nkey(String),
    /// By a secret.
    Token(String),
    /// By a name and a password.
    Password(String, String),
}

/// The way alone is shown.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Nobody => "Nobody",
            Login::Credentials(_) => "Credentials(…)",
            Login::Nkey(_) => "Nkey(…)",
            Login::Token(_) => "Token(…)",
            Login::Password(..) => "Password(…)",
        })
    }
}

/// Not much of it is shown.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("login", &self.login)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// Reads the servers of `nats://HOST:PORT,tls://…`. Errors: a sentence without the text, which
    /// may hold a password by mistake: the client would not send it.
    pub fn parse_servers(url: &str) -> Result<Vec<ServerAddr>, &'static str> {
        url.split(',')
            .map(|server| {
                let server = server.trim();
                if !server.starts_with("nats://") && !server.starts_with("tls://") {
                    return Err(
                        "must be nats://HOST:PORT or tls://HOST:PORT, or several with commas",
                    );
                }
                let read: Result<ServerAddr, _> = server.parse();
                let read = read.map_err(|_| "holds an address that cannot be read")?;
                match read.has_user_pass() || read.password().is_some() {
                    true => Err("may hold no user and no password: they have keys of their own"),
                    false => Ok(read),
                }
            })
            .collect()
    }

    /// What the client is told of them. Errors: what cannot be used of the login.
    pub(super) fn connect(&self) -> Result<ConnectOptions, NatsError> {
        let options = self.login.options()?;
        let options = options
            .name(format!("syncline {}", self.node))
            .retry_on_initial_connect()
            .ping_interval(PING)
            .connection_timeout(CONNECTING)
            .client_capacity(COMMANDS_MAX)
            .subscription_capacity(MESSAGES_MAX)
            .reconnect_delay_callback(|attempt| retry_after(attempt, random()));
        let options = match self.insists_on_tls() {
            true => options.require_tls(true),
            false => options,
        };
        let options = match &self.ca {
            Some(ca) => options.add_root_certificates(ca.clone()),
            None => options,
        };
        Ok(match &self.certificate {
            Some((cert, key)) => options.add_client_certificate(cert.clone(), key.clone()),
            None => options,
        })
    }

    /// Whether nothing may be said without TLS, whatever a server greets with: it may be anybody. Who
    /// trusts or shows certificates wants that, and servers of which one learns on the way are as
    /// those that are named.
    fn insists_on_tls(&self) -> bool {
        let has_files = self.ca.is_some() || self.certificate.is_some();
        has_files || self.servers.iter().all(ServerAddr::tls_required)
    }

    /// Whether all of it can be used. Nothing is connected.
    pub fn check(&self) -> Result<(), NatsError> {
        if let Some(path) = &self.ca {
            let path = path.clone();
            certificates(&path).map_err(|why| NatsError::Ca { path, why })?;
        }
        if let Some((cert, key)) = self.certificate.clone() {
            certificates(&cert).map_err(|why| NatsError::Certificate { path: cert, why })?;
            let read = PrivateKeyDer::from_pem_file(&key);
            read.map_err(|why| NatsError::Key {
                path: key,
                why: why.to_string(),
            })?;
        }
        self.connect().map(drop)
    }
}

/// What cannot be used of the options.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The file of credentials.
    #[error("{}: {error}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why. It quotes nothing of the file.
        error: std::io::Error,
    },
    /// The certificates to trust.
    #[error("{}: {why}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// This node's certificate.
    #[error("{}: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Its key.
    #[error("{}: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why. It quotes nothing of the file.
        why: String,
    },
    /// The seed of a key.
    #[error("is no seed of a user's NKEY, which begins with SU")]
    Nkey,
    /// No connection could be prepared.
    #[error("{0}")]
    Client(String),
}

impl Login {
    fn options(&self) -> Result<ConnectOptions, NatsError> {
        Ok(match self {
            Login::Nobody => ConnectOptions::new(),
            Login::Credentials(path) => credentials(path)?,
            Login::Nkey(seed) => nkey(seed)?,
            Login::Token(token) => ConnectOptions::with_token(token.clone()),
            Login::Password(user, password) => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
        })
    }
}

fn credentials(path: &Path) -> Result<ConnectOptions, NatsError> {
    let read =
        std::fs::read_to_string(path).and_then(|text| ConnectOptions::with_credentials(&text));
    read.map_err(|error| NatsError::Credentials {
        path: path.to_owned(),
        error,
    })
}

/// A file of at least one certificate, all of which can be read.
fn certificates(path: &Path) -> Result<(), String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err("no certificates in it".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn nkey(seed: &str) -> Result<ConnectOptions, NatsError> {
    match KeyPair::from_seed(seed).map(|pair| pair.key_pair_type()) {
        Ok(KeyPairType::User) => Ok(ConnectOptions::with_nkey(seed.to_owned())),
        _ => Err(NatsError::Nkey),
    }
}

/// Longer and longer, and never for two nodes alike: a server that comes back is not asked by all
/// of them at once.
fn retry_after(attempt: usize, random: u64) -> Duration {
    let doublings = u32::try_from(attempt.min(16)).unwrap_or(16);
    let longest = (50u64 << doublings).min(RETRY_MS_MAX);
    Duration::from_millis(longest / 2 + random % (longest / 2 + 1))
}

/// Without randomness all wait alike.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_spread_and_never_end() {
        for attempt in [0, 1, 2, 5, 17, usize::MAX] {
            let longest = (50u64 << attempt.min(16)).min(RETRY_MS_MAX);
            for random in [0, 1, 12_345, u64::MAX] {
                let wait = retry_after(attempt, random);
                let range = Duration::from_millis(longest / 2)..=Duration::from_millis(longest);
                assert!(range.contains(&wait), "{attempt} {wait:?}");
            }
        }
        assert_ne!(retry_after(9, 3), retry_after(9, 4));
    }

    #[test]
    fn servers_are_read_and_nothing_else() {
        for good in [
            "nats://h:4222",
            "tls://h",
            "nats://a:1,tls://b:2",
            "nats://[::1]:1",
        ] {
            assert!(NatsOptions::parse_servers(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "h:4222",
            "http://h",
            "ws://h",
            "nats://a,",
            "nats://u:p@h:1",
            "nats://:p@h",
        ] {
            let why = NatsOptions::parse_servers(bad).unwrap_err();
            assert!(!why.is_empty(), "{bad}");
        }
    }

    #[test]
    fn a_login_that_cannot_be_used_is_refused_and_not_told() {
        for seed in ["", "secret", "SUsecret", &"SU".repeat(29)[..57]] {
            let said = nkey(seed).map(drop).unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
        let said = credentials(Path::new("/none/there.creds"))
            .map(drop)
            .unwrap_err();
        assert!(
            said.to_string().starts_with("/none/there.creds: "),
            "{said}"
        );
    }
}
