//! The development issuer's key in the data directory: made once, kept over restarts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;

/// The key's file in the data directory: PKCS#8, readable by its owner only.
pub const DEV_KEY_FILE: &str = "dev-issuer.pk8";

/// The key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DevKeyError {
    /// The file cannot be read or made.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or its directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file holds no Ed25519 key.
    #[error("{} holds no Ed25519 key; delete it to get a new one", .0.display())]
    NotAKey(PathBuf),
    /// The machine has no randomness to give.
    #[error("no key could be made")]
    NoRandomness,
}

/// The key of `data_dir`, made if there is none. Two processes that make it at once end up with
/// the same.
pub(super) fn load_or_create(data_dir: &Path) -> Result<Vec<u8>, DevKeyError> {
    let path = data_dir.join(DEV_KEY_FILE);
    let at = |error| DevKeyError::File {
        path: path.clone(),
        error,
    };
    let pkcs8 = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(&path)?;
            fs::read(&path).map_err(at)?
        }
        read => read.map_err(at)?,
    };
    match Ed25519KeyPair::from_pkcs8(&pkcs8) {
        Ok(_) => Ok(pkcs8),
        Err(_) => Err(DevKeyError::NotAKey(path)),
    }
}

/// Writes a new key beside `path` and links it there, whole or not at all.
fn create(path: &Path) -> Result<(), DevKeyError> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
        .map_err(|_| DevKeyError::NoRandomness)?;
    let unique = getrandom::u64().map_err(|_| DevKeyError::NoRandomness)?;
    let new = path.with_extension(format!("{unique:016x}.new"));
    let link = || {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        write_private(&new, pkcs8.as_ref())?;
        match fs::hard_link(&new, path) {
            // Another process was faster: its key is the one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    let linked = link().map_err(|error| DevKeyError::File {
        path: path.to_owned(),
        error,
    });
    // Left behind it would be a spare copy of the key; if it cannot be removed, that is all.
    let _ = fs::remove_file(&new);
    linked
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn key_survives_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let first = load_or_create(&data_dir).unwrap();
        assert_eq!(load_or_create(&data_dir).unwrap(), first);
        let meta = fs::metadata(data_dir.join(DEV_KEY_FILE)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_start_together_agree() {
        let dir = tempfile::tempdir().unwrap();
        let make = || load_or_create(dir.path()).unwrap();
        let keys = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            let keys = threads.into_iter().map(|thread| thread.join().unwrap());
            keys.collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn damaged_file_is_named_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DEV_KEY_FILE), b"x").unwrap();
        let error = load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, DevKeyError::NotAKey(_)), "{error}");
        assert_eq!(fs::read(dir.path().join(DEV_KEY_FILE)).unwrap(), b"x");
    }
}
