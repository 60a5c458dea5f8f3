//! Opening files of any age.

use std::thread;

use rusqlite::Connection;
use syncline_protocol::ids::Seq;

use super::{FILE, opened, runtime};
use crate::conformance::space::{Space, key, names, records};
use crate::sqlite::{OpenError, SqliteOptions, SqliteStore, schema};

const NEWEST: i64 = schema::STEPS.len() as i64;

#[test]
fn data_is_there_after_closing_and_opening() {
    let opened = opened();
    let options = SqliteOptions::new(opened.dir.path().join(FILE));
    let before = runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.put(&[("t", "a")]).await;
        space.view
    });
    drop(opened.store);
    let store = SqliteStore::open(&options).unwrap();
    runtime().block_on(async {
        let space = Space::open(&store).await;
        assert_eq!(space.view, before);
        assert!(space.record(&key("t", "a")).await.is_some());
    });
}

#[test]
fn a_closed_store_leaves_one_file() {
    let opened = opened();
    drop(opened.store);
    let left = std::fs::read_dir(opened.dir.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [FILE]);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    let refused = SqliteStore::open(&SqliteOptions::new(&path)).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::SchemaNewer {
            found: 99,
            known: NEWEST
        }
    ));
    assert!(refused.to_string().contains("newer version"), "{refused}");
    let tables = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(newer.query_row(tables, [], |row| row.get(0)), Ok(0));
}

#[test]
fn a_file_of_the_first_schema_is_brought_to_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(schema::STEPS[0]).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    let store = SqliteStore::open(&SqliteOptions::new(&path)).unwrap();
    runtime().block_on(async {
        let mut space = Space::open(&store).await;
        space.put(&[("t", "b"), ("t", "a")]).await;
        let page = space.changes(Seq(0), records(1)).await;
        assert_eq!(names(&page.records), ["t/a"]);
    });
}

/// A file in which several of a lane could be claimed, and were leased.
#[test]
fn of_a_lane_that_was_claimed_at_once_the_first_leased_keeps_its_lease() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut old = Connection::open(&path).unwrap();
    let is_it = |step: &&str| *step == schema::BEHIND;
    let before = schema::STEPS.iter().position(is_it).unwrap();
    for step in &schema::STEPS[..before] {
        old.execute_batch(step).unwrap();
    }
    old.pragma_update(None, "user_version", before as i64)
        .unwrap();
    let put = "INSERT INTO jobs(sid, kind, key, state, due_at, at, attempt, lease, holder, depth,
        epoch, seq, origin, args, lane)
        VALUES(1, 'webhook', ?1, ?2, 5, ?3, ?2, ?2, CASE ?2 WHEN 1 THEN 'n1' END, 0, 1, 1, 't',
            'null', ?4)";
    // By key, state, time and lane: scheduled, leased, waiting for another try.
    let rows = [
        ("a", 0, 5, Some("l")),
        ("b", 1, 90, Some("l")),
        ("c", 1, 80, Some("l")),
        ("d", 2, 70, Some("l")),
        ("e", 0, 5, Some("m")),
        ("f", 0, 5, Some("m")),
        ("g", 1, 90, None),
        ("h", 1, 90, None),
    ];
    for row in rows {
        old.execute(put, row).unwrap();
    }
    schema::migrate(&mut old).unwrap();
    let all = "SELECT key, state, at, behind_at FROM jobs ORDER BY key";
    let mut all = old.prepare(all).unwrap();
    type Found = (String, i64, Option<i64>, Option<i64>);
    let found = all.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let found: Vec<Found> = found.unwrap().map(Result::unwrap).collect();
    let expected = [
        ("a", 0, None, Some(5)),
        ("b", 1, Some(90), None),
        ("c", 2, None, Some(5)),
        ("d", 2, None, Some(70)),
        ("e", 0, Some(5), None),
        ("f", 0, None, Some(5)),
        ("g", 1, Some(90), None),
        ("h", 1, Some(90), None),
    ];
    let expected =
        expected.map(|(key, state, at, behind_at)| (key.to_owned(), state, at, behind_at));
    assert_eq!(found, expected);
    assert_eq!(
        schema::check(&old).map_err(|error| error.to_string()),
        Ok(())
    );
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    std::fs::write(&path, "a letter to the editor".repeat(100)).unwrap();
    let refused = SqliteStore::open(&SqliteOptions::new(&path)).unwrap_err();
    assert!(matches!(refused, OpenError::Sqlite(_)), "{refused}");
}

#[test]
fn two_programs_may_make_the_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join(FILE));
    thread::scope(|scope| {
        let open = || SqliteStore::open(&options).map(drop);
        let racing: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for opened in racing {
            opened.join().unwrap().unwrap();
        }
    });
}
