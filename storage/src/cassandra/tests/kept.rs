//! Holds that last, and who waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::hold::Hold;
use super::super::interlude::Step;
use super::super::space::opened as opened_space;
use super::server::Server;
use super::{CassandraStore, opened, options, runtime};
use crate::conformance::space::{Space, UNLIMITED, client, key, titled};
use crate::transfer::{Export, Part, Sent};
use crate::types::{CommitError, StoreError};

/// Seconds of a hold.
const HOLD_S: u32 = 4;

/// Parts that are read slowly, each for half a hold at most: together they take longer than one.
const SLOW: usize = 4;

/// Seconds that somebody still holds the space; `None` if nobody does.
async fn left_s(store: &CassandraStore) -> Option<i64> {
    let asked = "SELECT TTL(held) FROM KS.spaces WHERE app = 'todo' AND space = 'ada' LIMIT 1";
    store.server.raw_rows(asked).await.concat().first().copied()
}

/// Reading takes long, and whenever nobody holds the space somebody writes.
fn slowly_and_never_quiet(store: &CassandraStore, slow: &Arc<AtomicUsize>) {
    for n in 0..64 {
        let (there, slow) = (store.clone(), slow.clone());
        let act = move || async move {
            if left_s(&there).await.is_some() && slow.fetch_add(1, Ordering::SeqCst) < SLOW {
                while left_s(&there)
                    .await
                    .is_some_and(|left| left > i64::from(HOLD_S) / 2)
                {
                    tokio::task::yield_now().await;
                }
            }
            let write = format!(
                "UPDATE KS.spaces SET last_commit = {n} WHERE app = 'todo' AND space = 'ada'
                IF held = null"
            );
            there.server.raw(&write).await;
        };
        store.server.interludes.once(Step::PartAndPart, act);
    }
}

#[test]
fn a_space_that_takes_longer_than_a_hold_is_exported_though_it_is_never_quiet() {
    runtime().block_on(async {
        let mut options = options(&Server::shared().new_keyspace());
        options.hold_s = HOLD_S;
        let store = CassandraStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        space.introduce(&client("ada", "c1")).await;
        let slow = Arc::new(AtomicUsize::new(0));
        slowly_and_never_quiet(&store, &slow);
        let (to, mut sent) = mpsc::channel(64);
        assert_eq!(store.export_space(&space.key, UNLIMITED, to).await, Ok(()));
        let mut records = 0;
        while let Some(sent) = sent.recv().await {
            if let Sent::Part(Part::Records(rows)) = sent {
                records += rows.len();
            }
        }
        assert_eq!(records, 2);
        assert!(slow.load(Ordering::SeqCst) >= SLOW, "it did not take long");
        let row = opened_space(&store.server, &space.key).await.unwrap();
        assert_eq!(row.held, None);
    });
}

#[test]
fn a_hold_that_has_ended_is_not_kept() {
    runtime().block_on(async {
        let mut options = options(&Server::shared().new_keyspace());
        options.hold_s = 0;
        let store = CassandraStore::open(&options).await.unwrap();
        let space = Space::open(&store).await;
        // A hold of no seconds is one without an end.
        let hold = Hold::take(&store.server, &space.key).await.unwrap();
        let kept = hold.keep(&store.server, &space.key).await.unwrap();
        assert_eq!(kept.and_then(Hold::id), hold.id());
        hold.let_go(&store.server, &space.key).await;
        let kept = hold.keep(&store.server, &space.key).await.unwrap();
        assert_eq!(kept, None);
    });
}

/// Who waits asks nobody to agree on anything, and is told to try again in the end.
#[test]
fn who_waits_too_long_for_a_held_space_is_told_that_it_is_unavailable() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let mut options = options(&lent.keyspace().url);
        options.hold_wait_max = Duration::from_millis(300);
        let waiting = CassandraStore::open(&options).await.unwrap();
        let mut space = Space::open(&waiting).await;
        space.put(&[("t", "a")]).await;
        let hold = Hold::take(&store.server, &space.key).await.unwrap();
        let mut commit = space.draft(vec![(key("t", "b"), titled("a", 0))]);
        commit.stood = vec![crate::types::Stood::Absent];
        let before = waiting.server.counted.by_level();
        let told = space.commit(commit.clone()).await;
        let after = waiting.server.counted.by_level();
        let unavailable = |told: &Result<(), CommitError>| {
            matches!(told, Err(CommitError::Store(StoreError::Unavailable(_))))
        };
        assert!(unavailable(&told), "{told:?}");
        let [serial, hints, batches] = [0, 1, 2].map(|at| after[at] - before[at]);
        assert_eq!((serial, batches), (0, 1));
        assert!((1..=300).contains(&hints), "{hints} looks");
        hold.let_go(&store.server, &space.key).await;
        assert_eq!(space.commit(commit).await, Ok(()));
    });
}
