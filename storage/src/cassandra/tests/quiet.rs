//! What is asked of replicas about spaces that nobody writes.

use super::{opened, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, client, key, space_key, tombstone};
use crate::types::{Collect, Collected, Keys};

const YOUNG: Collect = Collect {
    dead_before_ms: NOW,
    marks_before_ms: NOW,
    keys: Keys::Remove,
    limit: 9,
    bytes: usize::MAX,
};

/// Reads of now, hints, and batches.
fn since(store: &super::CassandraStore, before: [usize; 3]) -> [usize; 3] {
    let after = store.server.counted.by_level();
    [0, 1, 2].map(|at| after[at] - before[at])
}

#[test]
fn a_look_that_finds_nothing_old_has_nobody_agree_on_anything() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.introduce(&client("ada", "c1")).await;
        space
            .accept(space.draft(vec![(key("t", "a"), tombstone(0))]))
            .await;
        let before = store.server.counted.by_level();
        let collected = store.collect(&space.key, YOUNG).await;
        assert_eq!(collected, Ok(Collected::nothing(space.view)));
        assert_eq!(since(&store, before), [0, 2, 0]);
    });
}

#[test]
fn views_have_nobody_agree_on_anything() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut ada = Space::open(&store).await;
        ada.put(&[("t", "a")]).await;
        let bob = Space::open_named(&store, "todo", "bob").await;
        let keys = [ada.key, bob.key, space_key("todo", "nobody")];
        let before = store.server.counted.by_level();
        let views = store.views(&keys).await;
        assert_eq!(views, Ok(vec![Some(ada.view), Some(bob.view), None]));
        assert_eq!(since(&store, before), [0, 3, 0]);
    });
}
