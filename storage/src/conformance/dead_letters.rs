//! Changes set aside for people.

use syncline_protocol::error::Code;

use super::space::{NOW, Space, client, key, titled};
use crate::Store;
use crate::types::{Commit, DEAD_LETTERS_MAX, DeadLetter};

fn letter(change: &str) -> DeadLetter {
    DeadLetter {
        at_ms: NOW,
        client: client("ada", "c1"),
        table: "tasks".to_owned(),
        id: "k\u{0}1".to_owned(),
        code: Code::NulInString,
        change: change.to_owned(),
    }
}

/// A commit that the caller can tell from others: it moves the head.
fn with(space: &Space<'_>, letters: Vec<DeadLetter>) -> Commit {
    let mut commit = space.draft(vec![(key("tasks", "a"), titled("a", 1))]);
    commit.dead_letters = letters;
    commit
}

async fn kept(store: &dyn Store, space: &Space<'_>, limit: usize) -> Vec<DeadLetter> {
    let letters = store.dead_letters(&space.key, limit).await;
    letters.expect("they are read")
}

/// At most as many as were asked for.
pub async fn dead_letters_are_kept_newest_first(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space
        .accept(with(&space, vec![letter("1"), letter("2")]))
        .await;
    space.accept(with(&space, vec![letter("3")])).await;
    let newest = [letter("3"), letter("2"), letter("1")];
    assert_eq!(kept(store, &space, 10).await, newest);
    assert_eq!(kept(store, &space, 2).await, newest[..2]);
}

/// Clients send what was set aside again.
pub async fn the_same_dead_letter_is_kept_once(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.accept(with(&space, vec![letter("1")])).await;
    space
        .accept(with(&space, vec![letter("1"), letter("1")]))
        .await;
    assert_eq!(kept(store, &space, 10).await, [letter("1")]);
}

/// The oldest go first, one past the limit.
pub async fn the_last_1000_dead_letters_are_kept(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let letters = |from: usize, to: usize| (from..to).map(|i| letter(&i.to_string())).collect();
    space
        .accept(with(&space, letters(0, DEAD_LETTERS_MAX)))
        .await;
    assert_eq!(
        kept(store, &space, usize::MAX).await.len(),
        DEAD_LETTERS_MAX
    );
    space
        .accept(with(
            &space,
            letters(DEAD_LETTERS_MAX, DEAD_LETTERS_MAX + 1),
        ))
        .await;
    let kept = kept(store, &space, usize::MAX).await;
    assert_eq!(kept.len(), DEAD_LETTERS_MAX);
    assert_eq!(kept.last(), Some(&letter("1")));
}

/// Like everything else of it.
pub async fn a_conflict_keeps_no_dead_letter(store: &dyn Store) {
    let space = Space::open(store).await;
    let mut commit = with(&space, vec![letter("1")]);
    commit.expect_head = commit.head;
    space.conflict(commit).await;
    assert_eq!(kept(store, &space, 10).await, []);
}
