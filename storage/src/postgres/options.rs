//! Where the database is and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::error;

/// Connections for reads, and for making spaces and epochs.
const CONNECTIONS: usize = 8;

/// Connections that commit, one group each. With fewer, groups wait for the way to the server.
const COMMITTERS: usize = 4;

/// After so many idle seconds the operating system asks whether the server is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// When a commit is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is durable: `synchronous_commit` is what the server says, `on` at least.
    On,
    /// Before. **Only for tests**: an acknowledged commit is lost with the server, which one of
    /// them shows.
    Off,
}

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Where, and who we are there.
    pub(super) config: Config,
    /// Certificates that the server's must descend from, in place of the system's: PEM.
    pub(super) root_cert: Option<PathBuf>,
    /// On, unless a test says otherwise.
    pub synchronous: Synchronous,
    /// Connections for everything but commits, at most. One more read waits for one.
    pub connections: usize,
    /// Connections that commit; so many groups are committed at once.
    pub committers: usize,
    /// How long a connection may take to be made, and a call may wait for a free one.
    pub connect_timeout: Duration,
    /// How long a statement may take; then the server ends it.
    pub statement_timeout: Duration,
    /// How long an answer may take; then the connection is given up, and the outcome of a commit
    /// is unknown. Longer than `statement_timeout`, so that a slow server says so itself.
    pub answer_timeout: Duration,
}

impl PostgresOptions {
    /// The defaults for a URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…`, of which nothing
    /// is said here that could hold a password. Errors: a sentence saying what is wrong.
    ///
    /// `sslmode` is `disable`, `require` or `verify-full`; the last two are the same, since a
    /// certificate is always verified. Without it TLS is required, except on this machine.
    /// `sslrootcert` names a PEM file in place of the system's certificates.
    pub fn parse(url: &str) -> Result<PostgresOptions, String> {
        let ours = Ours::take(url)?;
        let mut config: Config = ours.url.parse().map_err(|e| error::of_url(&e))?;
        if config.get_hosts().is_empty() {
            return Err("names no host".to_owned());
        }
        let local = config.get_hosts().iter().all(is_local);
        config.ssl_mode(match ours.sslmode.as_deref() {
            None if local && ours.root_cert.is_none() => SslMode::Disable,
            None | Some("require" | "verify-full") => SslMode::Require,
            Some("disable") => SslMode::Disable,
            Some(other) => {
                return Err(format!(
                    "has sslmode={}: must be disable, require or verify-full",
                    error::short(other)
                ));
            }
        });
        if config.get_application_name().is_none() {
            config.application_name("syncline");
        }
        // A replica, or a primary that no longer is one, takes no commits.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.keepalives_idle(KEEPALIVE);
        Ok(PostgresOptions {
            config,
            root_cert: ours.root_cert,
            synchronous: Synchronous::On,
            connections: CONNECTIONS,
            committers: COMMITTERS,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(15),
        })
    }
}

/// Without what may be secret.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("synchronous", &self.synchronous)
            .finish_non_exhaustive()
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]"),
        Host::Unix(_) => true,
    }
}

/// A URL without the parameters that are read here and not by the driver.
#[derive(Default)]
struct Ours {
    url: String,
    sslmode: Option<String>,
    root_cert: Option<PathBuf>,
}

impl Ours {
    fn take(url: &str) -> Result<Ours, String> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut ours = Ours::default();
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|one| !one.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => ours.sslmode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) if path.contains('%') => {
                    return Err("has a % in sslrootcert: write the path as it is".to_owned());
                }
                Some(("sslrootcert", path)) => ours.root_cert = Some(path.into()),
                _ => others.push(parameter),
            }
        }
        ours.url = match others.is_empty() {
            true => place.to_owned(),
            false => format!("{place}?{}", others.join("&")),
        };
        Ok(ours)
    }
}

/// Why the database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program migrated it. Nothing was touched.
    #[error(
        "the database has schema version {found}, this program knows {known}: it was migrated by \
         a newer version; use that, or restore a backup of the older one"
    )]
    SchemaNewer {
        /// The version in the database.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// An older program migrated it, or none, and who only reads does not change it.
    #[error(
        "the database has no schema, or one older than version {known}: start the hub of this \
         version on it once"
    )]
    SchemaOlder {
        /// This program's.
        known: i64,
    },
    /// The server did not answer, or refused.
    #[error("the database cannot be opened: {0}")]
    Server(String),
    /// TLS cannot be spoken.
    #[error("the database's certificates cannot be verified: {0}")]
    Tls(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssl_mode(url: &str) -> SslMode {
        PostgresOptions::parse(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn tls_is_required_except_on_this_machine() {
        for (url, mode) in [
            ("postgres://u@localhost/d", SslMode::Disable),
            ("postgres://u@127.0.0.1:9/d", SslMode::Disable),
            ("postgres://u@db.example/d", SslMode::Require),
            ("postgres://u@db.example,localhost/d", SslMode::Require),
            ("postgres://u@localhost/d?sslmode=require", SslMode::Require),
            (
                "postgres://u@localhost/d?sslrootcert=/x.pem",
                SslMode::Require,
            ),
            ("postgres://u@db/d?sslmode=verify-full", SslMode::Require),
            ("postgres://u@db/d?sslmode=disable", SslMode::Disable),
        ] {
            assert_eq!(ssl_mode(url), mode, "{url}");
        }
    }

    #[test]
    fn the_certificates_file_is_taken_out_of_the_url() {
        let url = "postgres://u@db/d?a=b&sslrootcert=/etc/ca.pem";
        assert!(
            PostgresOptions::parse(url).is_err(),
            "the driver knows no a"
        );
        let url = "postgres://u@db/d?connect_timeout=3&sslrootcert=/etc/ca.pem";
        let options = PostgresOptions::parse(url).unwrap();
        assert_eq!(options.root_cert, Some("/etc/ca.pem".into()));
        let timeout = options.config.get_connect_timeout().copied();
        assert_eq!(timeout, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_is_no_url_is_told_without_the_password() {
        for url in [
            "postgres://u:secret@db:port/d",
            "postgres://u:secret@db/d?sslmode=prefer",
            "postgres://u:secret@db/d?what=x",
            "postgres:///d?user=secret",
            "postgres://u:secret@db/d?sslrootcert=%41",
        ] {
            let why = PostgresOptions::parse(url).unwrap_err();
            assert!(!why.contains("secret"), "{url}: {why}");
        }
        let options = PostgresOptions::parse("postgres://u:secret@db/d").unwrap();
        assert!(!format!("{options:?}").contains("secret"));
    }
}
