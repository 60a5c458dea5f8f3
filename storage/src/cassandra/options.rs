//! Where the cluster is and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use scylla::statement::{Consistency, SerialConsistency};

use super::failure::short;
use super::hold::{HOLD_S, WAIT_MAX};

const PORT: u16 = 9042;

const KEYSPACE: &str = "syncline";

/// Bytes of a name of a keyspace, as the server has it.
const KEYSPACE_BYTES_MAX: usize = 48;

/// Three quarters of what the server takes at most by default (half a segment of its commit log, 16 MiB):
/// a commit is stored as a proposal first, with some more around each value.
const COMMIT_BYTES_MAX: usize = 12 << 20;

/// Commits under way at once.
const COMMITS_MAX: usize = 256;

/// Which replicas agree on a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serial {
    /// Those of the hub's datacenter: `LOCAL_SERIAL` and `LOCAL_QUORUM`. A space must then be
    /// written in one datacenter only, its home.
    Local,
    /// Those of all datacenters: `SERIAL` and `QUORUM`. Every commit waits for the way between
    /// them, and a space may be written anywhere.
    Global,
}

/// How a keyspace that is made is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// So many copies, in the hub's datacenter.
    Copies(u8),
    /// So many in each datacenter of these names.
    Datacenters(Vec<(String, u8)>),
}

impl Replication {
    fn parse(text: &str) -> Option<Replication> {
        if let Ok(copies @ 1..) = text.parse() {
            return Some(Replication::Copies(copies));
        }
        let each = |one: &str| {
            let (name, copies) = one.split_once(':')?;
            let copies = copies.parse().ok().filter(|copies| *copies > 0)?;
            is_name(name).then(|| (name.to_owned(), copies))
        };
        let all: Option<Vec<_>> = text.split(',').map(each).collect();
        Some(Replication::Datacenters(all?))
    }

    /// `home` is where copies are whose datacenter is not named. `None` if there is no such.
    pub(super) fn cql(&self, home: Option<&str>) -> Option<String> {
        let all = match self {
            Replication::Copies(copies) => vec![(home?.replace('\'', "''"), *copies)],
            Replication::Datacenters(all) => all.clone(),
        };
        let all = all
            .iter()
            .map(|(name, copies)| format!(", '{name}': {copies}"));
        let all: String = all.collect();
        Some(format!("{{'class': 'NetworkTopologyStrategy'{all}}}"))
    }
}

/// A datacenter's name, as it may stand in a statement.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(fits)
}

/// Whether TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Off,
    /// With the system's certificates, or those of a PEM file.
    On(Option<PathBuf>),
}

/// Where the cluster is and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct CassandraOptions {
    /// `HOST:PORT` of some nodes; the others are learned from them.
    pub(super) nodes: Vec<String>,
    pub(super) user: Option<(String, String)>,
    pub(super) encryption: Encryption,
    /// Where the tables are.
    pub keyspace: String,
    /// How the keyspace is replicated if it is made.
    pub replication: Option<Replication>,
    /// The datacenter whose nodes are asked; of several it must be named.
    pub datacenter: Option<String>,
    /// Which replicas agree on a commit.
    pub serial: Serial,
    /// Whether `datacenter` becomes the home in place of one that is lost.
    pub takes_home: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take. The server's own limits should be shorter, so that it says
    /// itself that it gave up.
    pub answer_timeout: Duration,
    /// Bytes of a commit; a larger one is refused before it is sent. Below half a segment of the
    /// server's commit log.
    pub commit_bytes_max: usize,
    /// Commits under way at once; one more waits.
    pub commits_max: usize,
    /// Seconds after which a hold of a space ends by itself.
    pub(super) hold_s: u32,
    /// How long somebody waits for spaces that others hold.
    pub(super) hold_wait_max: Duration,
    /// Where an export keeps a space, in a file without a name, until all of it is read. There must be
    /// room for the largest one.
    pub spool_directory: PathBuf,
}

