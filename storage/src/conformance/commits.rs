//! The compare-and-set: what a commit tests and moves.

use syncline_protocol::ids::{Epoch, Seq, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_protocol::stamp::Hlc;

use super::space::{NOW, Space, UNLIMITED, client, key, space_key, titled};
use crate::Store;
use crate::types::CommitError;

/// The head afterwards is the commit's.
pub async fn a_commit_moves_the_head(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    space.put(&[("tasks", "b")]).await;
    assert_eq!(space.now().await.head, Seq(2));
}

/// The rest of the space's row moves with it; the epoch and `gc_seq` do not.
pub async fn a_commit_moves_clock_live_and_writers(store: &dyn Store) {
    let space = Space::open(store).await;
    let mut commit = space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    commit.clock = Hlc::new(NOW, 7);
    commit.live = 41;
    commit.writers = WriterNo(3);
    let mut expected = space.view;
    (expected.head, expected.clock) = (Seq(1), commit.clock);
    (expected.live, expected.writers) = (41, WriterNo(3));
    assert_eq!(space.commit(commit).await, Ok(()));
    assert_eq!(space.now().await, expected);
}

/// A commit built before another's.
pub async fn a_stale_head_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let stale = space.draft(vec![(key("tasks", "a"), titled("late", 0))]);
    space.put(&[("tasks", "a")]).await;
    space.conflict(stale).await;
}

/// A commit built on a history the store has lost.
pub async fn a_head_not_reached_yet_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.view.head = Seq(5);
    space
        .conflict(space.draft(vec![(key("tasks", "a"), titled("a", 0))]))
        .await;
}

/// A commit built in another epoch, even at the same head.
pub async fn a_stale_epoch_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.view.epoch = Epoch(!space.view.epoch.0);
    space
        .conflict(space.draft(vec![(key("tasks", "a"), titled("a", 0))]))
        .await;
}

/// A commit to a space that is not there does not make it.
pub async fn a_space_never_opened_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.key = space_key("todo", "nobody");
    space
        .conflict(space.draft(vec![(key("tasks", "a"), titled("a", 0))]))
        .await;
    assert_eq!(store.space(&space.key).await, Ok(None));
}

/// Neither records nor marks nor the space's row.
pub async fn a_conflict_writes_nothing(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mut stale = space.marked(vec![(key("tasks", "new"), titled("late", 1))], &ada, None);
    stale.clock = Hlc::new(NOW + 9, 9);
    space.put(&[("tasks", "a")]).await;
    space.conflict(stale).await;
    assert_eq!(space.now().await, space.view);
    assert_eq!(space.record(&key("tasks", "new")).await, None);
    assert_eq!(space.mark(&ada).await, None);
}

/// Answers stand in the order of the commits.
pub async fn a_group_is_answered_in_order(store: &dyn Store) {
    let mut commits = Vec::new();
    for (at, name) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
        let mut space = Space::open_named(store, "todo", name).await;
        space.view.head = Seq(at as u64 % 2);
        commits.push(space.draft(vec![(key("tasks", "x"), titled("x", 0))]));
    }
    let conflict = Err(CommitError::Conflict);
    let expected = [
        Ok(()),
        conflict.clone(),
        Ok(()),
        conflict.clone(),
        Ok(()),
        conflict,
    ];
    assert_eq!(store.commit(commits).await, expected);
}

/// Commits of a group are independent.
pub async fn a_conflict_leaves_the_rest_of_its_group(store: &dyn Store) {
    let fits = Space::open_named(store, "todo", "ada").await;
    let mut stale = Space::open_named(store, "todo", "bob").await;
    stale.view.head = Seq(1);
    let record = || vec![(key("tasks", "x"), titled("x", 0))];
    let answers = store
        .commit(vec![stale.draft(record()), fits.draft(record())])
        .await;
    assert_eq!(answers, [Err(CommitError::Conflict), Ok(())]);
    assert!(fits.record(&key("tasks", "x")).await.is_some());
    assert_eq!(stale.record(&key("tasks", "x")).await, None);
}

/// Nothing in, nothing out.
pub async fn an_empty_group_has_no_answers(store: &dyn Store) {
    assert_eq!(store.commit(Vec::new()).await, []);
}

/// A verdict without effect is a commit of the mark alone.
pub async fn marks_alone_keep_the_head(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    space.introduce(&client("ada", "c1")).await;
    assert_eq!(space.view.head, Seq(1));
    assert!(space.changes(Seq(1), UNLIMITED).await.records.is_empty());
}

/// Of two nodes that moved only marks, the later one's clock may be behind.
pub async fn the_clock_never_goes_back(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let behind = space.view.clock;
    let mut commit = space.draft(Vec::new());
    commit.clock = Hlc::new(NOW, 9);
    space.accept(commit).await;
    let mut commit = space.draft(Vec::new());
    commit.clock = behind;
    space.accept(commit).await;
    assert_eq!(space.view.clock, Hlc::new(NOW, 9));
}

/// The largest push is one commit.
pub async fn a_commit_of_5000_records_is_whole(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let record = |n| (key("tasks", &format!("{n:05}")), titled("x", 0));
    let commit = space.draft(
        (0..Limits::DEFAULT.changes_per_push_max)
            .map(record)
            .collect(),
    );
    space.accept(commit).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!(
        (page.records.len(), page.to),
        (Limits::DEFAULT.changes_per_push_max, Seq(1))
    );
}

/// While another commits, what a read returns belongs to its view.
pub async fn reads_are_of_one_snapshot(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let reader = Space::open(store).await;
    let commits = async {
        for n in 0..40 {
            space.put(&[("tasks", &format!("{n:02}"))]).await;
        }
    };
    let reads = async {
        loop {
            let page = reader.changes(Seq(0), UNLIMITED).await;
            // Every commit adds one live record.
            let head = page.view.head;
            assert_eq!((page.to, page.records.len() as u64), (head, head.0));
            let part = reader.snapshot(None, UNLIMITED).await;
            assert_eq!(part.records.len() as u64, part.view.head.0);
            if head == Seq(40) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(commits, reads);
}

/// Two nodes that merged the same at once: one of them must read again.
pub async fn of_two_equal_commits_one_conflicts(store: &dyn Store) {
    let space = Space::open(store).await;
    let commit = space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    assert_eq!(space.commit(commit.clone()).await, Ok(()));
    space.conflict(commit).await;
    assert_eq!(space.now().await.head, Seq(1));
}
