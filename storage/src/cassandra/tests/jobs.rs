//! Jobs where the engine has ways of its own: what was removed, and rows that nobody names.

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;

use super::super::interlude::Step;
use super::super::jobs::put_turn_of_nobody;
use super::{CassandraStore, opened, runtime};
use crate::JobStore;
use crate::conformance::jobs::desk::{cancel, job, keep, webhook};
use crate::conformance::space::{NOW, Space, space_key};
use crate::jobs::{Claim, Ended, Job, JobError, JobKey, JobLane, LeasedJob, Outcome, Wanted};

fn claim(now_ms: WallMs) -> Claim {
    let kind = webhook();
    Claim {
        wanted: vec![Wanted::of(kind, 100)],
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
        let met = move || async move {
            let claimed = other.claim(&claim(NOW)).await;
            assert_eq!(claimed, Ok(Vec::new()), "it is not there yet");
        };
        store.server.interludes.once(Step::PlanAndCommit, met);
        assert_eq!(space.commit(commit).await, Ok(()));
        assert_eq!(store.claim(&claim(NOW)).await.unwrap().len(), 1);
    });
}

/// It looked at what is due before the job came, and at the queue after.
#[test]
fn a_job_that_comes_while_a_claim_finds_none_is_claimed() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let one = leased(&store, None, 0).await;
        finish(&store, &one, Outcome::Done).await;
        let later = one[0].until_ms;
        store
            .server
            .interludes
            .once(Step::OrderAndLook, move || async move {
                let space = Space::open(&other).await;
                let mut commit = space.draft(Vec::new());
                commit.jobs = vec![keep(job("late"))];
                commit.now_ms = later;
                assert_eq!(space.commit(commit).await, Ok(()));
            });
        let mut found = store.claim(&claim(later)).await.unwrap();
        found.extend(store.claim(&claim(later + 1)).await.unwrap());
        let keys: Vec<_> = found.iter().map(|one| one.job.key.as_str()).collect();
        assert_eq!(keys, ["late"]);
    });
}

/// Microseconds, long after this.
const AHEAD_US: u64 = 4_102_444_800_000_000;

const DEAD_ROWS: &str = "SELECT at, no, id FROM KS.dead_jobs WHERE kind = 'webhook'";

/// Times of what is beside the space are the servers'.
#[test]
fn a_job_that_dies_in_a_second_try_is_told_whatever_clock_removed_the_firsts_row() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let (here, other) = (store.clone(), lent.other().await);
        let leased = leased(&store, None, 0).await;
        store
            .server
            .interludes
            .once(Step::PlanAndBatch, move || async move {
                for row in here.server.raw_rows(DEAD_ROWS).await {
                    let removal = format!(
                        "DELETE FROM KS.dead_jobs USING TIMESTAMP {AHEAD_US}
                    WHERE kind = 'webhook' AND at = {} AND no = {} AND id = {}",
                        row[0], row[1], row[2]
                    );
                    here.server.raw(&removal).await;
                }
                Space::open(&other).await.put(&[("t", "meanwhile")]).await;
            });
        let error = JobError::new("no");
        finish(&store, &leased[..1], Outcome::Dead { error }).await;
        let told = store.dead_jobs(&webhook(), None, 9).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(store.job_counts(&[webhook()]).await.unwrap()[0].dead, 1);
        assert_eq!(store.replay_all(&webhook(), NOW + 9, 9).await, Ok(1));
        assert!(store.server.raw_rows(DEAD_ROWS).await.is_empty());
    });
}

/// Its row has no id, and it names none.
#[test]
fn a_job_that_died_before_rows_had_ids_is_told_and_forgotten() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let leased = leased(&store, None, 0).await;
        let error = JobError::new("no");
        finish(&store, &leased[..2], Outcome::Dead { error }).await;
        let key = leased[0].job.key.as_str();
        let no = leased[0].lease.no.0;
        for statement in [
            format!(
                "UPDATE KS.spaces SET hint = null WHERE app = 'todo' AND space = 'ada'
                AND kind = 8 AND n = 0 AND a = 'webhook' AND b = '{key}' IF EXISTS"
            ),
            format!("DELETE FROM KS.dead_jobs WHERE kind = 'webhook' AND at = {NOW} AND no = {no}"),
            format!(
                "INSERT INTO KS.dead(kind, at, no, app, space, key)
                VALUES('webhook', {NOW}, {no}, 'todo', 'ada', '{key}')"
            ),
        ] {
            store.server.raw(&statement).await;
        }
        let mut told = Vec::new();
        for limit in [1, 2] {
            told.push(
                store
                    .dead_jobs(&webhook(), None, limit)
                    .await
                    .unwrap()
                    .len(),
            );
        }
        assert_eq!(told, [1, 2]);
        assert_eq!(store.forget_dead(&webhook(), NOW + 1, 9).await, Ok(2));
        let left = "SELECT at, no FROM KS.dead WHERE kind = 'webhook'";
        assert!(store.server.raw_rows(left).await.is_empty());
        assert!(store.server.raw_rows(DEAD_ROWS).await.is_empty());
    });
}

/// What names a space and a job of it does not stay.
#[test]
fn an_erasure_takes_the_rows_of_the_dead_along() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let leased = leased(&store, None, 0).await;
        let error = JobError::new("no");
        finish(&store, &leased[..3], Outcome::Dead { error }).await;
        assert_eq!(store.server.raw_rows(DEAD_ROWS).await.len(), 3);
        let erased = crate::Store::erase(&store, &space_key("todo", "ada"), NOW).await;
        assert_eq!(erased.map(|held| held.jobs), Ok(100));
        assert!(store.server.raw_rows(DEAD_ROWS).await.is_empty());
    });
}
