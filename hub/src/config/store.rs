//! Which store keeps the data.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use syncline_storage::cassandra::CassandraOptions;
use syncline_storage::postgres::PostgresOptions;
use syncline_storage::sqlite::CACHE_KIB;

use super::{Problems, parse, shown};

/// The durable store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `postgres://…` or `cassandra://HOST:PORT,HOST/KEYSPACE`. Default: `hub.db` in
    /// the data directory, `sqlite:./data/hub.db`.
    ///
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`: everything is in the schema `syncline`,
    /// which the hub defines if the role may. TLS is required except on this machine, and the
    /// server's certificate is always verified: `?sslrootcert=FILE` names certificates in place
    /// of the system's, `?sslmode=disable` does without. Twelve connections are used, each with
    /// statements of its own, so a pooler between must keep sessions. Several hubs may share a
    /// database and lose nothing; without `nats` a device is told late of what came to another.
    ///
    /// `cassandra://USER:PASSWORD@HOST:PORT,HOST/KEYSPACE`: an Apache Cassandra cluster. TLS as for
    /// Postgres, with `?tls=disable` to do without. `?datacenter=NAME` is the datacenter whose
    /// nodes are asked, with `&take_home=true` in place of a home that is lost, `?serial=global` has
    /// all datacenters agree on every commit, `?replication=3` or `?replication=dc1:3,dc2:3` has the
    /// keyspace made, and `?commit_bytes_max=N` follows the server's `max_mutation_size`.
    #[serde(deserialize_with = "url", serialize_with = "shown_url")]
    pub url: Option<StoreUrl>,
    /// SQLite: the most that each of its four connections keeps of the database in memory, in
    /// KiB. A large database fills all of it, and keeps it.
    pub sqlite_cache_kib: u32,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            url: None,
            sqlite_cache_kib: CACHE_KIB,
        }
    }
}

/// With less than this nearly every page would be read again and again.
const CACHE_KIB_MIN: u32 = 256;

/// What a mistake in the unit would ask for.
const CACHE_KIB_MAX: u32 = 16 << 20;

impl StoreConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !(CACHE_KIB_MIN..=CACHE_KIB_MAX).contains(&self.sqlite_cache_kib) {
            let why = format!("must be {CACHE_KIB_MIN} to {CACHE_KIB_MAX} (KiB)");
            problems.push("store.sqlite_cache_kib", why);
        }
        let wrong = match &self.url {
            None => return,
            Some(StoreUrl::Sqlite(path)) => is_directory(path).then(|| {
                let path = path.display();
                format!("names the directory {path}; it needs a file, as in sqlite:./data/hub.db")
            }),
            Some(StoreUrl::Postgres(url)) => PostgresOptions::parse(url).err(),
            Some(StoreUrl::Cassandra(url)) => CassandraOptions::parse(url).err(),
        };
        if let Some(why) = wrong {
            problems.push("store.url", why);
        }
    }
}

/// A store's address.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A database file of this node alone: a path, never a URI.
    Sqlite(PathBuf),
    /// The whole URL; it may hold a password.
    Postgres(String),
    /// The whole URL; it may hold a password.
    Cassandra(String),
}

impl StoreUrl {
    /// Reads an address. Errors: a sentence saying what is allowed.
    pub fn parse(text: &str) -> Result<StoreUrl, &'static str> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path {
                "" => Err("sqlite: needs a path, as in sqlite:./data/hub.db"),
                _ if path.starts_with(':') => Err("a database in memory would lose what it acks"),
                _ if path.starts_with("file:") => {
                    Err("behind sqlite: stands a path and no URI, as in sqlite:./data/hub.db")
                }
                _ if path.starts_with("//") => Err(
                    "the path stands right behind sqlite: and has no host before it, as in \
                     sqlite:./data/hub.db or sqlite:/var/lib/hub.db",
                ),
                _ => Ok(StoreUrl::Sqlite(path.into())),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(StoreUrl::Postgres(text.into()));
        }
        if text.starts_with("cassandra://") || text.starts_with("scylla://") {
            return Ok(StoreUrl::Cassandra(text.into()));
        }
        Err("must be sqlite:PATH, postgres://… or cassandra://HOST:PORT/KEYSPACE")
    }
}

/// Is there a directory, or could only one be meant?
fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with('/')
}

impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Without what may hold a password.
impl std::fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Postgres(_) => f.write_str("postgres://…"),
            StoreUrl::Cassandra(_) => f.write_str("cassandra://…"),
        }
    }
}

/// Without what may be a password.
fn shown_url<S: Serializer>(url: &Option<StoreUrl>, to: S) -> Result<S::Ok, S::Error> {
    match url {
        None | Some(StoreUrl::Sqlite(_)) => shown::maybe(url, to),
        Some(url) => to.collect_str(&format_args!("{url} {}", shown::HIDDEN)),
    }
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<StoreUrl>, D::Error> {
    parse::text(from, StoreUrl::parse).map(Some)
}
