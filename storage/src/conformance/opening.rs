//! Opening spaces, and what keeps them apart.

use syncline_protocol::ids::{Seq, WriterNo};
use syncline_protocol::stamp::Hlc;

use super::space::{NOW, Space, UNLIMITED, client, key, space_key};
use crate::Store;
use crate::types::{Erased, SpaceView};

/// A read of a space that was never opened tells so.
pub async fn a_space_never_opened_is_none(store: &dyn Store) {
    let view = store.space(&space_key("todo", "nobody")).await;
    assert_eq!(view, Ok(None));
}

/// A new space is empty, and its epoch is of now.
pub async fn an_opened_space_is_empty(store: &dyn Store) {
    let space = Space::open(store).await;
    let empty = SpaceView {
        epoch: space.view.epoch,
        epoch_at_ms: NOW,
        lost_at_ms: 0,
        erased: Erased::NEVER,
        head: Seq(0),
        gc_seq: Seq(0),
        swept: Seq(0),
        clock: Hlc::default(),
        live: 0,
        writers: WriterNo(0),
    };
    assert_eq!(space.view, empty);
}

/// Each is as it is read alone, one asked twice and one never opened included.
pub async fn views_of_many_spaces_are_in_the_order_asked(store: &dyn Store) {
    let mut ada = Space::open_named(store, "todo", "ada").await;
    let bob = Space::open_named(store, "todo", "bob").await;
    let chat = Space::open_named(store, "chat", "ada").await;
    ada.put(&[("tasks", "a")]).await;
    let asked = [
        &chat.key,
        &ada.key,
        &space_key("todo", "nobody"),
        &bob.key,
        &ada.key,
    ];
    let views = store.views(&asked.map(Clone::clone)).await;
    let (ada, bob, chat) = (Some(ada.view), Some(bob.view), Some(chat.view));
    assert_eq!(views, Ok(vec![chat, ada, None, bob, ada]));
    assert_eq!(store.views(&[]).await, Ok(Vec::new()));
}

/// Opening is idempotent: the epoch and everything else stay.
pub async fn opening_again_changes_nothing(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    let again = store.open_space(&space.key, NOW + 1).await;
    assert_eq!(again, Ok(space.view));
}

/// Two nodes that open a space at once get one epoch.
pub async fn two_opens_at_once_agree_on_the_epoch(store: &dyn Store) {
    let key = space_key("todo", "raced");
    let (one, other) = tokio::join!(store.open_space(&key, NOW), store.open_space(&key, NOW));
    let stored = store.space(&key).await.expect("it is read");
    assert_eq!((one.ok(), other.ok()), (stored, stored));
}

/// Epochs are random.
pub async fn epochs_of_two_spaces_differ(store: &dyn Store) {
    let one = Space::open_named(store, "todo", "ada").await;
    let other = Space::open_named(store, "todo", "bob").await;
    assert_ne!(one.view.epoch, other.view.epoch);
}

/// The same user's spaces of two apps share no data.
pub async fn spaces_of_two_apps_are_apart(store: &dyn Store) {
    let mut todo = Space::open_named(store, "todo", "ada").await;
    let chat = Space::open_named(store, "chat", "ada").await;
    todo.put(&[("tasks", "a")]).await;
    assert_eq!(chat.now().await, chat.view);
    assert_eq!(chat.record(&key("tasks", "a")).await, None);
}

/// Two spaces of an app share no data, in pages neither.
pub async fn spaces_of_one_app_are_apart(store: &dyn Store) {
    let mut ada = Space::open_named(store, "todo", "ada").await;
    let mut bob = Space::open_named(store, "todo", "bob").await;
    ada.put(&[("tasks", "a")]).await;
    bob.put(&[("tasks", "b")]).await;
    let changes = bob.changes(Seq(0), UNLIMITED).await.records;
    let snapshot = bob.snapshot(None, UNLIMITED).await.records;
    assert_eq!((changes.len(), &changes), (1, &snapshot));
    assert_eq!(snapshot[0].0, key("tasks", "b"));
}

/// There is no view to answer with, so it is an error.
pub async fn reads_of_a_space_never_opened_fail(store: &dyn Store) {
    let nobody = space_key("todo", "nobody");
    let ada = client("ada", "c1");
    assert!(store.marks(&nobody, &[ada]).await.is_err());
    assert!(store.verdicts(&nobody, WriterNo(1), &[1]).await.is_err());
    assert!(
        store
            .records(&nobody, &[key("t", "a")], usize::MAX)
            .await
            .is_err()
    );
    assert!(
        store
            .changes(&nobody, Seq(0).into(), UNLIMITED)
            .await
            .is_err()
    );
    assert!(
        store
            .snapshot(&nobody, None, None, UNLIMITED)
            .await
            .is_err()
    );
}
