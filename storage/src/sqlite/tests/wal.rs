//! The WAL stays bounded, whoever reads and writes.

use std::path::Path;

use rusqlite::Connection;
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::record::Record;

use super::{FILE, Opened, opened_with, runtime};
use crate::conformance::space::{Space, key, records, titled};
use crate::sqlite::Synchronous;

const CHECKPOINT_PAGES: u32 = 50;
const RESTART_PAGES: u32 = 200;

/// A page and its frame header.
const FRAME_BYTES: u64 = 4_096 + 24;

/// The bound promised by `SqliteOptions::restart_pages`, with 64 pages for one transaction.
const WAL_BYTES_MAX: u64 = (2 * RESTART_PAGES as u64 + 64) * FRAME_BYTES;

fn small_wal() -> Opened {
    opened_with(|options| {
        options.synchronous = Synchronous::Off;
        options.checkpoint_pages = CHECKPOINT_PAGES;
        options.restart_pages = RESTART_PAGES;
    })
}

fn wal_bytes(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(format!("{FILE}-wal")))
        .unwrap()
        .len()
}

fn record(n: u64) -> (RecordKey, Record) {
    // Ids in no order, so that every commit touches other pages.
    let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (key("t", &format!("{id:016x}")), titled(&"x".repeat(400), 0))
}

/// Commits one after the other and returns the largest size the WAL had.
async fn load(dir: &Path, space: &mut Space<'_>, commits: u64) -> u64 {
    let mut largest = 0;
    for _ in 0..commits {
        let commit = space.draft(vec![record(space.view.head.0)]);
        assert_eq!(space.commit(commit).await, Ok(()));
        space.view.head = space.view.head.next();
        largest = largest.max(wal_bytes(dir));
    }
    largest
}

/// Four spaces at once, so that the writer always has a commit waiting: it never leaves the
/// checkpoint thread a moment in which the WAL could start over by itself.
async fn continuous_load(opened: &Opened, commits: u64) -> u64 {
    let of_space = async |name: &str| {
        let mut space = Space::open_named(&opened.store, "todo", name).await;
        load(opened.dir.path(), &mut space, commits / 4).await
    };
    let (a, b, c, d) = tokio::join!(of_space("a"), of_space("b"), of_space("c"), of_space("d"));
    a.max(b).max(c).max(d)
}

#[test]
fn the_wal_stays_bounded_under_continuous_load() {
    let opened = small_wal();
    runtime().block_on(async {
        let load = u64::from(RESTART_PAGES) * FRAME_BYTES;
        let mut largest = 0;
        // How much of a load it takes to outrun the checkpoint thread is the machine's affair.
        for _ in 0..20 {
            largest = largest.max(continuous_load(&opened, 4_000).await);
            assert!(largest <= WAL_BYTES_MAX, "the WAL had {largest} bytes");
            if largest >= load {
                return;
            }
        }
        panic!("the checkpoint thread was never outrun: {largest} bytes");
    });
}

#[test]
fn the_wal_stays_bounded_while_others_read_all_the_time() {
    let opened = small_wal();
    runtime().block_on(async {
        let reader = Space::open_named(&opened.store, "todo", "a").await;
        let goal = Seq(500);
        let read = || async { while reader.changes(Seq(0), records(50)).await.view.head < goal {} };
        let (largest, (), ()) = tokio::join!(continuous_load(&opened, 4 * goal.0), read(), read());
        assert!(largest <= WAL_BYTES_MAX, "the WAL had {largest} bytes");
    });
}

/// A backup, or a person with a shell: it holds the WAL for as long as it reads.
fn hold_a_snapshot(conn: &Connection) -> rusqlite::Transaction<'_> {
    let held = conn.unchecked_transaction().unwrap();
    let count = "SELECT count(*) FROM records";
    held.query_row(count, [], |_| Ok(())).unwrap();
    held
}

#[test]
fn the_wal_shrinks_back_after_a_reader_that_held_it() {
    let opened = small_wal();
    let raw = opened.raw();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        load(opened.dir.path(), &mut space, 10).await;
        let held = hold_a_snapshot(&raw);
        let grown = load(opened.dir.path(), &mut space, 200).await;
        assert!(
            grown > WAL_BYTES_MAX,
            "the reader held nothing: {grown} bytes"
        );
        held.finish().unwrap();
        load(opened.dir.path(), &mut space, 200).await;
        let after = wal_bytes(opened.dir.path());
        assert!(after <= WAL_BYTES_MAX, "the WAL has {after} bytes");
    });
}

#[test]
fn checkpoints_run_beside_the_writer() {
    let opened = opened_with(|options| {
        options.checkpoint_pages = CHECKPOINT_PAGES;
        options.restart_pages = u32::MAX;
    });
    let raw = opened.raw();
    let copied = || -> i64 {
        let look = "PRAGMA wal_checkpoint(NOOP)";
        raw.query_row(look, [], |row| row.get(2)).unwrap()
    };
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        while copied() == 0 {
            assert!(space.view.head < Seq(10_000), "nothing was copied");
            load(opened.dir.path(), &mut space, 20).await;
        }
    });
}
