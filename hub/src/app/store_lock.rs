//! One hub a database file: a lock beside it, held as long as the hub runs.
//!
//! The operating system holds the lock for the open file, so a hub that is killed leaves none.
//! The file itself stays; removing it would let two hubs lock two files of one name.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StartError;

/// The lock, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct StoreLock(#[expect(dead_code, reason = "open is all it must be")] File);

impl StoreLock {
    /// Takes the lock `PATH.lock` of a database by its real name, since links may give it others.
    /// Errors: another hub has it, or the file cannot be made.
    pub(super) fn take(database: &Path) -> Result<StoreLock, StartError> {
        let path = beside(database);
        let failed = |error| unusable(&path, &error);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(StoreLock(file)),
            Err(TryLockError::WouldBlock) => Err(StartError::StoreInUse {
                path: database.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// A file of the store, or where it would be, that the system does not give.
pub(super) fn unusable(path: &Path, error: &std::io::Error) -> StartError {
    StartError::Store(format!("{}: {error}", path.display()))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
