//! Pulls from a space that is not there, by the calls they make of the store.

use std::sync::Arc;

use syncline_protocol::ids::SpaceKey;
use syncline_storage::Store;
use syncline_storage::faulty::{Fault, FaultyStore, Operation};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};

use super::desk::NOW_MS;
use super::registry::{World, space_of};

struct Counted {
    world: World,
    store: Arc<FaultyStore<SqliteStore>>,
    space: SpaceKey,
}

impl Counted {
    async fn start() -> Counted {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(dir.path().join("hub.db"));
        let store = SqliteStore::open(&options).unwrap();
        let store = Arc::new(FaultyStore::scripted(store));
        Counted {
            world: World::on(store.clone(), dir).await,
            store,
            space: space_of("ada"),
        }
    }

    async fn is_there(&self) -> bool {
        let known = self.world.sessions.known(&self.space).await;
        known.unwrap().is_some()
    }

    /// Another node writes; this one has not heard of it.
    async fn another_writes(&self) {
        let store = self.store.inner();
        store.open_space(&self.space, NOW_MS).await.unwrap();
    }
}

#[tokio::test]
async fn a_space_that_is_not_there_is_looked_for_once() {
    let counted = Counted::start().await;
    for _ in 0..100 {
        assert!(!counted.is_there().await);
        assert_eq!(counted.store.calls(), 1);
    }
    assert!(counted.world.sessions.open().is_empty());
}

#[tokio::test]
async fn a_space_that_is_opened_here_is_there_at_once() {
    let counted = Counted::start().await;
    assert!(!counted.is_there().await);
    let entry = counted.world.sessions.get(&counted.space);
    assert!(counted.is_there().await);
    // Its entry goes: nothing of before says that it is not there.
    counted.another_writes().await;
    drop(entry.end());
    assert!(counted.is_there().await);
}

#[tokio::test]
async fn a_space_another_node_says_something_of_is_there_at_once() {
    let counted = Counted::start().await;
    assert!(!counted.is_there().await);
    counted.another_writes().await;
    assert!(counted.world.sessions.heard(&counted.space).is_none());
    assert!(counted.is_there().await);
}

#[tokio::test]
async fn after_words_were_missed_the_store_is_asked() {
    let counted = Counted::start().await;
    assert!(!counted.is_there().await);
    counted.another_writes().await;
    counted.world.sessions.missed();
    assert!(counted.is_there().await);
}

#[tokio::test]
async fn what_is_heard_while_the_store_is_asked_is_not_forgotten() {
    let counted = Counted::start().await;
    // What the store said is on its way.
    counted.store.script(Operation::Space, Some(Fault::Held));
    let hears = async {
        counted.world.sessions.heard(&counted.space);
        counted.store.release();
    };
    let (is_there, ()) = tokio::join!(counted.is_there(), hears);
    assert!(!is_there);
    counted.another_writes().await;
    assert!(counted.is_there().await);
}

#[tokio::test]
async fn a_store_that_fails_says_nothing_of_a_space() {
    let counted = Counted::start().await;
    counted.store.script(Operation::Space, Some(Fault::Refused));
    let known = counted.world.sessions.known(&counted.space).await;
    assert!(known.is_err());
    counted.another_writes().await;
    assert!(counted.is_there().await);
}
