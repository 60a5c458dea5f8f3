//! How jobs end.

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{Desk, LEASE_MS, claimed, due, finish, job, keep, keys, replace, untried, why};
use crate::jobs::{Ended, JobState, LeaseLost, Outcome};

/// Nothing is left of it.
pub async fn a_done_job_is_gone_and_its_key_is_free(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Ok(()));
    assert_eq!(desk.stored("a").await, None);
    assert!(claimed(store, 9, NOW + 9 * LEASE_MS).await.is_empty());
    desk.commit(vec![keep(due("a", NOW + 7))]).await;
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 7))));
}

/// As it must be when the first answer was lost.
pub async fn a_finish_may_be_repeated(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let retry = || Outcome::Retry {
        at_ms: NOW + 50,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry()).await, Ok(()));
    let after = desk.stored("a").await;
    assert_eq!(finish(store, &lease, retry()).await, Err(LeaseLost));
    assert_eq!(desk.stored("a").await, after);
    let lease = claimed(store, 1, NOW + 50).await.remove(0).lease;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Ok(()));
    assert_eq!(finish(store, &lease, Outcome::Done).await, Err(LeaseLost));
}

/// What it is for and how often it was tried stays.
pub async fn a_retried_job_waits_for_its_time(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let at_ms = NOW + 50;
    let error = why();
    let retry = Outcome::Retry { at_ms, error };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.job, job("a"));
    assert_eq!(stored.state, JobState::Retry { at_ms });
    assert_eq!((stored.attempt, stored.error), (1, Some(why())));
    assert!(claimed(store, 9, at_ms - 1).await.is_empty());
    assert_eq!(claimed(store, 9, at_ms).await[0].attempt, 2);
}

/// Sooner than its lease would have ended.
pub async fn a_retry_may_come_at_once(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let retry = Outcome::Retry {
        at_ms: NOW,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    assert_eq!(keys(&claimed(store, 9, NOW).await), ["a"]);
}

/// Its key was never free, so whoever puts it meanwhile changes nothing.
pub async fn a_job_that_is_due_again_begins_anew(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let due_at_ms = NOW + 60;
    let again = Outcome::Again { due_at_ms };
    assert_eq!(finish(store, &lease, again).await, Ok(()));
    assert_eq!(desk.stored("a").await, Some(untried(due("a", due_at_ms))));
    desk.put(&["a"]).await;
    assert!(claimed(store, 9, due_at_ms - 1).await.is_empty());
    let next = claimed(store, 9, due_at_ms).await.remove(0);
    assert_eq!((next.attempt, next.job), (1, due("a", due_at_ms)));
}

/// Nobody tries it again.
pub async fn a_dead_job_is_kept_and_not_claimed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("a", NOW + 3).await;
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.state, JobState::Dead { at_ms: NOW + 3 });
    assert_eq!((stored.attempt, stored.error), (1, Some(why())));
    assert!(claimed(store, 9, NOW + 9 * LEASE_MS).await.is_empty());
}

/// What kills whoever does it does not begin again because it is put again.
pub async fn a_dead_job_holds_its_key(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("a", NOW).await;
    desk.put(&["a"]).await;
    assert_eq!(desk.state("a").await, Some(JobState::Dead { at_ms: NOW }));
    assert!(claimed(store, 9, NOW).await.is_empty());
}

/// It is another one.
pub async fn a_dead_job_is_replaced(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("a", NOW).await;
    desk.commit(vec![replace(job("a"))]).await;
    assert_eq!(desk.stored("a").await, Some(untried(job("a"))));
    assert_eq!(claimed(store, 9, NOW).await[0].attempt, 1);
    assert_eq!(store.dead_jobs(&job("a").kind, None, 9).await, Ok(vec![]));
}

/// Each by itself, in the order asked.
pub async fn many_are_finished_in_one_call(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let mut other = Desk::open_named(store, "bob").await;
    desk.put(&["a", "b", "c"]).await;
    other.put(&["d"]).await;
    let mut leased = claimed(store, 1, NOW).await;
    while leased.len() < 4 {
        leased.extend(claimed(store, 9, NOW).await);
    }
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    let outcomes = [
        Outcome::Done,
        Outcome::Dead { error: why() },
        Outcome::Again { due_at_ms: 5 },
        Outcome::Retry {
            at_ms: NOW + 8,
            error: why(),
        },
    ];
    let mut ended: Vec<Ended> = Vec::new();
    for (one, outcome) in leased.iter().zip(outcomes) {
        let lease = one.lease.clone();
        ended.push(Ended { lease, outcome });
    }
    ended[1].lease.number += 1;
    let answers = store.finish(&ended, NOW).await;
    assert_eq!(
        answers,
        Ok(vec![Ok(()), Err(LeaseLost.into()), Ok(()), Ok(())])
    );
    assert_eq!(desk.stored("a").await, None);
    let holder = super::desk::claim(1, NOW).holder;
    let until_ms = NOW + LEASE_MS;
    let leased = JobState::Leased { until_ms, holder };
    assert_eq!(desk.state("b").await, Some(leased));
    assert_eq!(desk.stored("c").await, Some(untried(due("c", 5))));
    let retry = JobState::Retry { at_ms: NOW + 8 };
    assert_eq!(other.state("d").await, Some(retry));
}

/// There is nothing to do.
pub async fn an_empty_call_has_no_answers(store: &dyn WithJobs) {
    assert_eq!(store.finish(&[], NOW).await, Ok(vec![]));
    assert_eq!(store.extend(&[], NOW).await, Ok(vec![]));
}
