//! Checkpoints off the writer, with a WAL that stays bounded all the same.
//!
//! The WAL starts over only when all of it is in the database and no reader needs it. A PASSIVE
//! checkpoint beside a busy writer copies the bulk but never meets that moment: the writer
//! appends meanwhile. So the thread here does the bulk, and when the WAL is long the writer
//! itself, between two transactions, copies the little that is left (RESTART); the next
//! transaction then begins at the front of the file. RESTART waits for readers of older
//! snapshots, which are pages and short; where one is not, it gives up and tries again later.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tracing::warn;

use super::connection::BUSY_TIMEOUT;
use super::options::SqliteOptions;
use crate::types::StoreError;

/// How long the writer waits for readers when it lets the WAL start over.
const RESTART_WAIT: Duration = Duration::from_millis(200);

/// What the checkpoint thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Asked,
    Closing,
}

#[derive(Debug)]
struct Shared {
    phase: Mutex<Phase>,
    changed: Condvar,
}

impl Shared {
    fn set(&self, phase: Phase) {
        let mut current = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != Phase::Closing {
            *current = phase;
        }
        self.changed.notify_all();
    }

    fn is_idle(&self) -> bool {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) == Phase::Idle
    }

    /// Waits while the phase is `phase` and returns the next one.
    fn wait_while(&self, phase: Phase) -> Phase {
        let current = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        *self
            .changed
            .wait_while(current, |current| *current == phase)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checkpoint thread. Dropping it joins it and closes its connection.
#[derive(Debug)]
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; the policy belongs to the writer.
    pub(super) fn start(
        conn: Connection,
        options: &SqliteOptions,
    ) -> std::io::Result<(Checkpointer, Policy)> {
        let shared = Arc::new(Shared {
            phase: Mutex::new(Phase::Idle),
            changed: Condvar::new(),
        });
        let policy = Policy {
            shared: shared.clone(),
            checkpoint_pages: options.checkpoint_pages,
            restart_pages: options.restart_pages.max(1),
            retry_at: 0,
        };
        let for_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || run(&conn, &for_thread))?;
        let checkpointer = Checkpointer {
            shared,
            thread: Some(thread),
        };
        Ok((checkpointer, policy))
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.set(Phase::Closing);
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and closing has no one to tell.
            let _ = thread.join();
        }
    }
}

fn run(conn: &Connection, shared: &Shared) {
    while shared.wait_while(Phase::Idle) == Phase::Asked {
        if let Err(error) = Wal::after(conn, "PASSIVE") {
            warn!(%error, "checkpoint failed");
        }
        shared.set(Phase::Idle);
    }
}

/// How far the WAL has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wal {
    /// The checkpoint could not do all of it, for others were in the way.
    busy: bool,
    /// Pages in it.
    pages: u32,
    /// Pages of it that are in the database.
    copied: u32,
}

impl Wal {
    /// The state after a checkpoint of that mode; `NOOP` only looks.
    fn after(conn: &Connection, mode: &str) -> rusqlite::Result<Wal> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        conn.prepare_cached(&sql)?.query_row([], |row| {
            // -1 without a WAL.
            let pages = |at| row.get::<_, i64>(at).map(|n| u32::try_from(n).unwrap_or(0));
            Ok(Wal {
                busy: row.get(0)?,
                pages: pages(1)?,
                copied: pages(2)?,
            })
        })
    }

    fn left(self) -> u32 {
        self.pages.saturating_sub(self.copied)
    }
}

/// Copies all of the WAL and cuts it to nothing, so that what it held is nowhere. Waits for readers
/// of older snapshots as long as a statement waits.
pub(super) fn cut(conn: &Connection) -> Result<(), StoreError> {
    if Wal::after(conn, "TRUNCATE")?.busy {
        let busy = "others read what was there before; ask again";
        return Err(StoreError::Unavailable(busy.to_owned()));
    }
    Ok(())
}

/// When to do what. Owned by the writer, asked after each of its transactions.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    shared: Arc<Shared>,
    /// See [`SqliteOptions::checkpoint_pages`].
    checkpoint_pages: u32,
    /// See [`SqliteOptions::restart_pages`].
    restart_pages: u32,
    /// After a reader was in the way: the length of the WAL at which to try again.
    retry_at: u32,
}

impl Policy {
    /// Looks at the WAL and lets it be copied or start over. Errors are logged: the commit
    /// before is durable, and the next one looks again.
    pub(super) fn after_write(&mut self, conn: &Connection) {
        if let Err(error) = self.bound(conn) {
            warn!(%error, "checkpoint on the writer failed");
        }
    }

    fn bound(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let wal = Wal::after(conn, "NOOP")?;
        if wal.pages < self.restart_pages {
            self.retry_at = 0;
        }
        if wal.left() == 0 {
            return Ok(());
        }
        if wal.pages >= self.restart_pages.saturating_mul(2).max(self.retry_at) {
            self.shared.wait_while(Phase::Asked);
            return self.restart(conn);
        }
        let idle = self.shared.is_idle();
        let little_left = wal.left() <= self.checkpoint_pages;
        if idle && little_left && wal.pages >= self.restart_pages.max(self.retry_at) {
            return self.restart(conn);
        }
        if idle && wal.left() >= self.checkpoint_pages {
            self.shared.set(Phase::Asked);
        }
        Ok(())
    }

    fn restart(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        conn.busy_timeout(RESTART_WAIT)?;
        let wal = Wal::after(conn, "RESTART");
        conn.busy_timeout(BUSY_TIMEOUT)?;
        let wal = wal?;
        if wal.busy {
            // Each try may stop the writer for RESTART_WAIT: not often for one slow reader.
            self.retry_at = wal.pages.saturating_add(self.restart_pages);
        }
        Ok(())
    }
}
