//! The store that the config names, opened: to write it, for a node or an import, or to read it
//! beside a node.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_storage::cassandra::{CassandraOptions, CassandraStore};
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_storage::sqlite::{SqliteOptions, SqliteReader, SqliteStore};
use syncline_storage::transfer::{Export, JobTransfer};

use super::StartError;
use super::store_lock::{StoreLock, unusable};
use crate::config::{Config, StoreUrl};

/// A store and what goes with it.
pub(crate) struct OpenedStore {
    pub(crate) store: Arc<dyn JobTransfer>,
    /// Of a file that is this program's alone; to be dropped after the store.
    pub(crate) lock: Option<StoreLock>,
    /// The file it is in, on this machine.
    pub(crate) file: Option<SameFile>,
    /// The same store, where it counts what it asks of its servers.
    pub(crate) counts: Option<Arc<CassandraStore>>,
}

impl OpenedStore {
    /// Opens it, made if it is not there, and brings its schema to the newest.
    pub(crate) async fn open(config: &Config) -> Result<OpenedStore, StartError> {
        match config.store_url() {
            StoreUrl::Sqlite(path) => {
                let cache_kib = config.store.sqlite_cache_kib;
                beside_the_runtime(move || open_sqlite(&path, cache_kib)).await
            }
            StoreUrl::Postgres(url) => {
                let options = PostgresOptions::parse(&url).map_err(StartError::Store)?;
                let store = PostgresStore::open(&options).await.map_err(failed)?;
                Ok(OpenedStore {
                    store: Arc::new(store),
                    lock: None,
                    file: None,
                    counts: None,
                })
            }
            StoreUrl::Cassandra(url) => {
                let options = CassandraOptions::parse(&url).map_err(StartError::Store)?;
                let store = CassandraStore::open(&options).await.map_err(failed)?;
                let store = Arc::new(store);
                Ok(OpenedStore {
                    store: store.clone(),
                    lock: None,
                    file: None,
                    counts: Some(store),
                })
            }
        }
    }

    /// Errors: an import into it was begun and not finished. What a node would serve of it is not
    /// what its devices have.
    pub(crate) async fn expect_whole(&self) -> Result<(), StartError> {
        match self.store.is_half_imported().await {
            Ok(false) => Ok(()),
            Ok(true) => Err(StartError::HalfImported),
            Err(error) => Err(failed(error)),
        }
    }
}

/// A file under its name: what was opened is moved or removed without anybody being told, and goes
/// on being written where the next start will not look.
#[derive(Debug)]
pub(crate) struct SameFile {
    path: PathBuf,
    /// Device and number.
    is: (u64, u64),
}

impl SameFile {
    fn of(path: PathBuf) -> std::io::Result<SameFile> {
        let is = identity(&path)?;
        Ok(SameFile { path, is })
    }

    /// The name still leads to it.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|now| now == self.is)
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Opens it only to read, also while a node writes it. It must be there, and of this program's
/// schema. What an engine has to put aside on the way it puts into the directory, if one is named.
pub(crate) async fn open_beside(
    config: &Config,
    spool_directory: Option<&Path>,
) -> Result<Box<dyn Export>, StartError> {
    match config.store_url() {
        StoreUrl::Sqlite(path) => {
            let options = SqliteOptions {
                cache_kib: config.store.sqlite_cache_kib,
                ..SqliteOptions::new(path)
            };
            beside_the_runtime(move || {
                let reader = SqliteReader::open(&options).map_err(failed)?;
                Ok(Box::new(reader) as Box<dyn Export>)
            })
            .await
        }
        StoreUrl::Postgres(url) => {
            let options = PostgresOptions::parse(&url).map_err(StartError::Store)?;
            let store = PostgresStore::open_as_it_is(&options).await;
            Ok(Box::new(store.map_err(failed)?))
        }
        StoreUrl::Cassandra(url) => {
            let mut options = CassandraOptions::parse(&url).map_err(StartError::Store)?;
            if let Some(directory) = spool_directory {
                options.spool_directory = directory.to_owned();
            }
            let store = CassandraStore::open_as_it_is(&options).await;
            Ok(Box::new(store.map_err(failed)?))
        }
    }
}

/// Errors: it is a file that is not there. To open it to write would make it.
pub(crate) fn expect_file(config: &Config) -> Result<(), StartError> {
    match config.store_url() {
        StoreUrl::Sqlite(path) => path
            .metadata()
            .map(drop)
            .map_err(|error| unusable(&path, &error)),
        StoreUrl::Postgres(_) | StoreUrl::Cassandra(_) => Ok(()),
    }
}

async fn beside_the_runtime<T: Send + 'static>(
    open: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(open).await.map_err(failed)?
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Store(error.to_string())
}

fn open_sqlite(path: &Path, cache_kib: u32) -> Result<OpenedStore, StartError> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::create_dir_all(directory).map_err(|error| unusable(directory, &error))?;
    }
    let path = real_path(path)?;
    let lock = StoreLock::take(&path)?;
    let options = SqliteOptions {
        cache_kib,
        ..SqliteOptions::new(path.clone())
    };
    let store = SqliteStore::open(&options);
    let store = store.map_err(|error| StartError::Store(format!("{}: {error}", path.display())))?;
    Ok(OpenedStore {
        store: Arc::new(store),
        lock: Some(lock),
        file: Some(SameFile::of(path).map_err(failed)?),
        counts: None,
    })
}

/// The one name of the file that no link leads away from: two spellings of it are one lock, and
/// SQLite puts its files beside the file itself. The file is made if it is new, readable by its
/// owner only; what SQLite puts beside it follows. One that is there is not opened: closing it
/// would give up the locks that a store in this process has on it.
fn real_path(path: &Path) -> Result<PathBuf, StartError> {
    let made = || {
        let mut new = OpenOptions::new();
        new.append(true).create(true).mode(0o600).open(path)?;
        path.canonicalize()
    };
    let real = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => made(),
        real => real,
    };
    let real = real.map_err(|error| unusable(path, &error))?;
    let metadata = real.metadata().map_err(|error| unusable(path, &error))?;
    let why = if !metadata.is_file() {
        "is no file"
    } else if metadata.nlink() > 1 {
        // Each name would have a lock and a WAL of its own.
        "has hard links: give it a single name"
    } else {
        return Ok(real);
    };
    Err(StartError::Store(format!("{} {why}", path.display())))
}
