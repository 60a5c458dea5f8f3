//! Marks: what makes a mutation take effect once.

use std::sync::Arc;

use syncline_protocol::given::{CLAIMS_KEPT, Carried, Claimed, Given, Part};
use syncline_protocol::ids::{Seq, WriterNo};
use syncline_protocol::stamp::Hlc;
use syncline_protocol::verdict::Mark;

use super::space::{NOW, Space, client, key, titled};
use crate::Store;

/// A client never seen.
pub async fn an_unknown_client_has_no_mark(store: &dyn Store) {
    let space = Space::open(store).await;
    assert_eq!(space.mark(&client("ada", "c1")).await, None);
}

/// Both are as committed.
pub async fn a_mark_holds_writer_and_last(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    space
        .accept(space.marked(Vec::new(), &ada, Some(mark)))
        .await;
    let expected = Mark {
        writer: WriterNo(1),
        last: Some(2),
        given: None,
    };
    assert_eq!(space.mark(&ada).await, Some(expected));
}

/// Unknown ones between known ones, and one asked twice.
pub async fn marks_are_answered_in_the_order_asked(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let (one, two, nobody) = (client("a", "1"), client("b", "2"), client("c", "3"));
    let mark_one = space.introduce(&one).await;
    let mark_two = space.introduce(&two).await;
    let asked = [two.clone(), nobody, one, two];
    let read = store
        .marks(&space.key, &asked)
        .await
        .expect("marks are read");
    let expected = [Some(mark_two.clone()), None, Some(mark_one), Some(mark_two)];
    assert_eq!(read.marks, expected);
}

/// The mark is tested in the commit's own transaction, the head alone is not enough.
pub async fn a_stale_mark_conflicts_and_writes_nothing(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    space
        .accept(space.marked(Vec::new(), &ada, Some(mark.clone())))
        .await;
    let stale = space.marked(
        vec![(key("tasks", "a"), titled("twice", 1))],
        &ada,
        Some(mark),
    );
    space.conflict(stale).await;
    assert_eq!(space.now().await, space.view);
    assert_eq!(space.record(&key("tasks", "a")).await, None);
}

/// A mark that was cleaned up, or lost with the store's history.
pub async fn a_mark_expected_of_an_unknown_client_conflicts(store: &dyn Store) {
    let space = Space::open(store).await;
    let remembered = Mark {
        writer: WriterNo(1),
        last: Some(7),
        given: None,
    };
    let commit = space.marked(Vec::new(), &client("ada", "c1"), Some(remembered));
    space.conflict(commit).await;
}

/// A client that another node has just made known.
pub async fn no_mark_expected_of_a_known_client_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    space.introduce(&ada).await;
    space.conflict(space.marked(Vec::new(), &ada, None)).await;
}

/// A client has one number.
pub async fn a_wrong_writer_number_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let other = Mark {
        writer: WriterNo(9),
        ..mark
    };
    space
        .conflict(space.marked(Vec::new(), &ada, Some(other)))
        .await;
}

/// Two nodes that gave two clients the same number at once, without moving the head.
pub async fn a_writer_number_given_before_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let late = space.marked(Vec::new(), &client("bob", "c2"), None);
    space.introduce(&client("ada", "c1")).await;
    space.conflict(late).await;
    assert_eq!(space.mark(&client("bob", "c2")).await, None);
}

/// Two sessions at one head, of which one gave a new client its number: what the other drafted
/// for a client known to both would take the number back, and it would be given twice.
pub async fn a_commit_that_has_missed_a_writer_number_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let stale = space.marked(Vec::new(), &ada, Some(mark));
    space.introduce(&client("bob", "c2")).await;
    assert_eq!(stale.expect_head, space.view.head);
    space.conflict(stale).await;
    assert_eq!(space.now().await.writers, WriterNo(2));
}

/// What a session does after a lost answer: the repeat cannot take effect twice, and the mark
/// shows that the first one did.
pub async fn a_repeated_commit_conflicts_and_the_mark_tells(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let commit = space.marked(
        vec![(key("tasks", "a"), titled("once", 1))],
        &ada,
        Some(mark),
    );
    assert_eq!(space.commit(commit.clone()).await, Ok(()));
    space.conflict(commit).await;
    assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
    assert_eq!(space.now().await.head, Seq(1));
}

/// The user is part of the key.
pub async fn equal_client_ids_of_two_users_share_nothing(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let (ada, bob) = (client("ada", "c1"), client("bob", "c1"));
    let mark = space.introduce(&ada).await;
    space
        .accept(space.marked(Vec::new(), &ada, Some(mark)))
        .await;
    let bobs = space.introduce(&bob).await;
    assert_eq!((bobs.writer, bobs.last), (WriterNo(2), Some(1)));
    assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
}

/// A client numbers its mutations per space.
pub async fn marks_of_two_spaces_share_nothing(store: &dyn Store) {
    let mut one = Space::open_named(store, "todo", "one").await;
    let other = Space::open_named(store, "todo", "other").await;
    let ada = client("ada", "c1");
    one.introduce(&ada).await;
    assert_eq!(other.mark(&ada).await, None);
}

