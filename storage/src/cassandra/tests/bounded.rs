//! Reads of busy and of large spaces, and how much they take at once.

use super::super::interlude::Step;
use super::{CassandraStore, opened, runtime};
use crate::conformance::jobs::desk::{job, keep, webhook};
use crate::conformance::space::{Space, key, names, records, titled, tombstone};
use crate::types::SnapshotPage;
use crate::{JobStore, Store};

/// The next pages are read while another hub changes something.
fn busy(store: &CassandraStore, other: &CassandraStore, pages: usize, id: &'static str) {
    for _ in 0..pages {
        let other = other.clone();
        store
            .server
            .interludes
            .once(Step::HintAndRows, move || async move {
                Space::open(&other).await.put(&[("t", id)]).await;
            });
    }
}

async fn bury(space: &mut Space<'_>, before: &str, count: usize) {
    let dead = (0..count).map(|n| (key("t", &format!("{before}{n:03}")), tombstone(1)));
    let commit = space.draft(dead.collect());
    space.accept(commit).await;
}

async fn page(store: &CassandraStore, space: &Space<'_>, after: Option<&str>) -> SnapshotPage {
    let after = after.map(|id| key("t", id));
    let page = store.snapshot(&space.key, None, after.as_ref(), records(2));
    page.await.unwrap()
}

#[test]
fn a_page_of_a_busy_space_reads_few_whole_records_however_many_are_dead() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        bury(&mut space, "a", 300).await;
        space.put(&[("t", "b"), ("t", "c"), ("t", "d")]).await;
        busy(&store, &other, 1, "z");
        let before = store.server.counted.whole_rows();
        let page = page(&store, &space, None).await;
        let read = store.server.counted.whole_rows() - before;
        assert_eq!(names(&page.records), ["t/b", "t/c"]);
        assert!(page.more);
        assert_eq!(page.view.head, space.view.head.next());
        // Those of the page, the one that ends it and the one beside which the space is told; and the
        // page again.
        assert_eq!(read, 4 + 2);
    });
}

/// Also where dead ones are between those that live, and what comes meanwhile is in its place.
#[test]
fn pages_of_a_busy_space_hold_each_record_once_and_in_order() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        bury(&mut space, "a", 300).await;
        space.put(&[("t", "b"), ("t", "e")]).await;
        bury(&mut space, "d", 1_200).await;
        busy(&store, &other, 1, "c");
        busy(&store, &other, 9, "e");
        store.server.counted.most_rows();
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = page(&store, &space, after.as_deref()).await;
            assert!(!page.records.is_empty() || !page.more, "it does not get on");
            let ids = page
                .records
                .iter()
                .map(|(key, _)| key.id.as_str().to_owned());
            found.extend(ids);
            after = found.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(found, ["b", "c", "e"]);
    });
}

/// What was dead before the page lives when the page is read: it is of that state.
#[test]
fn a_page_has_what_came_to_live_before_its_first_record() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        bury(&mut space, "a", 3).await;
        space.put(&[("t", "b")]).await;
        busy(&store, &other, 1, "a001");
        let page = page(&store, &space, None).await;
        assert_eq!(names(&page.records), ["t/a001", "t/b"]);
        assert_eq!(page.view.head, space.view.head.next());
    });
}

#[test]
fn a_page_of_a_busy_space_in_which_nothing_lives_says_so() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        bury(&mut space, "a", 3).await;
        let (there, name) = (other.clone(), space.key.clone());
        store
            .server
            .interludes
            .once(Step::HintAndRows, move || async move {
                let mut space = Space::open_named(&there, "todo", name.space.as_str()).await;
                let dead = vec![(key("t", "a001"), tombstone(1))];
                space.accept(space.draft(dead)).await;
            });
        let page = page(&store, &space, None).await;
        assert_eq!((page.records.len(), page.more), (0, false));
        space.refresh().await;
        assert_eq!(page.view.head, space.view.head);
    });
}

#[test]
fn counting_holds_a_share_of_each_space_and_goes_on_where_there_is_more() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let few = 31;
        for n in 0..few {
            put(&store, &format!("s{n}"), 1).await;
        }
        put(&store, "large", 400).await;
        store.server.counted.most_rows();
        let counts = store.job_counts(&[webhook()]).await.unwrap();
        assert_eq!(counts[0].scheduled, few + 400);
        // Ten thousand over two ranges of each of 32 spaces are 156; then the one that has more.
        let most = store.server.counted.most_rows();
        assert_eq!(most, 400 - 156);
    });
}

async fn put(store: &CassandraStore, name: &str, count: usize) {
    let space = Space::open_named(store, "todo", name).await;
    let mut commit = space.draft(vec![(key("t", "a"), titled("a", 0))]);
    commit.jobs = (0..count).map(|n| keep(job(&format!("{n:03}")))).collect();
    assert_eq!(space.commit(commit).await, Ok(()));
}
