//! Erasing: nothing is left of a space, and devices of before can be told from later ones.

use syncline_protocol::error::Code;
use syncline_protocol::ids::{Seq, SpaceId, TableName};
use syncline_protocol::wire::hub::ResetWhy;

use super::space::{NOW, Space, UNLIMITED, client, key, space_key, titled, tombstone};
use crate::Store;
use crate::types::{DeadLetter, EPOCH_APART_MS, Erased, Holdings, SpaceView};

async fn erase(space: &mut Space<'_>) -> Holdings {
    let erased = space.store.erase(&space.key, NOW + 7).await;
    space.refresh().await;
    erased.expect("it is erased")
}

/// Two live records of one table, one of another, a tombstone, a client and a dead letter.
async fn filled<'s>(store: &'s dyn Store, app: &str) -> Space<'s> {
    let mut space = Space::open_named(store, app, "ada").await;
    let ada = client("ada", "c1");
    let records = vec![
        (key("tasks", "a"), titled("a", 1)),
        (key("tasks", "b"), titled("b", 1)),
        (key("tags", "c"), titled("c", 1)),
        (key("old", "d"), tombstone(1)),
    ];
    let mut commit = space.marked(records, &ada, None);
    commit.dead_letters = vec![DeadLetter {
        at_ms: NOW,
        client: ada,
        table: "tasks".into(),
        id: "x".into(),
        code: Code::ValueInvalid,
        change: "{}".into(),
    }];
    space.accept(commit).await;
    space
}

/// Live records by table, and how many there are of everything.
pub async fn holdings_are_counted(store: &dyn Store) {
    let space = filled(store, "todo").await;
    let expected = Holdings {
        view: space.view,
        tables: vec![
            (TableName::trusted("tags"), 1),
            (TableName::trusted("tasks"), 2),
        ],
        records: 4,
        clients: 1,
        dead_letters: 1,
        jobs: 0,
        is_exact: true,
    };
    assert_eq!(store.holdings(&space.key).await, Ok(expected));
}

/// The receipt says what went.
pub async fn an_erasure_says_what_it_removed(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    let held = store.holdings(&space.key).await.expect("it is counted");
    let erased = erase(&mut space).await;
    let view = space.view;
    assert_eq!(erased, Holdings { view, ..held });
}

/// Records, marks, verdicts and dead letters.
pub async fn an_erased_space_is_empty(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    let mark = space.mark(&client("ada", "c1")).await.expect("it wrote");
    erase(&mut space).await;
    assert!(space.changes(Seq(0), UNLIMITED).await.records.is_empty());
    assert_eq!(space.record(&key("tasks", "a")).await, None);
    assert_eq!(space.mark(&client("ada", "c1")).await, None);
    assert_eq!(space.verdicts(mark.writer, &[1]).await, [None]);
    assert_eq!(store.dead_letters(&space.key, 10).await, Ok(Vec::new()));
}

/// Head, clock and writer numbers go on, so nothing given before is given again.
pub async fn an_erased_space_goes_on_under_a_new_epoch(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    let before = space.view;
    let after = erase(&mut space).await.view;
    assert_ne!(after.epoch, before.epoch);
    let expected = SpaceView {
        epoch: after.epoch,
        epoch_at_ms: NOW + EPOCH_APART_MS,
        erased: Erased::at(after.epoch_at_ms),
        gc_seq: before.head,
        swept: before.head,
        live: 0,
        ..before
    };
    assert_eq!(after, expected);
    space.put(&[("tasks", "new")]).await;
    assert_eq!(space.view.head, before.head.next());
}

/// What a session has under way is of before.
pub async fn a_commit_under_way_while_a_space_is_erased_conflicts(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    let commit = space.draft(vec![(key("tasks", "late"), titled("late", 1))]);
    erase(&mut space).await;
    space.conflict(commit).await;
    assert_eq!(space.record(&key("tasks", "late")).await, None);
}

/// Its device must not offer back what was erased.
pub async fn an_epoch_before_an_erasure_is_told_as_erased(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    let first = space.view.epoch;
    let second = store.new_epoch(&space.key, first, NOW).await;
    let second = second.expect("it is given").epoch;
    erase(&mut space).await;
    for epoch in [Some(first), Some(second), None] {
        assert_eq!(space.view.reset_from(epoch), ResetWhy::Erased, "{epoch:?}");
    }
}

/// However many follow: what their devices have is of after the erasure.
pub async fn an_epoch_after_an_erasure_is_told_as_any_other(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    erase(&mut space).await;
    let erased_at = space.view.epoch;
    for _ in 0..3 {
        let given = store.new_epoch(&space.key, space.view.epoch, NOW).await;
        given.expect("it is given");
        space.refresh().await;
        assert_eq!(space.view.reset_from(Some(erased_at)), ResetWhy::Epoch);
    }
}

/// The one between two erasures is of before the second.
pub async fn a_second_erasure_is_told_to_those_of_after_the_first(store: &dyn Store) {
    let mut space = filled(store, "todo").await;
    erase(&mut space).await;
    let between = space.view.epoch;
    erase(&mut space).await;
    assert_eq!(space.view.reset_from(Some(between)), ResetWhy::Erased);
}

/// Where nothing was ever erased another epoch is only another history.
pub async fn a_space_never_erased_tells_no_erasure(store: &dyn Store) {
    let space = filled(store, "todo").await;
    let other = syncline_protocol::ids::Epoch(!space.view.epoch.0);
    assert_eq!(space.view.reset_from(Some(other)), ResetWhy::Epoch);
    assert_eq!(space.view.reset_from(None), ResetWhy::Epoch);
}

/// Not of another name, and not of another app.
pub async fn erasing_leaves_other_spaces_alone(store: &dyn Store) {
    let mut todo = filled(store, "todo").await;
    let calendar = filled(store, "calendar").await;
    let held = store.holdings(&calendar.key).await;
    erase(&mut todo).await;
    assert_eq!(store.holdings(&calendar.key).await, held);
}

/// What belongs to a person is found in all apps.
pub async fn spaces_of_a_name_are_found_in_all_apps(store: &dyn Store) {
    for (app, name) in [("todo", "ada"), ("calendar", "ada"), ("todo", "adam")] {
        Space::open_named(store, app, name).await;
    }
    let found = store.spaces_named(&SpaceId::trusted("ada")).await;
    let expected = [space_key("calendar", "ada"), space_key("todo", "ada")];
    assert_eq!(found, Ok(expected.to_vec()));
    let nobody = store.spaces_named(&SpaceId::trusted("nobody")).await;
    assert_eq!(nobody, Ok(Vec::new()));
}

/// It makes no space.
pub async fn erasing_needs_an_opened_space(store: &dyn Store) {
    let nobody = space_key("todo", "nobody");
    assert!(store.erase(&nobody, NOW).await.is_err());
    assert_eq!(store.space(&nobody).await, Ok(None));
}
