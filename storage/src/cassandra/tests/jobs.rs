//! Jobs where the engine has ways of its own: what was removed, and rows that nobody names.

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;

use super::super::jobs::put_turn_of_nobody;
use super::{CassandraStore, opened, runtime};
use crate::JobStore;
use crate::conformance::jobs::desk::{cancel, job, keep, webhook};
use crate::conformance::space::{NOW, Space, space_key};
use crate::jobs::{Claim, Ended, Job, JobError, JobKey, JobLane, LeasedJob, Outcome, Wanted};

fn claim(now_ms: WallMs) -> Claim {
    let kind = webhook();
    Claim {
        wanted: vec![Wanted { kind, jobs: 100 }],
        holder: NodeId::trusted("n1"),
        now_ms,
        lease_ms: 30_000,
        per_space: 100,
    }
}

/// Puts a hundred jobs, all of one lane if one is named, and leases those that can be claimed.
async fn leased(store: &CassandraStore, lane: Option<&str>, round: u64) -> Vec<LeasedJob> {
    let space = Space::open(store).await;
    let mut commit = space.draft(Vec::new());
    commit.now_ms = NOW + round;
    let put = |n: u64| {
        keep(Job {
            key: JobKey::trusted(&format!("{round}/{n}")),
            lane: lane.map(JobLane::trusted),
            due_at_ms: NOW + round,
            ..job("")
        })
    };
    commit.jobs = (0..100).map(put).collect();
    assert_eq!(space.commit(commit).await, Ok(()));
    let leased = store.claim(&claim(NOW + round)).await.unwrap();
    let expected = if lane.is_some() { 1 } else { 100 };
    assert_eq!(leased.len(), expected, "round {round}");
    leased
}

async fn finish(store: &CassandraStore, leased: &[LeasedJob], outcome: Outcome) {
    let ended = leased.iter().map(|one| Ended {
        lease: one.lease.clone(),
        outcome: outcome.clone(),
    });
    let ended: Vec<Ended> = ended.collect();
    let answers = store.finish(&ended, NOW).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

/// More than the server steps over in one read: what is claimed takes what is before it along.
#[test]
fn jobs_are_claimed_past_more_that_were_done_than_the_server_steps_over() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        for round in 0..25 {
            // Leases of before are over, so that their places are among those that are read.
            let leased = leased(&store, None, round * 40_000).await;
            finish(&store, &leased, Outcome::Done).await;
        }
        assert_eq!(
            store.next_due(&[webhook()]).await.map(|at| at.is_some()),
            Ok(true)
        );
        assert_eq!(store.claim(&claim(NOW + 9_000_000)).await, Ok(Vec::new()));
        assert_eq!(store.next_due(&[webhook()]).await, Ok(None));
    });
}

#[test]
fn a_lane_is_looked_at_past_more_that_were_done_than_the_server_steps_over() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        for round in 0..25 {
            let round = round * 40_000;
            let first = leased(&store, Some("a record"), round).await;
            let space = Space::open(&store).await;
            let mut commit = space.draft(Vec::new());
            let keys = (1..99).map(|n| format!("{round}/{n}"));
            commit.jobs = keys.map(|key| cancel(&key)).collect();
            assert_eq!(space.commit(commit).await, Ok(()));
            finish(&store, &first, Outcome::Done).await;
            let last = store.claim(&claim(NOW + round)).await.unwrap();
            assert_eq!(last.len(), 1, "round {round}");
            finish(&store, &last, Outcome::Done).await;
        }
    });
}

/// Its writer ended before it wrote what the row is of.
#[test]
fn a_turn_that_nobody_named_is_met_once() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let space = Space::open(&store).await;
        let mut commit = space.draft(Vec::new());
        commit.jobs = vec![keep(job("later"))];
        commit.now_ms = NOW + 500;
        assert_eq!(space.commit(commit).await, Ok(()));
        for name in ["ada", "never there"] {
            let nobody = space_key("todo", name);
            put_turn_of_nobody(&store.server, &webhook(), (&nobody, NOW)).await;
        }
        let none = Claim {
            now_ms: NOW - 1,
            ..claim(NOW)
        };
        assert_eq!(store.claim(&none).await, Ok(Vec::new()));
        let found = store.claim(&claim(NOW + 500)).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(store.claim(&claim(NOW + 500)).await, Ok(Vec::new()));
        let next = store.next_due(&[webhook()]).await;
        assert_eq!(next, Ok(Some(found[0].until_ms)));
    });
}

/// Its job was replayed by who ended before the row went.
#[test]
fn a_dead_job_that_is_not_dead_is_not_told_and_is_forgotten() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let leased = leased(&store, None, 0).await;
        let error = JobError::new("no");
        finish(&store, &leased[..1], Outcome::Dead { error }).await;
        let stale = format!(
            "INSERT INTO KS.dead(kind, at, no, app, space, key)
            VALUES('webhook', {}, {}, 'todo', 'ada', '{}')",
            NOW - 5,
            leased[1].lease.no.0,
            leased[1].job.key
        );
        store.server.raw(&stale).await;
        let told = store.dead_jobs(&webhook(), None, 9).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].stored.job.key, leased[0].job.key);
        assert_eq!(store.forget_dead(&webhook(), NOW, 9).await, Ok(0));
        let counts = store.job_counts(&[webhook()]).await.unwrap();
        assert_eq!((counts[0].dead, counts[0].leased), (1, 99));
    });
}

/// Whoever met its turn too early has written since.
#[test]
fn a_job_whose_turn_went_before_it_came_is_put_with_another() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let space = Space::open(&store).await;
        let mut commit = space.draft(Vec::new());
        commit.jobs = vec![keep(job("a"))];
        let met = async || {
            let claimed = other.claim(&claim(NOW)).await;
            assert_eq!(claimed, Ok(Vec::new()), "it is not there yet");
        };
        let put = super::super::commit::held_before_its_batch(&store.server, &commit, met).await;
        assert_eq!(put, Ok(()));
        assert_eq!(store.claim(&claim(NOW)).await.unwrap().len(), 1);
    });
}