/// A commit may hold mutations of many clients, new ones too.
pub async fn several_clients_move_in_one_commit(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let clients = [client("a", "1"), client("b", "2"), client("c", "3")];
    let mut commit = space.draft(Vec::new());
    for (at, client) in clients.iter().enumerate() {
        let mut mark = space.marked(Vec::new(), client, None).marks.remove(0);
        mark.writer = WriterNo(at as u32 + 1);
        commit.marks.push(mark);
    }
    commit.writers = WriterNo(3);
    space.accept(commit).await;
    let read = store
        .marks(&space.key, &clients)
        .await
        .expect("marks are read");
    let writers = read
        .marks
        .iter()
        .map(|mark| mark.as_ref().map(|mark| mark.writer.0));
    assert_eq!(writers.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

/// A commit is whole or not at all, also in its marks.
pub async fn one_stale_mark_of_several_refuses_all(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let (ada, bob) = (client("ada", "c1"), client("bob", "c2"));
    let adas = space.introduce(&ada).await;
    let bobs = space.introduce(&bob).await;
    let late = space
        .marked(Vec::new(), &bob, Some(bobs.clone()))
        .marks
        .remove(0);
    space
        .accept(space.marked(Vec::new(), &bob, Some(bobs)))
        .await;
    let mut commit = space.marked(Vec::new(), &ada, Some(adas.clone()));
    commit.marks.push(late);
    space.conflict(commit).await;
    assert_eq!(space.mark(&ada).await, Some(adas));
}

/// And a later move without a number leaves the last one that was given.
pub async fn a_client_without_numbers_has_a_writer_and_no_last(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mut commit = space.marked(vec![(key("tasks", "a"), titled("a", 1))], &ada, None);
    commit.marks[0].last = None;
    commit.marks[0].verdicts.clear();
    space.accept(commit).await;
    let mark = space.mark(&ada).await;
    assert_eq!(mark.as_ref().map(|mark| mark.last), Some(None));
    space
        .accept(space.marked(vec![(key("tasks", "b"), titled("b", 1))], &ada, mark))
        .await;
    let mark = space.mark(&ada).await;
    let mut commit = space.marked(
        vec![(key("tasks", "c"), titled("c", 1))],
        &ada,
        mark.clone(),
    );
    commit.marks[0].last = None;
    commit.marks[0].verdicts.clear();
    space.accept(commit).await;
    assert_eq!(space.mark(&ada).await, mark);
}

/// A memory of so many requests, each of so many claims.
fn given(requests: u64, claims: u64) -> Arc<Given> {
    let request = |no: u64| Carried {
        again: Vec::new(),
        fresh: (no * claims..(no + 1) * claims)
            .map(|i| {
                (
                    Claimed::from_bits(u64::MAX - i),
                    Hlc::new(NOW + no, i as u16),
                )
            })
            .collect(),
        ..Carried::default()
    };
    let none = Given::default();
    Arc::new((0..requests).fold(none, |given, no| {
        given.and(request(no), Part::whole(Seq(no)))
    }))
}

/// A move without any leaves them. They come back whole: the last requests, and those before.
pub async fn given_stamps_are_kept_until_others_replace_them(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let (few, many) = (given(1, 1), given(6, CLAIMS_KEPT as u64 / 5));
    for (moved, kept) in [
        (None, None),
        (Some(&few), Some(&few)),
        (None, Some(&few)),
        (Some(&many), Some(&many)),
    ] {
        let mark = space.mark(&ada).await;
        let mut commit = space.marked(vec![(key("tasks", "a"), titled("a", 1))], &ada, mark);
        commit.marks[0].given = moved.cloned();
        space.accept(commit).await;
        let mark = space.mark(&ada).await.expect("a mark");
        assert_eq!(mark.given.as_ref(), kept);
    }
}

/// Two sessions at one head, of which one gave a claim a stamp and moved no record: what the
/// other drafted for the same client stands on a memory without it, which must neither be put
/// back nor decide anything.
pub async fn a_commit_that_has_missed_given_stamps_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let given = |count: u64| given(count, 1);
    let commit = |space: &Space<'_>, mark, (expected, moved): (u64, Option<u64>)| {
        let records = vec![(key("tasks", "a"), titled("a", 1))];
        let mut commit = space.marked(
            if moved.is_some() { Vec::new() } else { records },
            &ada,
            mark,
        );
        let mark = &mut commit.marks[0];
        (mark.last, mark.verdicts) = (None, Vec::new());
        mark.expect_given = Some(expected);
        mark.given = moved.map(given);
        commit
    };
    // Of a client nobody knows, nothing was given.
    space.conflict(commit(&space, None, (1, Some(2)))).await;
    space.accept(commit(&space, None, (0, Some(1)))).await;
    let mark = space.mark(&ada).await;
    let late = [(0, Some(1)), (0, None), (2, Some(3)), (2, None)];
    for (expected, moved) in late {
        let late = commit(&space, mark.clone(), (expected, moved));
        assert_eq!(late.expect_head, space.view.head);
        space.conflict(late).await;
        assert_eq!(space.mark(&ada).await, mark);
    }
    space.accept(commit(&space, mark, (1, Some(2)))).await;
    let mark = space.mark(&ada).await;
    space.accept(commit(&space, mark, (2, None))).await;
    let mark = space.mark(&ada).await.expect("a mark");
    assert_eq!(mark.given, Some(given(2)));
}
