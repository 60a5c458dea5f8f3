//! A file that has its name only once all of it is durable.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Readable by its owner only: it holds everything of everybody.
const MODE: u32 = 0o600;

/// A file that is being written as `NAME.part`. Dropped before it is complete, it is removed.
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    is_complete: bool,
}

impl PartFile {
    /// Begins a file, over what an earlier one left that was killed. Errors: also if another
    /// program writes the same one.
    pub(super) fn create(path: &Path) -> io::Result<PartFile> {
        if path.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = locked(&part)?;
        file.set_len(0)?;
        Ok(PartFile {
            file,
            part,
            path: path.to_owned(),
            is_complete: false,
        })
    }

    /// Gives it its name, in place of one that has it.
    pub(super) fn complete(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        self.is_complete = true;
        // The name is durable with its directory.
        let directory = self.path.parent().filter(|of| !of.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // What stays is overwritten by the next one.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// The file of this name, locked. One that lost its name while the lock was waited for is another
/// program's complete one, or removed.
fn locked(part: &Path) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODE);
        let file = options.open(part)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("another program writes {}", part.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let own = file.metadata()?;
        let named = fs::metadata(part);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
            file.set_permissions(Permissions::from_mode(MODE))?;
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_once_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all");
        fs::write(&path, "of before").unwrap();
        let mut file = PartFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"of before");
        file.complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["all"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = PartFile::create(&dir.path().join("all")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn what_a_killed_one_left_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all");
        fs::write(dir.path().join("all.part"), "much of an earlier one").unwrap();
        let mut file = PartFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn two_do_not_write_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all");
        let first = PartFile::create(&path).unwrap();
        let second = PartFile::create(&path).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        assert_eq!(names(dir.path()), ["all.part"]);
        drop(first);
        assert!(PartFile::create(&path).is_ok());
    }

    #[test]
    fn a_directory_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(PartFile::create(dir.path()).is_err());
    }
}
