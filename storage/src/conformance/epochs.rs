//! A new epoch: the space goes on under another identity.

use syncline_protocol::ids::{Epoch, Seq};

use super::space::{NOW, Space, client, key, space_key, titled};
use crate::Store;
use crate::types::{EPOCH_APART_MS, SpaceView};

/// However soon after the last one it is given.
pub async fn epochs_are_a_minute_apart(store: &dyn Store) {
    let space = Space::open(store).await;
    let first = space.view;
    let given = store.new_epoch(&space.key, first.epoch, NOW + 5).await;
    assert_eq!(
        given.expect("it is given").epoch_at_ms,
        NOW + EPOCH_APART_MS
    );
}

/// By one that differs, given now.
pub async fn a_new_epoch_replaces_the_expected_one(store: &dyn Store) {
    let space = Space::open(store).await;
    let view = store
        .new_epoch(&space.key, space.view.epoch, NOW + EPOCH_APART_MS)
        .await
        .expect("it is given");
    assert_ne!(view.epoch, space.view.epoch);
    assert_eq!(view.epoch_at_ms, NOW + EPOCH_APART_MS);
    assert_eq!(space.now().await, view);
}

/// Records, head and marks stay.
pub async fn a_new_epoch_keeps_everything_else(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    space.put(&[("tasks", "a")]).await;
    let view = store
        .new_epoch(&space.key, space.view.epoch, NOW)
        .await
        .expect("it is given");
    let expected = SpaceView {
        epoch: view.epoch,
        epoch_at_ms: view.epoch_at_ms,
        lost_at_ms: NOW,
        ..space.view
    };
    assert_eq!(view, expected);
    assert_eq!(space.mark(&ada).await, Some(mark));
    assert!(space.record(&key("tasks", "a")).await.is_some());
}

/// Two nodes that find the same loss give one epoch.
pub async fn a_new_epoch_of_another_expected_one_changes_nothing(store: &dyn Store) {
    let space = Space::open(store).await;
    let other = Epoch(!space.view.epoch.0);
    assert_eq!(
        store.new_epoch(&space.key, other, NOW + 5).await,
        Ok(space.view)
    );
    assert_eq!(space.now().await, space.view);
}

/// A session of the old epoch reads again first.
pub async fn the_old_epoch_commits_no_more(store: &dyn Store) {
    let space = Space::open(store).await;
    let commit = space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    store
        .new_epoch(&space.key, space.view.epoch, NOW)
        .await
        .expect("it is given");
    space.conflict(commit).await;
    assert_eq!(space.now().await.head, Seq(0));
}

/// It makes no space.
pub async fn a_new_epoch_needs_an_opened_space(store: &dyn Store) {
    let nobody = space_key("todo", "nobody");
    assert!(store.new_epoch(&nobody, Epoch(1), NOW).await.is_err());
    assert_eq!(store.space(&nobody).await, Ok(None));
}
