//! Dead jobs of a lane that are replayed: they were put before others.

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{Desk, LEASE_MS, claimed, finish, job, keep, keys, next, replace, webhook, why};
use crate::jobs::{JobState, Outcome};

/// A lane of which the first of these are dead, each since a millisecond later.
async fn died<'s>(store: &'s dyn WithJobs, dead: &[&str], lives: &[&str]) -> Desk<'s> {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&[dead, lives].concat()).await;
    for key in dead {
        let leased = claimed(store, 9, NOW).await;
        assert_eq!(keys(&leased), [*key]);
        let gone = Outcome::Dead { error: why() };
        assert_eq!(finish(store, &leased[0].lease, gone).await, Ok(()));
    }
    desk
}

/// The one that waits goes behind it.
pub async fn a_replayed_job_comes_before_those_that_wait(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2", "3"]).await;
    assert_eq!(store.replay(&desk.name("1"), NOW + 4).await, Ok(true));
    assert!(claimed(store, 9, NOW + 3).await.is_empty());
    assert_eq!(desk.drained(NOW + 4).await, ["1", "2", "3"]);
}

/// Who has a job keeps it, and is not overtaken.
pub async fn a_replayed_job_waits_for_the_one_that_is_leased(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2", "3"]).await;
    let second = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(store.replay(&desk.name("1"), NOW + 4).await, Ok(true));
    assert!(claimed(store, 9, NOW + 4).await.is_empty());
    let behind = desk.state("1").await;
    assert_eq!(behind, Some(JobState::Retry { at_ms: NOW + 4 }));
    desk.done(&second).await;
    assert_eq!(desk.drained(NOW + 4).await, ["1", "3"]);
}

/// Its old place is before it.
pub async fn what_is_tried_again_goes_behind_a_replayed_one(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2", "3"]).await;
    let second = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(store.replay(&desk.name("1"), NOW + 4).await, Ok(true));
    let at_ms = NOW + 70;
    let error = why();
    let retry = Outcome::Retry { at_ms, error };
    assert_eq!(finish(store, &second.lease, retry).await, Ok(()));
    assert_eq!(desk.drained(NOW + 4).await, ["1"]);
    assert_eq!(desk.state("2").await, Some(JobState::Retry { at_ms }));
    assert!(claimed(store, 9, NOW + 69).await.is_empty());
    assert_eq!(desk.drained(NOW + 70).await, ["2", "3"]);
}

/// The lease of the other one goes on until it ends, also past its time.
pub async fn a_replayed_job_waits_for_a_lease_that_ran_out(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2"]).await;
    claimed(store, 9, NOW).await;
    assert_eq!(store.replay(&desk.name("1"), NOW).await, Ok(true));
    let second = claimed(store, 9, NOW + LEASE_MS).await;
    assert_eq!(keys(&second), ["2"]);
    desk.done(&second[0]).await;
    assert_eq!(desk.drained(NOW + LEASE_MS).await, ["1"]);
}

/// There is nobody before or behind it.
pub async fn a_replayed_job_is_alone_in_its_lane(store: &dyn WithJobs) {
    let mut desk = died(store, &["1"], &[]).await;
    assert_eq!(store.replay(&desk.name("1"), NOW).await, Ok(true));
    desk.put_in_lane(&["2"]).await;
    assert_eq!(desk.drained(NOW).await, ["1", "2"]);
}

/// In the order in which they were put, with what has no lane beside them.
pub async fn all_dead_jobs_of_a_lane_are_replayed_in_order(store: &dyn WithJobs) {
    let mut desk = died(store, &["1", "2", "3"], &["4"]).await;
    desk.commit(vec![keep(job("none"))]).await;
    let waits = Outcome::Wait { at_ms: NOW + 9 };
    for one in claimed(store, 9, NOW).await {
        let outcome = match one.job.lane {
            Some(_) => waits.clone(),
            None => Outcome::Dead { error: why() },
        };
        assert_eq!(finish(store, &one.lease, outcome).await, Ok(()));
    }
    assert_eq!(store.replay_all(&webhook(), NOW, 9).await, Ok(4));
    let mut first = claimed(store, 9, NOW).await;
    first.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    assert_eq!(keys(&first), ["1", "none"]);
    for one in &first {
        desk.done(one).await;
    }
    assert_eq!(desk.drained(NOW).await, ["2", "3"]);
    assert_eq!(desk.drained(NOW + 9).await, ["4"]);
}

/// The first of them only, which is not the one that died first.
pub async fn a_dead_job_in_the_middle_of_a_lane_has_its_place(store: &dyn WithJobs) {
    let desk = died(store, &["1", "2"], &["3"]).await;
    assert_eq!(store.replay(&desk.name("2"), NOW).await, Ok(true));
    assert_eq!(store.replay(&desk.name("1"), NOW).await, Ok(true));
    assert_eq!(desk.drained(NOW).await, ["1", "2", "3"]);
}

/// It is a new one, at the end.
pub async fn a_dead_job_of_a_lane_is_replaced(store: &dyn WithJobs) {
    let mut desk = died(store, &["1"], &["2"]).await;
    desk.commit(vec![replace(next("1"))]).await;
    assert_eq!(desk.drained(NOW).await, ["2", "1"]);
}

/// Nobody waited for it.
pub async fn forgetting_the_dead_has_nobody_pass(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2", "3"]).await;
    let second = claimed(store, 9, NOW).await;
    assert_eq!(store.cancel(&desk.name("1")).await, Ok(true));
    assert_eq!(store.forget_dead(&webhook(), NOW + 9, 9).await, Ok(0));
    assert!(claimed(store, 9, NOW).await.is_empty());
    desk.done(&second[0]).await;
    assert_eq!(desk.drained(NOW).await, ["3"]);
}

/// What it did is known by the time it is for.
pub async fn what_was_tried_and_is_behind_is_snoozed_and_stays_the_same(store: &dyn WithJobs) {
    let desk = died(store, &["1"], &["2"]).await;
    let second = claimed(store, 9, NOW).await;
    assert_eq!(store.replay(&desk.name("1"), NOW).await, Ok(true));
    assert_eq!(store.snooze(&desk.name("1"), NOW + 50).await, Ok(true));
    let stored = desk.stored("1").await.expect("it is there");
    assert_eq!(stored.state, JobState::Retry { at_ms: NOW + 50 });
    assert_eq!(stored.job, next("1"));
    desk.done(&second[0]).await;
    assert!(claimed(store, 9, NOW + 49).await.is_empty());
    assert_eq!(desk.drained(NOW + 50).await, ["1"]);
}
