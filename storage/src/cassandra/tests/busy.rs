//! Jobs of a space that others write without pause, and of one that fails beside others.

use syncline_protocol::ids::NodeId;

use super::super::hold::Hold;
use super::super::interlude::Step;
use super::super::jobs::{SPACES_COUNTED_MAX, leave_deletions, put_turn_of_nobody};
use super::super::space::opened as opened_space;
use super::holds::always_faster;
use super::server::Server;
use super::{CassandraStore, opened, options, runtime};
use crate::JobStore;
use crate::conformance::jobs::desk::{job, keep, webhook};
use crate::conformance::space::{NOW, Space, space_key};
use crate::jobs::{Claim, Ended, Job, JobKind, JobName, LeaseError, LeasedJob, Outcome, Wanted};
use crate::types::StoreError;

pub(super) fn claim(jobs: usize) -> Claim {
    let kind = webhook();
    Claim {
        wanted: vec![Wanted::of(kind, jobs)],
        holder: NodeId::trusted("n1"),
        now_ms: NOW + 500,
        lease_ms: 30_000,
        per_space: jobs,
    }
}

/// Puts a job into a space of this name.
pub(super) async fn put(store: &CassandraStore, space: &str, key: &str, now_ms: u64) {
    let space = Space::open_named(store, "todo", space).await;
    let mut commit = space.draft(Vec::new());
    commit.jobs = vec![keep(job(key))];
    commit.now_ms = now_ms;
    assert_eq!(space.commit(commit).await, Ok(()));
}

/// Has a job have no number, as no program leaves one.
async fn damage(store: &CassandraStore, space: &str, key: &str) {
    let damage = format!(
        "UPDATE KS.spaces SET no = null WHERE app = 'todo' AND space = '{space}'
        AND kind = 8 AND n = 0 AND a = 'webhook' AND b = '{key}' IF EXISTS"
    );
    store.server.raw(&damage).await;
}

fn done(leased: &LeasedJob) -> Ended {
    Ended {
        lease: leased.lease.clone(),
        outcome: Outcome::Done,
    }
}

#[test]
fn jobs_are_claimed_extended_and_ended_although_somebody_is_always_faster() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "ada", "a", NOW).await;
        always_faster(&store, Step::PlanAndBatch, 64);
        let leased = store.claim(&claim(9)).await.unwrap();
        assert_eq!(leased.len(), 1);
        let lease = leased[0].lease.clone();
        let extended = store.extend(&[lease], NOW + 90_000).await;
        assert_eq!(extended, Ok(vec![Ok(())]));
        let ended = store.finish(&[done(&leased[0])], NOW).await;
        assert_eq!(ended, Ok(vec![Ok(())]));
    });
}

#[test]
fn a_job_is_put_and_cancelled_although_somebody_is_always_faster() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        always_faster(&store, Step::PlanAndCommit, 64);
        put(&store, "ada", "a", NOW).await;
        always_faster(&store, Step::PlanAndBatch, 64);
        let name = JobName {
            space: space_key("todo", "ada"),
            kind: webhook(),
            key: job("a").key,
        };
        assert_eq!(store.cancel(&name).await, Ok(true));
        assert_eq!(store.job(&name).await, Ok(None));
        let row = opened_space(&store.server, &name.space).await;
        assert_eq!(row.unwrap().held, None);
    });
}

#[test]
fn a_space_that_fails_leaves_anothers_extensions_and_ends_told() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "ada", "a", NOW).await;
        put(&store, "bob", "b", NOW + 1).await;
        let leased = store.claim(&claim(2)).await.unwrap();
        assert_eq!(leased.len(), 2);
        damage(&store, "ada", "a").await;
        let leases: Vec<_> = leased.iter().map(|one| one.lease.clone()).collect();
        let extended = store.extend(&leases, NOW + 90_000).await.unwrap();
        let ended: Vec<Ended> = leased.iter().map(done).collect();
        let ended = store.finish(&ended, NOW).await.unwrap();
        for answers in [extended, ended] {
            for (one, answer) in leased.iter().zip(answers) {
                match one.job.key.as_str() {
                    "b" => assert_eq!(answer, Ok(())),
                    _ => assert!(
                        matches!(answer, Err(LeaseError::Store(StoreError::Damaged(_)))),
                        "{answer:?}"
                    ),
                }
            }
        }
    });
}

/// Its holder is gone, so it will be a while.
#[test]
fn a_space_that_is_held_leaves_anothers_extensions_told() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        put(&store, "ada", "a", NOW).await;
        put(&store, "bob", "b", NOW + 1).await;
        let leased = store.claim(&claim(2)).await.unwrap();
        let leases: Vec<_> = leased.iter().map(|one| one.lease.clone()).collect();
        let held = space_key("todo", "ada");
        Hold::take(&other.server, &held).await.unwrap();
        let extended = store.extend(&leases, NOW + 90_000).await.unwrap();
        for (lease, answer) in leases.iter().zip(extended) {
            match lease.name.space == held {
                false => assert_eq!(answer, Ok(())),
                true => assert!(
                    matches!(answer, Err(LeaseError::Store(StoreError::Unavailable(_)))),
                    "{answer:?}"
                ),
            }
        }
    });
}

