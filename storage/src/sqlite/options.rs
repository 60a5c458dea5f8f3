//! How the file is opened, and why that may fail.

use std::path::PathBuf;

/// Pages in the WAL, not yet in the database, at which the checkpoint thread is asked: 4 MiB.
const CHECKPOINT_PAGES: u32 = 1_000;

/// Pages in the WAL at which the writer makes it start over: 32 MiB.
const RESTART_PAGES: u32 = 8_000;

/// Page cache of a connection, in KiB, unless said otherwise.
pub const CACHE_KIB: u32 = 32 << 10;

/// When a transaction is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// Before it is answered: the WAL is synced in every transaction.
    Full,
    /// When the operating system likes. **Only for tests**: an acknowledged commit is lost with
    /// the power, which one of them shows.
    Off,
}

/// Where the file is and how it is used.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file. `-wal` and `-shm` stand beside it while it is open.
    pub path: PathBuf,
    /// Full, unless a test says otherwise.
    pub synchronous: Synchronous,
    /// A registered SQLite VFS in place of the default one: how tests lose power.
    pub vfs: Option<String>,
    /// Pages in the WAL, not yet in the database, at which a checkpoint begins beside the
    /// writer.
    pub checkpoint_pages: u32,
    /// Pages in the WAL at which the writer lets it start over, once little is left to copy.
    /// At twice as many it does so whatever is left, so the WAL stays below that and one
    /// transaction more.
    pub restart_pages: u32,
    /// Page cache of each of the four connections, in KiB.
    pub cache_kib: u32,
}

impl SqliteOptions {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> SqliteOptions {
        SqliteOptions {
            path: path.into(),
            synchronous: Synchronous::Full,
            vfs: None,
            checkpoint_pages: CHECKPOINT_PAGES,
            restart_pages: RESTART_PAGES,
            cache_kib: CACHE_KIB,
        }
    }
}

/// Why the file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it. Nothing was touched.
    #[error(
        "the database has schema version {found}, this program knows {known}: it was written by \
         a newer version; use that, or restore a backup of the older one"
    )]
    SchemaNewer {
        /// The version in the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// An older program wrote it, and who only reads does not change it.
    #[error(
        "the database has schema version {found}, this program has {known}: start the hub of this \
         version on it once"
    )]
    SchemaOlder {
        /// The version in the database.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// The file system or SQLite refused.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The operating system gave no thread.
    #[error("no thread for the store: {0}")]
    Thread(#[from] std::io::Error),
}
