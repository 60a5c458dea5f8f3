//! Faults happen as said, and the same seed fails the same way.

use tempfile::TempDir;
use tokio::runtime::Builder;

mod jobs;
mod ledger;

use super::{Fault, FaultRates, FaultyStore, Operation};
use crate::Store;
use crate::conformance::Patient;
use crate::conformance::space::{NOW, Space, key, space_key, titled};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::types::{CommitError, StoreError};

fn sqlite() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    (SqliteStore::open(&options).unwrap(), dir)
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(test)
}

fn is_unavailable(answer: &Result<(), CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::Unavailable(_))))
}

#[test]
fn a_refused_commit_does_nothing() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let space = Space::open(&store).await;
        store.script(Operation::Commit, Some(Fault::Refused));
        let answer = space
            .commit(space.draft(vec![(key("t", "a"), titled("a", 0))]))
            .await;
        assert!(is_unavailable(&answer));
        assert_eq!(space.now().await, space.view);
    });
}

#[test]
fn a_commit_whose_answer_is_lost_takes_effect() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let space = Space::open(&store).await;
        store.script(Operation::Commit, Some(Fault::AnswerLost));
        let answer = space
            .commit(space.draft(vec![(key("t", "a"), titled("a", 0))]))
            .await;
        assert!(is_unavailable(&answer));
        assert!(space.record(&key("t", "a")).await.is_some());
    });
}

#[test]
fn a_late_commit_is_done_before_the_next_one() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let space = Space::open(&store).await;
        store.script(Operation::Commit, Some(Fault::Late));
        let commit = |id| space.draft(vec![(key("t", id), titled("a", 0))]);
        assert!(is_unavailable(&space.commit(commit("a")).await));
        assert_eq!(space.now().await, space.view);
        space.conflict(commit("b")).await;
        assert!(space.record(&key("t", "a")).await.is_some());
    });
}

/// What conflicts with it is itself.
#[test]
fn a_patient_caller_knows_its_own_late_commit() {
    let (inner, _dir) = sqlite();
    let store = Patient(FaultyStore::scripted(inner));
    block_on(async {
        let space = Space::open(&store).await;
        let stale = space.draft(vec![(key("t", "b"), titled("b", 0))]);
        store.0.script(Operation::Commit, Some(Fault::Late));
        let commit = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        assert_eq!(space.commit(commit).await, Ok(()));
        assert_eq!(space.now().await.head, space.view.head.next());
        // Somebody else's conflicts, also if it was refused before.
        store.0.script(Operation::Commit, Some(Fault::Refused));
        space.conflict(stale).await;
        assert!(space.record(&key("t", "b")).await.is_none());
    });
}

#[test]
fn scripts_run_in_order_per_operation() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let space = Space::open(&store).await;
        store.script(Operation::Space, None);
        store.script(Operation::Space, Some(Fault::Refused));
        store.script(Operation::Space, Some(Fault::AnswerLost));
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(store.space(&space.key).await.is_ok());
        }
        assert_eq!(
            (answers, store.injected()),
            (vec![true, false, false, true], 2)
        );
    });
}

#[test]
fn equal_seeds_fail_equally() {
    let rates = FaultRates {
        refused: 300,
        answer_lost: 100,
        ..FaultRates::default()
    };
    let answers = |seed| {
        let (inner, _dir) = sqlite();
        let store = FaultyStore::seeded(inner, seed, rates);
        block_on(async {
            let mut answers = Vec::new();
            for n in 0..64 {
                let key = space_key("todo", &n.to_string());
                answers.push(store.open_space(&key, NOW).await.is_ok());
            }
            answers
        })
    };
    assert_eq!(answers(1), answers(1));
    assert_ne!(answers(1), answers(2));
}

#[test]
fn rates_are_met() {
    let (inner, _dir) = sqlite();
    let rates = FaultRates {
        refused: 200,
        ..FaultRates::default()
    };
    let store = FaultyStore::seeded(inner, 3, rates);
    block_on(async {
        for _ in 0..1_000 {
            let _ = store.space(&space_key("todo", "nobody")).await;
        }
    });
    let injected = store.injected();
    assert!(
        (150..250).contains(&injected),
        "{injected} of 1,000, 200 were asked for"
    );
}

/// What it answers is how much it removed, which is told once.
#[test]
fn of_an_erasure_whose_answer_was_lost_nothing_is_left_and_a_second_one_finds_nothing() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    store.script(Operation::Erase, Some(Fault::AnswerLost));
    block_on(async {
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let lost = store.erase(&space.key, NOW).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        let after = store.space(&space.key).await.unwrap().unwrap();
        assert_ne!(after.epoch, space.view.epoch);
        assert_ne!(after.erased, space.view.erased);
        let again = store.erase(&space.key, NOW).await.unwrap();
        assert_eq!((again.records, again.clients), (0, 0));
    });
}