#[test]
fn what_counting_costs_is_bounded_however_many_spaces_have_jobs() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "ada", "a", NOW).await;
        for n in 0..1_000 {
            let space = space_key("todo", &format!("{n}"));
            put_turn_of_nobody(&store.server, &webhook(), (&space, NOW + 1_000 + n)).await;
        }
        let [before, _] = store.server.counted.statements();
        let counts = store.job_counts(&[webhook()]).await.unwrap();
        let [after, _] = store.server.counted.statements();
        assert_eq!(counts[0].scheduled, 1, "what is due first is counted first");
        // Eight parts of turns, two ranges a space, two tables of the dead.
        assert_eq!(after - before, 8 + 2 * SPACES_COUNTED_MAX + 2);
    });
}

/// A server steps over so many deletions of one part and no more, and those of turns go only when it
/// compacts.
#[test]
fn jobs_are_claimed_past_more_turns_that_went_than_the_server_steps_over() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let space = space_key("todo", "ada");
        let went = (&space, NOW - 3_600_000, 2_100);
        leave_deletions(&store.server, &webhook(), went).await;
        put(&store, "ada", "a", NOW).await;
        let leased = store.claim(&claim(9)).await.unwrap();
        assert_eq!(leased.len(), 1);
        let until_ms = leased[0].until_ms;
        assert_eq!(store.next_due(&[webhook()]).await, Ok(Some(until_ms)));
    });
}

/// One job is wanted, and the space that fails comes first.
#[test]
fn a_space_that_fails_is_passed_over_by_who_claims() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "ada", "a", NOW).await;
        put(&store, "bob", "b", NOW + 1).await;
        damage(&store, "ada", "a").await;
        let leased = store.claim(&claim(1)).await.unwrap();
        assert_eq!(leased.len(), 1);
        assert_eq!(leased[0].job.key.as_str(), "b");
        assert_eq!(
            store.claim(&claim(1)).await,
            Ok(Vec::new()),
            "nothing else is due, and it is not visited again so soon"
        );
        let mut later = claim(1);
        later.now_ms += 1_000;
        assert!(store.claim(&later).await.is_err());
    });
}

/// Statements of claims of one job each, one after the other, beside so many spaces that come first and fail.
async fn statements_beside_failing(failing: usize) -> Vec<usize> {
    let (store, _lent) = opened().await;
    for n in 0..failing {
        let space = format!("failing {n}");
        put(&store, &space, "a", NOW).await;
        damage(&store, &space, "a").await;
    }
    for n in 0..6 {
        put(&store, &format!("well {n}"), "b", NOW + 1).await;
    }
    let mut counts = Vec::new();
    for _ in 0..6 {
        let [before, _] = store.server.counted.statements();
        let leased = store.claim(&claim(1)).await.unwrap_or_default();
        let [after, _] = store.server.counted.statements();
        counts.push(after - before);
        let keys = leased.iter().map(|one| one.job.key.as_str());
        assert!(keys.clone().all(|key| key == "b"));
    }
    let left = store.claim(&claim(9)).await.unwrap_or_default();
    counts.push(left.len());
    counts
}

/// More of them than a claim has passes: they are met by the first claims and then no more, and those
/// behind them are all claimed.
#[test]
fn spaces_that_fail_cost_the_claims_after_them_nothing() {
    runtime().block_on(async {
        let alone = statements_beside_failing(0).await;
        let beside = statements_beside_failing(6).await;
        assert_eq!(beside[2..6], alone[2..6], "{beside:?}, alone {alone:?}");
        assert!(beside[0] > alone[0], "{beside:?}, alone {alone:?}");
        assert!(beside[6] <= 1, "claimed late: {beside:?}");
    });
}

/// Rows that nobody names are met beside them, and cut what is read.
#[test]
fn full_spaces_are_passed_over_with_all_their_turns() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "full", "a", NOW).await;
        let full = space_key("todo", "full");
        for n in 0..9 {
            put_turn_of_nobody(&store.server, &webhook(), (&full, NOW + n)).await;
        }
        // Of the part that those of the full one are in, too.
        for n in 0..30 {
            put(&store, &format!("other {n}"), "b", NOW + 20).await;
        }
        let mut beside = claim(1);
        beside.wanted[0].full = vec![full];
        let mut claimed = 0;
        while claimed < 30 {
            let leased = store.claim(&beside).await.unwrap();
            assert_eq!(leased.len(), 1, "after {claimed}");
            assert_eq!(leased[0].job.key.as_str(), "b");
            claimed += 1;
        }
        assert_eq!(store.claim(&beside).await, Ok(Vec::new()));
    });
}

/// A kind that has nothing but what fails leaves the next kind.
#[test]
fn a_kind_that_fails_leaves_another_to_be_claimed() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        put(&store, "ada", "a", NOW).await;
        damage(&store, "ada", "a").await;
        let space = Space::open_named(&store, "todo", "bob").await;
        let other = JobKind::trusted("other");
        let mut commit = space.draft(Vec::new());
        commit.jobs = vec![keep(Job {
            kind: other.clone(),
            ..job("b")
        })];
        assert_eq!(space.commit(commit).await, Ok(()));
        let mut both = claim(1);
        both.wanted.push(Wanted::of(other, 1));
        let leased = store.claim(&both).await.unwrap();
        assert_eq!(leased.len(), 1);
        assert_eq!(leased[0].job.key.as_str(), "b");
    });
}
