//! What was erased is in none of the files, also beside a reader that holds them.

use std::time::Duration;

use super::{Opened, opened, opened_with, runtime};
use crate::conformance::space::{NOW, Space, key, titled};
use crate::sqlite::{SqliteStore, Synchronous};
use crate::store::Store;

const SECRET: &str = "a-secret-of-ada";

/// A cut comes within a second. Ten times that means that none comes.
const HUNG: Duration = Duration::from_secs(10);

fn is_in_a_file(opened: &Opened) -> bool {
    let files = std::fs::read_dir(opened.dir.path()).unwrap();
    files
        .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
        .any(|bytes| {
            let mut parts = bytes.windows(SECRET.len());
            parts.any(|part| part == SECRET.as_bytes())
        })
}

async fn with_secret(store: &SqliteStore) -> Space<'_> {
    let mut space = Space::open(store).await;
    let commit = space.draft(vec![(key("tasks", "a"), titled(SECRET, 1))]);
    space.accept(commit).await;
    space
}

async fn until_it_is_gone(opened: &Opened) {
    let gone = async {
        while is_in_a_file(opened) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HUNG, gone).await.expect("it stays");
}

#[test]
fn nothing_is_left_when_an_erasure_is_answered() {
    let opened = opened();
    runtime().block_on(async {
        let space = with_secret(&opened.store).await;
        assert!(is_in_a_file(&opened));
        opened.store.erase(&space.key, NOW).await.unwrap();
        assert!(!is_in_a_file(&opened));
    });
}

#[test]
fn an_erasure_beside_a_reader_is_done_and_goes_from_the_files_after_it() {
    let opened = opened();
    runtime().block_on(async {
        let space = with_secret(&opened.store).await;
        let mut raw = opened.raw();
        let reading = raw.transaction().unwrap();
        let count = |sql| reading.query_row(sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(count("SELECT count(*) FROM records"), Ok(1));
        let erased = opened.store.erase(&space.key, NOW).await.unwrap();
        assert_eq!(erased.records, 1, "the receipt");
        assert!(is_in_a_file(&opened), "the reader may read it");
        drop(reading);
        until_it_is_gone(&opened).await;
    });
}

/// A process that is killed leaves its log (WAL), and there was time for an erasure in it.
#[test]
fn what_a_killed_process_left_is_gone_soon_after_the_next_start() {
    let killed = opened();
    runtime().block_on(async {
        let space = with_secret(&killed.store).await;
        let reading = killed.raw();
        reading
            .execute_batch("BEGIN; SELECT count(*) FROM records")
            .unwrap();
        killed.store.erase(&space.key, NOW).await.unwrap();
        let next = opened_with(|options| {
            options.synchronous = Synchronous::Off;
            let dir = options.path.parent().unwrap();
            for file in std::fs::read_dir(killed.dir.path()).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), dir.join(file.file_name())).unwrap();
            }
            assert!(dir.join("hub.db-wal").metadata().unwrap().len() > 0);
        });
        until_it_is_gone(&next).await;
    });
}