impl CassandraOptions {
    /// The defaults for a URL, `cassandra://USER:PASSWORD@HOST:PORT,HOST/KEYSPACE?…`, of which
    /// nothing is said here that could hold a password. Errors: a sentence saying what is wrong.
    ///
    /// `datacenter=NAME`, with `take_home=true` to have it be the home in place of one that is lost;
    /// `serial=local` or `global`; `replication=3` or `replication=dc1:3,dc2:3`
    /// has the keyspace made; `commit_bytes_max=BYTES`. `tls=disable` or `require`: without it TLS is
    /// required, except on this machine. `sslrootcert` names a PEM file in place of the system's
    /// certificates.
    pub fn parse(url: &str) -> Result<CassandraOptions, String> {
        let rest = url
            .strip_prefix("cassandra://")
            .or_else(|| url.strip_prefix("scylla://"));
        let rest = rest.ok_or("must begin with cassandra://")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, keyspace) = place.split_once('/').unwrap_or((place, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(credentials(user)?), hosts),
            None => (None, authority),
        };
        let nodes: Vec<String> = hosts.split(',').map(node).collect::<Result<_, _>>()?;
        let keyspace = match keyspace {
            "" => KEYSPACE,
            name if is_keyspace(name) => name,
            _ => return Err("names no keyspace: letters, digits and _, 48 at most".to_owned()),
        };
        let local = nodes.iter().all(|node| is_local(node));
        let mut options = CassandraOptions {
            nodes,
            user,
            encryption: match local {
                true => Encryption::Off,
                false => Encryption::On(None),
            },
            keyspace: keyspace.to_owned(),
            replication: None,
            datacenter: None,
            serial: Serial::Local,
            takes_home: false,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(15),
            commit_bytes_max: COMMIT_BYTES_MAX,
            commits_max: COMMITS_MAX,
            hold_s: HOLD_S,
            hold_wait_max: WAIT_MAX,
            spool_directory: std::env::temp_dir(),
        };
        for parameter in query.split('&').filter(|one| !one.is_empty()) {
            options.take(parameter)?;
        }
        if options.takes_home && (options.datacenter.is_none() || options.serial == Serial::Global)
        {
            return Err("has take_home=true without the datacenter=NAME that takes it".to_owned());
        }
        Ok(options)
    }

    fn take(&mut self, parameter: &str) -> Result<(), String> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let wrong = |must: &str| Err(format!("has {name}={}: must be {must}", short(value)));
        match (name, value) {
            ("datacenter", _) if is_name(value) => self.datacenter = Some(value.to_owned()),
            ("datacenter", _) => return wrong("a datacenter's name"),
            ("serial", "local") => self.serial = Serial::Local,
            ("serial", "global") => self.serial = Serial::Global,
            ("serial", _) => return wrong("local or global"),
            ("take_home", "true") => self.takes_home = true,
            ("take_home", _) => return wrong("true, or not there"),
            ("replication", _) => match Replication::parse(value) {
                Some(replication) => self.replication = Some(replication),
                None => return wrong("a number, or NAME:NUMBER,…"),
            },
            ("commit_bytes_max", _) => match value.parse() {
                Ok(bytes @ 1..) => self.commit_bytes_max = bytes,
                _ => return wrong("a number of bytes"),
            },
            ("tls", "disable") => self.encryption = Encryption::Off,
            ("tls", "require") => {
                if self.encryption == Encryption::Off {
                    self.encryption = Encryption::On(None);
                }
            }
            ("tls", _) => return wrong("disable or require"),
            ("sslrootcert", path) if path.contains('%') => {
                return Err("has a % in sslrootcert: write the path as it is".to_owned());
            }
            ("sslrootcert", path) => self.encryption = Encryption::On(Some(path.into())),
            _ => {
                // A password that is not escaped may have ended up here.
                return Err("has a parameter that is not known".to_owned());
            }
        }
        Ok(())
    }

    /// At which level a read finishes what others have begun.
    pub(super) fn serial_read(&self) -> Consistency {
        match self.serial {
            Serial::Local => Consistency::LocalSerial,
            Serial::Global => Consistency::Serial,
        }
    }

    /// At which level a conditional write is agreed on.
    pub(super) fn serial_write(&self) -> SerialConsistency {
        match self.serial {
            Serial::Local => SerialConsistency::LocalSerial,
            Serial::Global => SerialConsistency::Serial,
        }
    }

    /// How many replicas have a write before it is answered, and are asked in other reads.
    pub(super) fn quorum(&self) -> Consistency {
        match self.serial {
            Serial::Local => Consistency::LocalQuorum,
            Serial::Global => Consistency::Quorum,
        }
    }
}

