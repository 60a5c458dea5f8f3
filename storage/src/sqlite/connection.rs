//! A connection as each of the threads needs it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::options::{SqliteOptions, Synchronous};

/// How long a statement waits for a lock another process holds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two tries to open a file that another program is just making.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Statements kept prepared per connection; the module has fewer.
const STATEMENTS_MAX: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Commits and space changes.
    Write,
    /// Reads only; SQLite refuses anything else.
    Read,
    /// Copies the WAL into the database.
    Checkpoint,
}

/// Opens the file for a role. The write connection comes first: it turns WAL on. Where another
/// program does the same at this moment, SQLite answers busy without waiting: then it is tried
/// again, as long as a statement would wait.
pub(super) fn open(options: &SqliteOptions, role: Role) -> rusqlite::Result<Connection> {
    let began = Instant::now();
    loop {
        match open_once(options, role) {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(BUSY_PAUSE);
            }
            opened => return opened,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn open_once(options: &SqliteOptions, role: Role) -> rusqlite::Result<Connection> {
    let conn = connected(options, OpenFlags::SQLITE_OPEN_CREATE)?;
    let synchronous = match options.synchronous {
        // In WAL mode the same as FULL. But the switch to WAL is a transaction with a rollback
        // journal, and only EXTRA syncs the directory after deleting that: else a power loss
        // may bring the journal back, which undoes the switch and every commit after it.
        Synchronous::Full => "EXTRA",
        Synchronous::Off => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    match role {
        Role::Write => {
            if conn.is_readonly(rusqlite::MAIN_DB)? {
                return Err(read_only());
            }
            // What is erased must not be found in the file; what was replaced before neither.
            conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
            set_up_wal(&conn, options)?;
        }
        Role::Read => conn.pragma_update(None, "query_only", true)?,
        Role::Checkpoint => {}
    }
    Ok(conn)
}

/// Opens a file that is there, for reads only, also while a hub runs on it. Its last user, if that
/// is this one, copies what is left in the WAL.
pub(super) fn open_beside(options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let conn = connected(options, OpenFlags::empty())?;
    conn.pragma_update(None, "synchronous", "EXTRA")?;
    conn.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn connected(options: &SqliteOptions, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let path = literal(&options.path)?;
    let conn = match &options.vfs {
        None => Connection::open_with_flags(&path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(&path, flags, vfs.as_str())?,
    };
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(conn)
}

/// SQLite opens a file that may not be written for reading, without a word.
fn read_only() -> rusqlite::Error {
    let why = "the file may not be written".to_owned();
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), Some(why))
}

/// The path as SQLite takes for nothing but a path. It is built to read every name that begins with
/// `file:` as a URI, whatever the flags say, and `:memory:` as no file; a name that begins with `/`
/// is neither.
fn literal(path: &Path) -> rusqlite::Result<PathBuf> {
    std::path::absolute(path).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))
}

/// Turns WAL on, and cuts a WAL back that once grew past its bound.
fn set_up_wal(conn: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let page_bytes: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let wal_bytes_max = 2 * i64::from(options.restart_pages) * page_bytes;
    conn.pragma_update_and_check(None, "journal_size_limit", wal_bytes_max, |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_file() {
        let here = std::env::current_dir().unwrap();
        for name in ["file:hub.db?mode=memory", ":memory:", "hub.db", "./hub.db"] {
            let path = literal(Path::new(name)).unwrap();
            assert_eq!(path, here.join(name.trim_start_matches("./")), "{name}");
        }
        assert!(literal(Path::new("")).is_err(), "a file of nobody's");
    }
}
