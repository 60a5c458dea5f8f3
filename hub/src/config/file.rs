//! The text of the configuration file. Only a default file that is not there is no file.
//!
//! A pipe may be named, as shells do for `<(…)`; nobody means one by the default name, and reading
//! it would wait for ever.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Read from the working directory if no other file is named. It need not exist.
pub const DEFAULT_FILE: &str = "hub.toml";

/// Which file is read.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    must_exist: bool,
}

impl ConfigFile {
    /// The one that was named, which must be there; else the default one.
    pub(super) fn new(named: Option<&Path>) -> ConfigFile {
        ConfigFile {
            path: named.unwrap_or(Path::new(DEFAULT_FILE)).to_owned(),
            must_exist: named.is_some(),
        }
    }

    /// Its name, as errors tell it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its text, empty if it may be missing and is. Errors: it cannot be read, is a directory, is
    /// not UTF-8, is a link to nothing, or is a pipe that was not named.
    pub(super) fn text(&self) -> Result<String, Error> {
        let is_special = |found: fs::Metadata| !found.is_file() && !found.is_dir();
        if !self.must_exist && fs::metadata(&self.path).is_ok_and(is_special) {
            return Err(Error::other("is no regular file; name it with --config"));
        }
        match fs::read_to_string(&self.path) {
            Err(error) if self.may_be_missing(&error) => Ok(String::new()),
            read => read,
        }
    }

    /// A link to nothing was put there by somebody who meant something.
    fn may_be_missing(&self, error: &Error) -> bool {
        let is_missing = |error: &Error| error.kind() == ErrorKind::NotFound;
        let nothing_is_there = || fs::symlink_metadata(&self.path).is_err_and(|e| is_missing(&e));
        !self.must_exist && is_missing(error) && nothing_is_there()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn optional(path: PathBuf) -> ConfigFile {
        ConfigFile {
            path,
            must_exist: false,
        }
    }

    #[test]
    fn only_a_missing_default_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DEFAULT_FILE);
        assert_eq!(optional(path.clone()).text().unwrap(), "");
        assert!(ConfigFile::new(Some(&path)).text().is_err());
        fs::write(&path, "drain_s = 3").unwrap();
        assert_eq!(optional(path).text().unwrap(), "drain_s = 3");
    }

    #[test]
    fn what_is_there_and_no_text_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        fs::write(at("binary"), [0xff]).unwrap();
        fs::write(at("file"), "").unwrap();
        let made = Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.unwrap().success());
        for name in ["", "dangling", "loop", "binary", "file/hub.toml", "pipe"] {
            assert!(optional(at(name)).text().is_err(), "{name}");
        }
    }

    #[test]
    fn a_pipe_that_is_named_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let written = path.clone();
        let writing = std::thread::spawn(move || fs::write(written, "drain_s = 3").unwrap());
        assert_eq!(ConfigFile::new(Some(&path)).text().unwrap(), "drain_s = 3");
        writing.join().unwrap();
    }
}
