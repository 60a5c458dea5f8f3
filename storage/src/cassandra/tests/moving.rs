//! Reads that take several steps, while somebody writes between them.

use syncline_protocol::ids::{Seq, TableName};

use super::super::changes::PAGE_TRIES_MAX;
use super::super::interlude::Step;
use super::{CassandraStore, opened, runtime};
use crate::Store;
use crate::conformance::space::{Space, UNLIMITED, key, names, records, titled};
use crate::types::SnapshotPage;

/// The next time that `store` comes to a step, another hub changes these.
fn meanwhile(
    store: &CassandraStore,
    other: &CassandraStore,
    step: Step,
    ids: &'static [(&str, &str)],
) {
    let other = other.clone();
    store.server.interludes.once(step, move || async move {
        Space::open(&other).await.put(ids).await;
    });
}

#[test]
fn a_page_of_which_something_moved_is_read_anew() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        meanwhile(&store, &other, Step::CandidatesAndPage, &[("t", "a")]);
        let page = space.changes(Seq(0), UNLIMITED).await;
        assert_eq!(names(&page.records), ["t/b", "t/a"]);
        assert_eq!((page.view.head, page.to), (Seq(2), Seq(2)));
    });
}

/// What moved on is in a later page.
#[test]
fn a_page_of_which_something_always_moves_is_whole_up_to_where_it_says() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        for _ in 0..=PAGE_TRIES_MAX {
            meanwhile(&store, &other, Step::CandidatesAndPage, &[("t", "a")]);
        }
        let [before, _] = store.server.counted.statements();
        let page = space.changes(Seq(0), UNLIMITED).await;
        let [after, _] = store.server.counted.statements();
        let tries = PAGE_TRIES_MAX + 1;
        assert_eq!(after - before, 2 * tries, "which records, and those");
        assert_eq!(names(&page.records), ["t/b"]);
        assert_eq!((page.view.head, page.to), (Seq(18), Seq(17)));
        let rest = space.changes(page.to, UNLIMITED).await;
        assert_eq!(names(&rest.records), ["t/a"]);
    });
}

/// A second look for candidates does not find again what the first one found and what moved behind it.
#[test]
fn a_page_whose_candidates_were_found_in_two_states_is_read_anew() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("wanted", "first")]).await;
        let others = (0..5_001).map(|n| (key("other", &format!("{n:04}")), titled("a", 0)));
        space.accept(space.draft(others.collect())).await;
        space.put(&[("wanted", "last")]).await;
        meanwhile(&store, &other, Step::LookAndLook, &[("wanted", "last")]);
        let wanted = TableName::trusted("wanted");
        let page = store
            .changes_of(&space.key, &wanted, Seq(0).into(), UNLIMITED)
            .await;
        let page = page.unwrap();
        assert_eq!(names(&page.records), ["wanted/first", "wanted/last"]);
        assert_eq!((page.view.head, page.to), (Seq(4), Seq(4)));
    });
}

async fn snapshot(space: &Space<'_>, tables: &[&str]) -> SnapshotPage {
    let tables: Vec<TableName> = tables.iter().map(|name| TableName::trusted(name)).collect();
    let tables = (!tables.is_empty()).then_some(&tables[..]);
    let page = space
        .store
        .snapshot(&space.key, tables, None, records(9))
        .await;
    page.unwrap()
}

#[test]
fn a_snapshot_that_moved_between_its_reads_is_of_the_later_state() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "c")]).await;
        meanwhile(&store, &other, Step::HintAndRows, &[("t", "b"), ("t", "c")]);
        let page = snapshot(&space, &[]).await;
        assert_eq!(names(&page.records), ["t/a", "t/b", "t/c"]);
        assert_eq!((page.view.head, page.more), (Seq(2), false));
    });
}

#[test]
fn a_snapshot_of_tables_ends_before_the_first_that_moved() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("a", "1"), ("b", "1"), ("c", "1")]).await;
        let step = Step::TableAndTable;
        for _ in 0..2 {
            store.server.interludes.once(step, || async {});
        }
        meanwhile(&store, &other, step, &[("c", "2")]);
        let page = snapshot(&space, &["a", "b", "c"]).await;
        assert_eq!(names(&page.records), ["a/1", "b/1"]);
        assert_eq!((page.view.head, page.more), (Seq(1), true));
        let after = page.records.last().map(|(key, _)| key);
        let tables = ["a", "b", "c"].map(TableName::trusted);
        let rest = store
            .snapshot(&space.key, Some(&tables), after, records(9))
            .await;
        assert_eq!(names(&rest.unwrap().records), ["c/1", "c/2"]);
    });
}

/// However often somebody writes: each table read is a page.
#[test]
fn a_snapshot_of_tables_gets_on_while_somebody_writes_without_pause() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("a", "1"), ("c", "1"), ("e", "1")]).await;
        for _ in 0..40 {
            meanwhile(&store, &other, Step::TableAndTable, &[("busy", "1")]);
        }
        let tables = ["a", "b", "c", "d", "e"].map(TableName::trusted);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .snapshot(&space.key, Some(&tables), after.as_ref(), records(9))
                .await;
            let page = page.unwrap();
            found.extend(names(&page.records));
            after = page.records.last().map(|(key, _)| key.clone());
            if !page.more {
                break;
            }
        }
        assert_eq!(found, ["a/1", "c/1", "e/1"]);
    });
}

/// What was empty when it was passed over is looked at again.
#[test]
fn a_snapshot_of_tables_misses_nothing_that_came_before_what_it_holds() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("b", "1")]).await;
        store
            .server
            .interludes
            .once(Step::TableAndTable, || async {});
        meanwhile(&store, &other, Step::TableAndTable, &[("a", "1")]);
        let page = snapshot(&space, &["a", "b"]).await;
        assert_eq!(names(&page.records), ["a/1", "b/1"]);
        assert_eq!((page.view.head, page.more), (Seq(2), false));
    });
}

#[test]
fn a_snapshot_of_tables_that_are_empty_says_so_while_others_are_written() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        for _ in 0..40 {
            meanwhile(&store, &other, Step::TableAndTable, &[("t", "a")]);
        }
        let page = snapshot(&space, &["a", "b"]).await;
        assert_eq!((names(&page.records), page.more), (Vec::new(), false));
        assert_eq!(page.view.head, Seq(1));
    });
}
