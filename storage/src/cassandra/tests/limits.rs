//! What the server does not take, and what the engine does about it.

use std::sync::atomic::Ordering;

use syncline_protocol::error::Code;
use syncline_protocol::ids::Seq;

use super::super::CassandraStore;
use super::failures::said;
use super::{opened, options, runtime};
use crate::conformance::space::{
    NOW, Space, UNLIMITED, client, key, names, records, titled, tombstone,
};
use crate::types::{Collect, CommitError, DEAD_LETTERS_MAX, DeadLetter, Keys};

/// A commit of so many records of a quarter of a mebibyte.
fn large(space: &Space<'_>, count: usize) -> crate::types::Commit {
    let long = "x".repeat(250 << 10);
    let records = (0..count).map(|n| (key("t", &format!("k{n:03}")), titled(&long, 0)));
    space.draft(records.collect())
}

#[test]
fn a_commit_of_ten_mebibytes_is_whole() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.accept(large(&space, 40)).await;
        let page = space.changes(Seq(0), UNLIMITED).await;
        assert_eq!((page.records.len(), page.to), (40, Seq(1)));
    });
}

#[test]
fn a_commit_larger_than_the_server_takes_is_refused_before_it_is_sent() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let space = Space::open(&store).await;
        let refused = space.commit(large(&space, 60)).await;
        let why = match refused {
            Err(CommitError::TooLarge(why)) => why,
            other => panic!("answered {other:?}"),
        };
        assert!(why.contains("commit_bytes_max"), "{why}");
        assert_eq!(space.now().await, space.view);
    });
}

/// Also where the options let it through: it is an error and no loss.
#[test]
fn a_commit_that_the_server_refuses_leaves_nothing() {
    runtime().block_on(async {
        let (_, lent) = opened().await;
        let mut options = options(&lent.keyspace().url);
        options.commit_bytes_max = usize::MAX;
        let store = CassandraStore::open(&options).await.unwrap();
        let space = Space::open(&store).await;
        let refused = space.commit(large(&space, 80)).await;
        assert!(matches!(refused, Err(CommitError::Store(_))), "{refused:?}");
        assert_eq!(lent.store().server.head(&space.key).await, space.view.head);
    });
}

/// The page is shorter then; those behind it hold the rest.
#[test]
fn changes_are_read_past_more_deletions_than_the_server_steps_over() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "first")]).await;
        for _ in 0..2_500 {
            let draft = space.draft(vec![(key("t", "moving"), titled("a", 0))]);
            space.commit(draft).await.unwrap();
            space.view.head = space.view.head.next();
        }
        let mut names = Vec::new();
        let mut after = Seq(0).into();
        loop {
            let page = space.changes(after, records(10)).await;
            names.extend(crate::conformance::space::names(&page.records));
            if page.is_complete() {
                break;
            }
            after = page.next();
        }
        assert_eq!(names, ["t/first", "t/moving"]);
    });
}

#[test]
fn a_space_that_is_not_there_is_told_so() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let nobody = crate::conformance::space::space_key("todo", "nobody");
        let changes = crate::Store::changes(&store, &nobody, Seq(0).into(), UNLIMITED).await;
        assert_eq!(said(changes), "the space was never opened");
    });
}

/// Those that went are not stepped over, by who sets more aside nor by who counts them.
#[test]
fn letters_are_set_aside_past_more_that_went_than_the_server_steps_over() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let space = Space::open(&store).await;
        let mut n = 0;
        for _ in 0..35 {
            let mut commit = space.draft(Vec::new());
            let letters = (0..100).map(|_| {
                n += 1;
                letter(&format!("{n}"))
            });
            commit.dead_letters = letters.collect();
            assert_eq!(space.commit(commit).await, Ok(()));
        }
        let holdings = crate::Store::holdings(&store, &space.key).await.unwrap();
        assert_eq!(holdings.dead_letters, DEAD_LETTERS_MAX as u64);
        let newest = crate::Store::dead_letters(&store, &space.key, 1).await;
        assert_eq!(newest.unwrap()[0].change, "3500");
    });
}

fn letter(change: &str) -> DeadLetter {
    DeadLetter {
        at_ms: NOW,
        client: client("ada", "c1"),
        table: "t".to_owned(),
        id: "a".to_owned(),
        code: Code::ValueInvalid,
        change: change.to_owned(),
    }
}

/// What is left of the dead is not read whole, however much of it stands before what lives.
#[test]
fn a_page_of_a_snapshot_reads_no_more_records_than_it_holds() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let dead = (0..300).map(|n| (key("t", &format!("a{n:03}")), tombstone(1)));
        let commit = space.draft(dead.collect());
        space.accept(commit).await;
        space.put(&[("t", "b"), ("t", "c"), ("t", "d")]).await;
        let before = store.server.whole_rows.load(Ordering::Relaxed);
        let page = crate::Store::snapshot(&store, &space.key, None, None, records(2)).await;
        let page = page.unwrap();
        assert_eq!(
            (names(&page.records), page.more),
            (vec!["t/b".into(), "t/c".into()], true)
        );
        let read = store.server.whole_rows.load(Ordering::Relaxed) - before;
        // And the one that ends the page, and the one beside which the space is told.
        assert_eq!(read, 4);
    });
}

/// More than the server steps over are removed one by one where they stood, and at once among the dead.
#[test]
fn what_was_collected_is_in_the_way_of_no_collection_and_no_erasure() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("z", "alive")]).await;
        let all = Collect {
            dead_before_ms: NOW + 1,
            marks_before_ms: 0,
            keys: Keys::Remove,
            limit: 1_000,
            bytes: usize::MAX,
        };
        for round in 0..4 {
            let dead = (0..1_000).map(|n| (key("t", &format!("{round}-{n}")), tombstone(1)));
            let commit = space.draft(dead.collect());
            space.accept(commit).await;
            let collected = crate::Store::collect(&store, &space.key, all).await;
            assert_eq!(collected.map(|done| done.tombstones), Ok(1_000));
            space.refresh().await;
        }
        let holdings = crate::Store::holdings(&store, &space.key).await.unwrap();
        assert!(!holdings.is_exact, "{holdings:?}");
        let erased = crate::Store::erase(&store, &space.key, NOW).await;
        assert_eq!(erased.map(|held| held.view.live), Ok(0));
        let page = crate::Store::snapshot(&store, &space.key, None, None, records(9)).await;
        assert_eq!(page.map(|page| page.records.len()), Ok(0));
    });
}
