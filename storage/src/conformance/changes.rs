//! Changes after a cursor.

use syncline_protocol::ids::{ClientId, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::record::Record;

use super::space::{Space, UNLIMITED, client, key, names, records, titled, tombstone};
use crate::Store;
use crate::types::{After, PageLimit};

/// Commits of 1, 2 and 3 records: seqs 1, 2 and 3.
async fn three_commits(store: &dyn Store) -> Space<'_> {
    let mut space = Space::open(store).await;
    space.put(&[("t", "1a")]).await;
    space.put(&[("t", "2a"), ("t", "2b")]).await;
    space.put(&[("t", "3a"), ("t", "3b"), ("t", "3c")]).await;
    space
}

fn seqs(records: &[(RecordKey, Record)]) -> Vec<u64> {
    records.iter().map(|(_, record)| record.seq.0).collect()
}

/// Nothing is missing.
pub async fn changes_after_the_head_are_none(store: &dyn Store) {
    let space = three_commits(store).await;
    let page = space.changes(Seq(3), UNLIMITED).await;
    assert_eq!((page.records.len(), page.to), (0, Seq(3)));
}

/// The cursor's own seq is not sent again.
pub async fn changes_begin_after_the_cursor(store: &dyn Store) {
    let space = three_commits(store).await;
    assert_eq!(
        seqs(&space.changes(Seq(1), UNLIMITED).await.records),
        [2, 2, 3, 3, 3]
    );
}

/// Not by key.
pub async fn changes_are_ordered_by_seq(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for id in ["c", "a", "b"] {
        space.put(&[("t", id)]).await;
    }
    assert_eq!(
        names(&space.changes(Seq(0), UNLIMITED).await.records),
        ["t/c", "t/a", "t/b"]
    );
}

/// States travel, not events.
pub async fn a_record_changed_twice_comes_once_with_its_last_seq(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for id in ["a", "b", "a"] {
        space.put(&[("t", id)]).await;
    }
    let page = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!(
        (names(&page.records), seqs(&page.records)),
        (vec!["t/b".into(), "t/a".into()], vec![2, 3])
    );
}

/// A delete must reach the other devices.
pub async fn tombstones_are_changes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("t", "a")]).await;
    space
        .accept(space.draft(vec![(key("t", "a"), tombstone(0))]))
        .await;
    let page = space.changes(Seq(1), UNLIMITED).await;
    assert_eq!(names(&page.records), ["t/a"]);
    assert!(!page.records[0].1.is_live());
}

/// Then the cursor may go there.
pub async fn an_uncut_page_ends_at_the_head(store: &dyn Store) {
    let space = three_commits(store).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!((page.to, page.view), (Seq(3), space.view));
}

/// A reader that knows nothing of places inside sees no half of a mutation that fits its page.
pub async fn a_page_is_cut_between_commits_where_it_can_be(store: &dyn Store) {
    let space = three_commits(store).await;
    for limit in [3, 4, 5] {
        let page = space.changes(Seq(0), records(limit)).await;
        assert_eq!(
            (seqs(&page.records), page.to, page.inside),
            (vec![1, 2, 2], Seq(2), None),
            "limit {limit}"
        );
    }
}

/// So that a key is a place inside.
pub async fn changes_of_a_commit_are_ordered_by_key(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space
        .put(&[("u", "a"), ("t", "b"), ("t", "B"), ("t", "a")])
        .await;
    assert_eq!(
        names(&space.changes(Seq(0), UNLIMITED).await.records),
        ["t/B", "t/a", "t/b", "u/a"]
    );
}

/// No page is larger than its reader can hold, and none is empty: nobody would ever pass it.
pub async fn a_first_commit_larger_than_the_page_is_cut_inside(store: &dyn Store) {
    let space = three_commits(store).await;
    for (limit, taken) in [(0, 1), (1, 1), (2, 2)] {
        let page = space.changes(Seq(2), records(limit)).await;
        assert_eq!(
            names(&page.records),
            ["t/3a", "t/3b"][..taken],
            "limit {limit}"
        );
        let last = page.records.last().map(|(key, _)| key.clone());
        assert_eq!((page.to, page.inside), (Seq(2), last), "limit {limit}");
    }
}

/// To its end and past it, and complete only there.
pub async fn a_page_goes_on_inside_a_commit(store: &dyn Store) {
    let space = three_commits(store).await;
    let mut after = After::from(Seq(2));
    let mut told = Vec::new();
    loop {
        let page = space.changes(after, records(1)).await;
        after = page.next();
        told.push((names(&page.records).concat(), page.to.0, page.is_complete()));
        if page.is_complete() {
            break;
        }
    }
    let expected = [("t/3a", 2, false), ("t/3b", 2, false), ("t/3c", 3, true)];
    assert_eq!(
        told,
        expected.map(|(name, to, end)| (name.to_owned(), to, end))
    );
    assert_eq!(after, After::from(Seq(3)));
}

