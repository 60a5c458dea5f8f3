//! Checkpoints off the writer, with a WAL that stays bounded all the same.
//!
//! The WAL starts over only when all of it is in the database and no reader needs it. A PASSIVE
//! checkpoint beside a busy writer copies the bulk but never meets that moment: the writer
//! appends meanwhile. So the thread here does the bulk, and when the WAL is long the writer
//! itself, between two transactions, copies the little that is left (RESTART); the next
//! transaction then begins at the front of the file. RESTART waits for readers of older
//! snapshots, which are pages and short; where one is not, it gives up and tries again later.
//!
//! What was erased is in the WAL until that is cut to nothing. A reader that is in the way then is
//! waited for by the thread, not by the writer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tracing::warn;

use super::connection::BUSY_TIMEOUT;
use super::options::SqliteOptions;

/// How long the writer waits for readers when it lets the WAL start over.
const RESTART_WAIT: Duration = Duration::from_millis(200);

/// How long the thread waits for readers when it cuts the WAL: meanwhile nobody can write.
const CUT_WAIT: Duration = Duration::from_millis(50);

/// Between two tries of the thread to cut it: longer and longer, since each may hold writers up.
const CUTS_APART: Duration = Duration::from_secs(1);
const CUTS_APART_MAX: Duration = Duration::from_secs(60);

/// What the checkpoint thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Asked,
    Closing,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    /// The WAL may hold what was erased.
    cut_due: bool,
    /// Somebody cuts it.
    cutting: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != Phase::Closing {
            state.phase = phase;
        }
        self.changed.notify_all();
    }

    fn is_idle(&self) -> bool {
        self.state().phase == Phase::Idle
    }

    /// Cuts the WAL, or leaves that to be tried again. Whoever cuts it already is waited for.
    fn is_cut(&self, conn: &Connection, wait: Duration) -> bool {
        let others = |state: &mut State| state.cutting;
        let waited = self.changed.wait_while(self.state(), others);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        (state.cutting, state.cut_due) = (true, false);
        drop(state);
        let is_cut = is_cut(conn, wait);
        let mut state = self.state();
        (state.cutting, state.cut_due) = (false, state.cut_due || !is_cut);
        self.changed.notify_all();
        is_cut
    }

    /// Waits while the thread copies.
    fn wait_until_copied(&self) {
        let copies = |state: &mut State| state.phase == Phase::Asked;
        let waited = self.changed.wait_while(self.state(), copies);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for work; for a cut that is due no longer than until that moment.
    fn next(&self, cut_at: Instant) -> State {
        let mut state = self.state();
        loop {
            let left = cut_at.saturating_duration_since(Instant::now());
            if state.phase != Phase::Idle || state.cut_due && left.is_zero() {
                return *state;
            }
            state = if state.cut_due {
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.changed.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}

/// Cuts the WAL of a store when readers let it.
#[derive(Clone, Debug)]
pub(super) struct Cutter(Arc<Shared>);

impl Cutter {
    /// On the writer: what it removed before is in the WAL until that is cut, now or by the thread.
    pub(super) fn cut(&self, conn: &Connection) {
        self.0.wait_until_copied();
        self.0.is_cut(conn, RESTART_WAIT);
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
            // An earlier process may have ended before it cut the WAL.
            state: Mutex::new(State {
                phase: Phase::Idle,
                cut_due: true,
                cutting: false,
            }),
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

    pub(super) fn cutter(&self) -> Cutter {
        Cutter(self.shared.clone())
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
    let (mut cut_at, mut apart) = (Instant::now(), CUTS_APART);
    loop {
        let state = shared.next(cut_at);
        if state.phase == Phase::Closing {
            return;
        }
        if state.phase == Phase::Asked {
            if let Err(error) = Wal::after(conn, "PASSIVE") {
                warn!(%error, "checkpoint failed");
            }
            shared.set(Phase::Idle);
        }
        if state.cut_due && Instant::now() >= cut_at {
            apart = match shared.is_cut(conn, CUT_WAIT) {
                true => CUTS_APART,
                false => (2 * apart).min(CUTS_APART_MAX),
            };
            cut_at = Instant::now() + apart;
        }
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

/// Copies all of the WAL and cuts it to nothing, so that what it held is nowhere, unless readers of
/// older snapshots are there for so long.
fn is_cut(conn: &Connection, wait: Duration) -> bool {
    let cut = || {
        conn.busy_timeout(wait)?;
        let wal = Wal::after(conn, "TRUNCATE");
        conn.busy_timeout(BUSY_TIMEOUT)?;
        wal
    };
    match cut() {
        Ok(wal) => !wal.busy,
        Err(error) => {
            warn!(%error, "the WAL could not be cut");
            false
        }
    }
}

/// Tries to have the WAL start over, for [`RESTART_WAIT`]. Where readers come and go all the time, the
/// moment without one is short: SQLite's own waits, which grow, would look for it ten times in all.
fn restarted(conn: &Connection) -> rusqlite::Result<Wal> {
    let until = Instant::now() + RESTART_WAIT;
    loop {
        let wal = Wal::after(conn, "RESTART")?;
        if !wal.busy || Instant::now() >= until {
            return Ok(wal);
        }
        thread::sleep(Duration::from_millis(1));
    }
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
            self.shared.wait_until_copied();
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
        conn.busy_timeout(Duration::ZERO)?;
        let wal = restarted(conn);
        conn.busy_timeout(BUSY_TIMEOUT)?;
        let wal = wal?;
        if wal.busy {
            // Each try may stop the writer for RESTART_WAIT: not often for one slow reader.
            self.retry_at = wal.pages.saturating_add(self.restart_pages);
        }
        Ok(())
    }
}
