//! Snapshots: the live records, in parts.

use syncline_protocol::ids::{ClientId, RecordKey, TableName, WriterNo};

use super::space::{Space, UNLIMITED, client, key, names, records, titled, tombstone};
use crate::Store;
use crate::types::{PageLimit, SnapshotPage};

/// Five records in three tables, committed in no order.
async fn five_records(store: &dyn Store) -> Space<'_> {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "b"), ("lists", "z")]).await;
    space
        .put(&[("tags", "a"), ("tasks", "a"), ("lists", "a")])
        .await;
    space
}

const IN_ORDER: [&str; 5] = ["lists/a", "lists/z", "tags/a", "tasks/a", "tasks/b"];

async fn of_tables(space: &Space<'_>, tables: &[&str], after: Option<&RecordKey>) -> SnapshotPage {
    let tables: Vec<_> = tables
        .iter()
        .map(|table| TableName::trusted(table))
        .collect();
    let page = space
        .store
        .snapshot(&space.key, Some(&tables), after, UNLIMITED)
        .await;
    page.expect("a snapshot is read")
}

/// And complete.
pub async fn a_snapshot_of_an_empty_space_is_empty(store: &dyn Store) {
    let space = Space::open(store).await;
    let page = space.snapshot(None, UNLIMITED).await;
    assert_eq!(
        (page.records, page.more, page.view),
        (vec![], false, space.view)
    );
}

/// By bytes, whatever the order of commits.
pub async fn a_snapshot_is_ordered_by_table_then_id(store: &dyn Store) {
    let mut space = five_records(store).await;
    space.put(&[("Z", "é"), ("Z", "z"), ("Z", "Z")]).await;
    let page = space.snapshot(None, UNLIMITED).await;
    let expected = [["Z/Z", "Z/z", "Z/é"].as_slice(), &IN_ORDER].concat();
    assert_eq!(names(&page.records), expected);
}

/// Tombstones are for cursors.
pub async fn a_snapshot_holds_live_records_only(store: &dyn Store) {
    let mut space = five_records(store).await;
    space
        .accept(space.draft(vec![(key("tags", "a"), tombstone(0))]))
        .await;
    let page = space.snapshot(None, UNLIMITED).await;
    assert_eq!(
        names(&page.records),
        ["lists/a", "lists/z", "tasks/a", "tasks/b"]
    );
}

/// After it, not at it.
pub async fn a_snapshot_resumes_after_a_record(store: &dyn Store) {
    let space = five_records(store).await;
    let page = space.snapshot(Some(&key("lists", "z")), UNLIMITED).await;
    assert_eq!(names(&page.records), IN_ORDER[2..]);
}

/// The place counts, the record may have gone between two parts.
pub async fn a_snapshot_resumes_after_a_record_gone(store: &dyn Store) {
    let space = five_records(store).await;
    let page = space.snapshot(Some(&key("lists", "m")), UNLIMITED).await;
    assert_eq!(names(&page.records), IN_ORDER[1..]);
}

/// In the same order, whatever the order of the names; unknown and repeated ones do no harm.
pub async fn a_snapshot_of_tables_holds_no_others(store: &dyn Store) {
    let space = five_records(store).await;
    let page = of_tables(&space, &["tasks", "none", "lists", "tasks"], None).await;
    assert_eq!(
        names(&page.records),
        ["lists/a", "lists/z", "tasks/a", "tasks/b"]
    );
    assert!(of_tables(&space, &[], None).await.records.is_empty());
}

/// Inside a table and between two.
pub async fn a_snapshot_of_tables_resumes(store: &dyn Store) {
    let space = five_records(store).await;
    let tables = ["lists", "tasks"];
    let inside = of_tables(&space, &tables, Some(&key("lists", "a"))).await;
    let between = of_tables(&space, &tables, Some(&key("tags", "a"))).await;
    assert_eq!(names(&inside.records), ["lists/z", "tasks/a", "tasks/b"]);
    assert_eq!(names(&between.records), ["tasks/a", "tasks/b"]);
}

/// A reader that comes for nothing is one request too many.
pub async fn more_is_exact_at_the_limit(store: &dyn Store) {
    let mut space = five_records(store).await;
    space
        .accept(space.draft(vec![(key("zzz", "dead"), tombstone(0))]))
        .await;
    let (at, below) = (
        space.snapshot(None, records(5)).await,
        space.snapshot(None, records(4)).await,
    );
    assert_eq!((at.records.len(), at.more), (5, false));
    assert_eq!((below.records.len(), below.more), (4, true));
}

/// The first record is there whatever its size.
pub async fn a_snapshot_is_limited_by_bytes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let long = "x".repeat(1_000);
    let all = ["a", "b", "c"].map(|id| (key("t", id), titled(&long, 0)));
    space.accept(space.draft(all.to_vec())).await;
    for (bytes, taken) in [(10, 1), (2_500, 2), (9_000, 3)] {
        let limit = PageLimit {
            records: usize::MAX,
            bytes,
        };
        let page = space.snapshot(None, limit).await;
        assert_eq!(
            (page.records.len(), page.more),
            (taken, taken < 3),
            "{bytes} bytes"
        );
    }
}

/// Going on after the last record misses nothing and repeats nothing.
pub async fn parts_together_are_all_live_records(store: &dyn Store) {
    let space = five_records(store).await;
    let mut together = Vec::new();
    let mut after = None;
    loop {
        let page = space.snapshot(after.as_ref(), records(2)).await;
        together.extend(names(&page.records));
        if !page.more {
            break;
        }
        after = page.records.last().map(|(key, _)| key.clone());
    }
    assert_eq!(together, IN_ORDER);
}

/// Of the part's records only.
pub async fn writers_of_a_snapshot_are_named_once(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for name in ["c1", "c2"] {
        space.introduce(&client("ada", name)).await;
    }
    let record = |id| (key("t", id), titled("x", 2));
    space
        .accept(space.draft(vec![record("a"), record("b")]))
        .await;
    let page = space.snapshot(None, UNLIMITED).await;
    assert_eq!(page.writers, [(WriterNo(2), ClientId::trusted("c2"))]);
}