/// Where both fit.
pub async fn the_rest_of_a_commit_and_the_next_share_a_page(store: &dyn Store) {
    let space = three_commits(store).await;
    let first = space.changes(Seq(1), records(1)).await;
    let page = space.changes(first.next(), records(4)).await;
    assert_eq!(names(&page.records), ["t/2b", "t/3a", "t/3b", "t/3c"]);
    let cut = space.changes(first.next(), records(3)).await;
    assert_eq!((names(&cut.records), cut.to), (vec!["t/2b".into()], Seq(2)));
}

/// Nothing is missed, whichever side of the place it was on.
pub async fn a_record_that_moves_on_between_pages_is_in_a_later_one(store: &dyn Store) {
    let mut space = three_commits(store).await;
    let first = space.changes(Seq(2), records(2)).await;
    space.put(&[("t", "3a"), ("t", "3c")]).await;
    let rest = space.changes(first.next(), UNLIMITED).await;
    assert_eq!(names(&rest.records), ["t/3a", "t/3c"]);
    assert_eq!((rest.to, rest.inside), (Seq(4), None));
}

/// Its record moved on, or was collected.
pub async fn a_page_goes_on_although_its_place_is_gone(store: &dyn Store) {
    let mut space = three_commits(store).await;
    let first = space.changes(Seq(2), records(1)).await;
    space.put(&[("t", "3a")]).await;
    let page = space.changes(first.next(), records(2)).await;
    assert_eq!(names(&page.records), ["t/3b", "t/3c"]);
    assert_eq!((page.to, page.inside), (Seq(3), None));
}

/// At the limit.
pub async fn a_page_filled_exactly_is_not_cut(store: &dyn Store) {
    let space = three_commits(store).await;
    let page = space.changes(Seq(0), records(6)).await;
    assert_eq!((page.records.len(), page.to), (6, Seq(3)));
}

/// One past the limit.
pub async fn one_record_more_cuts_the_page(store: &dyn Store) {
    let mut space = three_commits(store).await;
    space.put(&[("t", "4a")]).await;
    let page = space.changes(Seq(0), records(6)).await;
    assert_eq!((page.records.len(), page.to), (6, Seq(3)));
    assert_eq!(page.view.head, Seq(4));
}

/// Whichever limit is reached first; the first record is there in any case.
pub async fn a_page_is_limited_by_bytes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let long = "x".repeat(1_000);
    for id in ["a", "b", "c"] {
        space
            .accept(space.draft(vec![(key("t", id), titled(&long, 0))]))
            .await;
    }
    let bytes = |bytes| PageLimit {
        records: usize::MAX,
        bytes,
    };
    let taken = async |limit| space.changes(Seq(0), limit).await.to;
    assert_eq!(taken(bytes(10)).await, Seq(1));
    assert_eq!(taken(bytes(2_500)).await, Seq(2));
    assert_eq!(taken(bytes(9_000)).await, Seq(3));
}

/// Going on where the last one ended misses nothing and repeats nothing.
pub async fn pages_together_are_all_changes(store: &dyn Store) {
    let space = three_commits(store).await;
    for limit in 1..=6 {
        let mut together = Vec::new();
        let mut after = After::from(Seq(0));
        while after.seq < space.view.head || after.key.is_some() {
            let page = space.changes(after, records(limit)).await;
            after = page.next();
            together.extend(page.records);
        }
        assert_eq!(together, space.changes(Seq(0), UNLIMITED).await.records);
    }
}

/// A page of one table ends where one of all would, or later.
pub async fn changes_of_a_table_hold_no_others(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for n in 0..6 {
        let (a, b) = (format!("a{n}"), format!("b{n}"));
        space.put(&[("t", &a), ("u", &b), ("v", &b)]).await;
    }
    let table = TableName::trusted("u");
    for limit in [1, 2, 5, 100] {
        let mut together = Vec::new();
        let mut after = After::from(Seq(1));
        while after.seq < space.view.head || after.key.is_some() {
            let page = store.changes_of(&space.key, &table, after, records(limit));
            let page = page.await.expect("changes are read");
            assert_eq!(page.view, space.view);
            after = page.next();
            together.extend(page.records);
        }
        assert_eq!(names(&together), ["u/b1", "u/b2", "u/b3", "u/b4", "u/b5"]);
    }
}

/// Of the page's records only.
pub async fn writers_of_changes_are_named_once(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for name in ["c1", "c2", "c3"] {
        space.introduce(&client("ada", name)).await;
    }
    let record = |id, by| (key("t", id), titled("x", by));
    space
        .accept(space.draft(vec![record("a", 3), record("b", 1), record("c", 3)]))
        .await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    let named = |number, name| (WriterNo(number), ClientId::trusted(name));
    assert_eq!(page.writers, [named(1, "c1"), named(3, "c3")]);
}

/// Number 0 is no client.
pub async fn the_hub_as_a_writer_has_no_name(store: &dyn Store) {
    let space = three_commits(store).await;
    assert_eq!(space.changes(Seq(0), UNLIMITED).await.writers, []);
}
