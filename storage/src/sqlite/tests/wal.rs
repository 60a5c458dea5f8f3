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
        space
            .accept(space.draft(vec![record(space.view.head.0)]))
            .await;
        largest = largest.max(wal_bytes(dir));
    }
    largest
}

#[test]
fn the_wal_stays_bounded_under_continuous_load() {
    let opened = small_wal();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        let largest = load(opened.dir.path(), &mut space, 3_000).await;
        assert!(largest <= WAL_BYTES_MAX, "the WAL had {largest} bytes");
        assert!(
            largest >= u64::from(CHECKPOINT_PAGES) * FRAME_BYTES,
            "no load: {largest} bytes"
        );
    });
}

#[test]
fn the_wal_stays_bounded_while_others_read_all_the_time() {
    let opened = small_wal();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        let reader = Space::open(&opened.store).await;
        let goal = Seq(2_000);
        let reads = async { while reader.changes(Seq(0), records(50)).await.view.head < goal {} };
        let commits = load(opened.dir.path(), &mut space, goal.0);
        let (largest, (), ()) = tokio::join!(commits, reads, async {
            while reader.snapshot(None, records(50)).await.view.head < goal {}
        });
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
