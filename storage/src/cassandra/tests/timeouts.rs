//! Batches of which the server says that it gave up, or of which its answer says nothing: each is of a
//! batch that was done, or of one that never came.

use super::super::hold::Hold;
use super::super::space::opened as opened_space;
use super::runtime;
use super::way::{Fate, Told, Way, behind_a_way};
use super::{CassandraStore, opened};
use crate::archive::ImportFailure;
use crate::conformance::jobs::desk::{job, keep, webhook};
use crate::conformance::space::{NOW, Space, key, space_key, tombstone};
use crate::conformance::transfer::stores::{archive_of, bring, everything, fill, fill_jobs};
use crate::jobs::{Claim, Wanted};
use crate::transfer::ImportError;
use crate::types::{Collect, Keys, StoreError};
use crate::{JobStore, Store};

/// Does something while this becomes of its first batch, and says how many batches it took.
async fn batches<T>(
    (store, way): (&CassandraStore, &Way),
    fate: Fate,
    doing: impl Future<Output = T>,
) -> (T, u64) {
    let before = store.attempts().totals().batches;
    way.next_batch(fate).await;
    let answer = doing.await;
    let after = store.attempts().totals().batches;
    assert!(!way.forget_next().await, "there was no batch");
    (answer, after - before)
}

/// What was done is done once; what was not is made again.
const BOTH: [(Fate, u64); 2] = [
    (Fate::done(Told::TimeOut), 1),
    (Fate::not_done(Told::TimeOut), 2),
];

/// Whatever is told of one that was done or not.
const ALL: [Fate; 4] = [
    Fate::done(Told::TimeOut),
    Fate::not_done(Told::TimeOut),
    Fate::done(Told::Fault),
    Fate::not_done(Told::Fault),
];

fn is_unknown<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

#[test]
fn a_commit_that_the_server_gave_up_is_done_once() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for (n, (fate, expected)) in BOTH.into_iter().enumerate() {
            let mut space = Space::open(&store).await;
            let id = n.to_string();
            let names = [("t", id.as_str())];
            let put = space.put(&names);
            let ((), count) = batches((&store, &way), fate, put).await;
            assert_eq!((count, space.now().await.head.0), (expected, n as u64 + 1));
        }
    });
}

#[test]
fn a_claim_that_the_server_gave_up_leases_once() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for (n, (fate, expected)) in BOTH.into_iter().enumerate() {
            let space = Space::open(&store).await;
            let mut commit = space.draft(Vec::new());
            commit.jobs = vec![keep(job(&n.to_string()))];
            assert_eq!(space.commit(commit).await, Ok(()));
            let kind = webhook();
            let claim = Claim {
                wanted: vec![Wanted::of(kind, 9)],
                holder: syncline_protocol::ids::NodeId::trusted("n1"),
                now_ms: NOW + n as u64,
                lease_ms: 90_000,
                per_space: 9,
            };
            let (leased, count) = batches((&store, &way), fate, store.claim(&claim)).await;
            assert_eq!((leased.unwrap().len(), count), (1, expected));
        }
    });
}

#[test]
fn a_collection_that_the_server_gave_up_says_what_it_removed() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        let all = Collect {
            dead_before_ms: NOW + 1,
            marks_before_ms: 0,
            keys: Keys::Remove,
            limit: 9,
            bytes: usize::MAX,
        };
        for (fate, expected) in BOTH {
            let mut space = Space::open(&store).await;
            space
                .accept(space.draft(vec![(key("t", "a"), tombstone(1))]))
                .await;
            let collecting = store.collect(&space.key, all);
            let (collected, count) = batches((&store, &way), fate, collecting).await;
            assert_eq!((collected.unwrap().tombstones, count), (1, expected));
        }
    });
}

#[test]
fn an_erasure_that_the_server_gave_up_says_what_it_removed() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for (fate, expected) in BOTH {
            let mut space = Space::open(&store).await;
            space.put(&[("t", "a"), ("t", "b")]).await;
            let erasing = store.erase(&space.key, NOW);
            let (erased, count) = batches((&store, &way), fate, erasing).await;
            assert_eq!((erased.unwrap().records, count), (2, expected));
        }
    });
}