/// Without what may be secret.
impl fmt::Debug for CassandraOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraOptions")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

fn credentials(text: &str) -> Result<(String, String), String> {
    let (user, password) = text
        .split_once(':')
        .ok_or("has a user without a password")?;
    Ok((unescaped(user)?, unescaped(password)?))
}

/// A text in which `%XX` stands for a byte.
fn unescaped(text: &str) -> Result<String, String> {
    let wrong = || "has a % in user or password that is not followed by two hex digits".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.first_chunk::<2>().ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn node(text: &str) -> Result<String, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => (
            host,
            port.parse().map_err(|_| "has a port that is no number")?,
        ),
        _ => (text, PORT),
    };
    match host {
        "" => Err("names no host".to_owned()),
        _ => Ok(format!("{host}:{port}")),
    }
}

fn is_keyspace(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= KEYSPACE_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(fits)
}

fn is_local(node: &str) -> bool {
    let host = node.rsplit_once(':').map_or(node, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

/// Why the keyspace was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program migrated it. Nothing was touched.
    #[error(
        "the keyspace has schema version {found}, this program knows {known}: it was migrated by \
         a newer version; use that, or restore a backup of the older one"
    )]
    SchemaNewer {
        /// The version there.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// An older program migrated it, or none, and who only reads does not change it.
    #[error(
        "the keyspace has no schema, or one older than version {known}: start the hub of this \
         version on it once"
    )]
    SchemaOlder {
        /// This program's.
        known: i64,
    },
    /// It is not there, and nothing says how it is to be replicated.
    #[error("there is no keyspace {0}: make it, or say how it is replicated, as in ?replication=3")]
    NoKeyspace(String),
    /// The one to be asked is not there, or is not named and there are several.
    #[error("?datacenter=NAME must be one of those there are: {0}")]
    Datacenter(String),
    /// It is to be made with copies of which it is not said where they are.
    #[error("say how many copies each datacenter has, as in ?replication={0}:3")]
    Copies(String),
    /// Another hub has commits agreed on elsewhere.
    #[error(
        "the keyspace's commits are agreed on by \"{recorded}\", and this hub would have them agreed \
         on by \"{asked}\" (?serial= and ?datacenter=), which would begin a second history. To change \
         it while all datacenters are there: stop all hubs, `nodetool repair -full {keyspace}` and \
         `nodetool repair --paxos-only {keyspace}` on every node, DELETE FROM {keyspace}.meta WHERE \
         name = 'home' IF EXISTS, `hub new-epoch`, start the hubs. If the home is lost: ALTER KEYSPACE \
         without it, repair, and `hub new-epoch` with take_home=true before any hub starts"
    )]
    Home {
        /// What the first hub recorded.
        recorded: String,
        /// What this one was told.
        asked: String,
        /// Where it is recorded.
        keyspace: String,
    },
    /// One of several datacenters would be the home in place of another.
    #[error(
        "take_home=true is for a datacenter that has all copies of the keyspace, and there are others \
         ({0}): if they are lost, ALTER KEYSPACE without them first"
    )]
    CopiesElsewhere(String),
    /// The cluster did not answer, or refused.
    #[error("the cluster cannot be used: {0}")]
    Server(String),
    /// TLS cannot be spoken.
    #[error("the cluster's certificates cannot be verified: {0}")]
    Tls(String),
}

#[cfg(test)]
mod tests;
