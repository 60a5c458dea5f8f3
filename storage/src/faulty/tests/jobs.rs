//! What is lost of jobs when answers are: nothing.

use syncline_protocol::ids::{Epoch, NodeId, Seq};

use super::{block_on, sqlite};
use crate::conformance::space::{NOW, Space};
use crate::faulty::{Fault, FaultyStore, Operation};
use crate::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobKey, JobKind, JobMove, LeaseLost, Origin, Outcome,
    TriggerId, Wanted,
};
use crate::sqlite::SqliteStore;
use crate::{JobStore, Store};

const LEASE_MS: u64 = 30_000;

fn claim(now_ms: u64) -> Claim {
    let kind = JobKind::trusted("webhook");
    Claim {
        wanted: vec![Wanted::of(kind, 9)],
        holder: NodeId::trusted("n1"),
        now_ms,
        lease_ms: LEASE_MS,
        per_space: 9,
    }
}

/// A store with one job that is due.
async fn with_a_job(store: &FaultyStore<SqliteStore>) {
    let space = Space::open(store).await;
    let job = Job {
        kind: JobKind::trusted("webhook"),
        key: JobKey::trusted("a"),
        lane: None,
        due_at_ms: NOW,
        args: JobArgs::trusted("null"),
        depth: 0,
        origin: Origin {
            epoch: Epoch(1),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    };
    let mut commit = space.draft(Vec::new());
    let if_there = IfThere::Keep;
    commit.jobs = vec![JobMove::Put { job, if_there }];
    assert_eq!(store.commit(vec![commit]).await, [Ok(())]);
}

#[test]
fn a_claim_whose_answer_was_lost_comes_again_when_its_lease_is_over() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        with_a_job(&store).await;
        store.script(Operation::Claim, Some(Fault::AnswerLost));
        assert!(store.claim(&claim(NOW)).await.is_err());
        assert_eq!(store.claim(&claim(NOW + LEASE_MS - 1)).await, Ok(vec![]));
        let leased = store.claim(&claim(NOW + LEASE_MS)).await.unwrap();
        assert_eq!((leased.len(), leased[0].attempt), (1, 2));
    });
}

#[test]
fn a_finish_whose_answer_was_lost_is_repeated_without_harm() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        with_a_job(&store).await;
        let lease = store.claim(&claim(NOW)).await.unwrap().remove(0).lease;
        let due_at_ms = NOW + 9;
        let ended = [Ended {
            lease: lease.clone(),
            outcome: Outcome::Again { due_at_ms },
        }];
        store.script(Operation::Finish, Some(Fault::AnswerLost));
        assert!(store.finish(&ended, NOW).await.is_err());
        let after = store.job(&lease.name).await;
        assert_eq!(
            store.finish(&ended, NOW).await,
            Ok(vec![Err(LeaseLost.into())])
        );
        assert_eq!(store.job(&lease.name).await, after);
        let again = store.claim(&claim(due_at_ms)).await.unwrap();
        assert_eq!((again.len(), again[0].attempt), (1, 1));
    });
}