/// Who made it is told of it all the same; who did not is told that nobody knows, and makes it then.
#[test]
fn a_space_whose_making_is_not_told_is_made_once() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for (n, fate) in ALL.into_iter().enumerate() {
            let space = space_key("todo", &n.to_string());
            let opening = store.open_space(&space, NOW);
            let (told, count) = batches((&store, &way), fate, opening).await;
            let there = store.space(&space).await.unwrap();
            assert_eq!((there.is_some(), count), (fate.is_done, 1), "{fate:?}");
            match there {
                Some(view) => assert_eq!(told, Ok(view), "{fate:?}"),
                None => assert!(is_unknown(&told), "{fate:?}: {told:?}"),
            }
            let again = store.open_space(&space, NOW + 1).await.unwrap();
            assert!(there.is_none_or(|view| view == again), "{fate:?}");
        }
    });
}

#[test]
fn an_epoch_whose_change_is_not_told_is_changed_once() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for fate in ALL {
            let space = Space::open(&store).await;
            let expected = space.view.epoch;
            let changing = store.new_epoch(&space.key, expected, NOW);
            let (told, count) = batches((&store, &way), fate, changing).await;
            let now = space.now().await;
            match fate.told {
                // The next look tells, and what was not done is done again.
                Told::TimeOut => {
                    assert_eq!(count, if fate.is_done { 1 } else { 2 }, "{fate:?}");
                    assert_ne!(now.epoch, expected, "{fate:?}");
                    assert_eq!(told, Ok(now), "{fate:?}");
                }
                _ => {
                    assert!(is_unknown(&told), "{fate:?}: {told:?}");
                    assert_eq!(
                        (now.epoch != expected, count),
                        (fate.is_done, 1),
                        "{fate:?}"
                    );
                    // Whoever asks again is told the one that came of it.
                    let again = store.new_epoch(&space.key, expected, NOW).await.unwrap();
                    assert!(!fate.is_done || again == now, "{fate:?}");
                }
            }
        }
    });
}

#[test]
fn a_space_whose_removal_is_not_told_is_gone_or_whole() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for fate in ALL {
            let space = Space::open(&store).await;
            let removing = store.forget_unwritten(&space.key, u64::MAX);
            let (told, count) = batches((&store, &way), fate, removing).await;
            assert!(is_unknown(&told), "{fate:?}: {told:?}");
            let there = store.space(&space.key).await.unwrap();
            assert_eq!((there.is_none(), count), (fate.is_done, 1), "{fate:?}");
            assert!(there.is_none_or(|view| view == space.view), "{fate:?}");
            let again = store.forget_unwritten(&space.key, u64::MAX).await;
            assert_eq!(again, Ok(!fate.is_done), "{fate:?}");
        }
    });
}

/// Where nobody knows, it is in nobody's way for longer than a hold lasts.
#[test]
fn a_hold_whose_taking_is_not_told_is_taken_once_or_ends() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        for (n, fate) in ALL.into_iter().enumerate() {
            let mut space = Space::open_named(&store, "todo", &n.to_string()).await;
            let taking = Hold::take(&store.server, &space.key);
            let (taken, count) = batches((&store, &way), fate, taking).await;
            let held = opened_space(&store.server, &space.key).await.unwrap().held;
            match (fate.told, taken) {
                (Told::TimeOut, Ok(hold)) => {
                    assert_eq!(count, if fate.is_done { 1 } else { 2 }, "{fate:?}");
                    assert_eq!(held, hold.id(), "{fate:?}");
                    hold.let_go(&store.server, &space.key).await;
                }
                (_, Err(_)) => assert_eq!((held.is_some(), count), (fate.is_done, 1), "{fate:?}"),
                (_, taken) => panic!("{fate:?}: {taken:?}"),
            }
            space.put(&[("t", "a")]).await;
        }
    });
}

/// Whichever batch of it that is. It ends as one that was killed there does, and is begun again.
#[test]
fn an_import_of_which_a_batch_is_not_told_goes_on() {
    runtime().block_on(async {
        let (from, _lent) = opened().await;
        fill(&from).await;
        fill_jobs(&from).await;
        let archive = archive_of(&from).await;
        for fate in ALL {
            let (to, way) = behind_a_way().await;
            let mut met = 0;
            loop {
                way.batch_after(met, fate).await;
                let told = bring(&archive, &to).await;
                let is_met = !way.forget_next().await;
                match told {
                    // The last of all may have been done and not told.
                    Ok(_) | Err(ImportFailure::Import(ImportError::Imported)) => break,
                    Err(ImportFailure::Import(ImportError::Store(why))) if is_met => {
                        assert!(matches!(why, StoreError::Unavailable(_)), "{why}");
                        met += 1;
                    }
                    Err(other) => panic!("{fate:?}: {other}"),
                }
            }
            assert!(met > 3, "{met} batches");
            assert_eq!(everything(&to).await, everything(&from).await, "{fate:?}");
        }
    });
}
