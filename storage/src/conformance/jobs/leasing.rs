//! Who has a job, and for how long.

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, cancel, claim, claimed, due, finish, job, keep, keys, of_kind, replace,
    untried, webhook,
};
use crate::jobs::{JobState, LeaseLost, Outcome, Wanted};

/// Not a millisecond early.
pub async fn a_job_is_claimed_once_it_is_due(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(due("a", NOW + 5))]).await;
    assert!(claimed(store, 9, NOW + 4).await.is_empty());
    assert_eq!(keys(&claimed(store, 9, NOW + 5).await), ["a"]);
}

/// What the claimer gets is what the store has.
pub async fn a_lease_says_whose_it_is_and_until_when(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let leased = desk.leased("a").await;
    assert_eq!(leased.lease.name, desk.name("a"));
    assert_eq!(leased.job, job("a"));
    assert_eq!((leased.attempt, leased.until_ms), (1, NOW + LEASE_MS));
    let stored = desk.stored("a").await.expect("it is there");
    let holder = claim(1, NOW).holder;
    let until_ms = leased.until_ms;
    assert_eq!(stored.state, JobState::Leased { until_ms, holder });
    assert_eq!(stored.attempt, 1);
}

/// As long as its lease lasts.
pub async fn a_leased_job_is_not_claimed_again(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.leased("a").await;
    assert!(claimed(store, 9, NOW).await.is_empty());
    assert!(claimed(store, 9, NOW + LEASE_MS - 1).await.is_empty());
}

/// Its worker is gone, or too slow. Its next try is another one, with a greater token.
pub async fn a_lease_that_runs_out_is_claimed_again(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = desk.leased("a").await;
    let second = claimed(store, 9, NOW + LEASE_MS).await.remove(0);
    assert_eq!(second.job, first.job);
    assert_eq!(second.attempt, 2);
    let token = |lease: &crate::jobs::Lease| (lease.no, lease.number);
    assert!(token(&second.lease) > token(&first.lease));
}

/// It says how a try ended if one did: what was tried and never failed may be what ends its workers.
pub async fn a_lease_says_whether_a_try_has_failed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    assert!(!desk.leased("a").await.has_failed);
    let ran_out = claimed(store, 9, NOW + LEASE_MS).await.remove(0);
    assert_eq!((ran_out.attempt, ran_out.has_failed), (2, false));
    let at_ms = NOW + LEASE_MS;
    let error = super::desk::why();
    let retry = Outcome::Retry { at_ms, error };
    assert_eq!(finish(store, &ran_out.lease, retry).await, Ok(()));
    let failed = claimed(store, 9, at_ms).await.remove(0);
    assert_eq!((failed.attempt, failed.has_failed), (3, true));
}

/// Inside a space, by when they may be done.
pub async fn the_longest_due_come_first(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let jobs = [("c", 7), ("a", 9), ("b", 8), ("d", 6)];
    let moves = jobs.map(|(key, ago)| keep(due(key, NOW - ago)));
    desk.commit(moves.to_vec()).await;
    assert_eq!(keys(&claimed(store, 2, NOW).await), ["a", "b"]);
    assert_eq!(keys(&claimed(store, 2, NOW).await), ["c", "d"]);
}

/// The rest waits for the next claim.
pub async fn no_more_is_claimed_than_wanted(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_many(10).await;
    assert_eq!(claimed(store, 4, NOW).await.len(), 4);
    assert_eq!(claimed(store, 0, NOW).await.len(), 0);
    assert_eq!(claimed(store, 9, NOW).await.len(), 6);
}

/// Of each as many as there is room for.
pub async fn a_claim_asks_of_each_kind_by_itself(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_many(5).await;
    let mails = ["a", "b", "c"].map(|key| keep(of_kind("mail", key)));
    desk.commit(mails.to_vec()).await;
    desk.commit(vec![keep(of_kind("other", "a"))]).await;
    let mail = of_kind("mail", "a").kind;
    let mut both = claim(2, NOW);
    both.wanted.push(Wanted::of(mail.clone(), 9));
    let leased = store.claim(&both).await.expect("the store answers");
    let of = |kind| leased.iter().filter(|one| one.job.kind == kind).count();
    assert_eq!((of(webhook()), of(mail), leased.len()), (2, 3, 5));
}

/// By who holds it.
pub async fn an_extended_lease_lasts(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let until_ms = NOW + 3 * LEASE_MS;
    let extended = store.extend(&[lease], until_ms).await;
    assert_eq!(extended, Ok(vec![Ok(())]));
    assert!(claimed(store, 9, until_ms - 1).await.is_empty());
    assert_eq!(keys(&claimed(store, 9, until_ms).await), ["a"]);
}

/// Others of the same call do not suffer.
pub async fn a_lost_lease_is_not_extended(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lost = desk.leased("a").await.lease;
    let again = claimed(store, 9, NOW + LEASE_MS).await.remove(0).lease;
    let until_ms = NOW + 9 * LEASE_MS;
    let extended = store.extend(&[lost, again], until_ms).await;
    assert_eq!(extended, Ok(vec![Err(LeaseLost.into()), Ok(())]));
}

/// Whoever was replaced must not end what came after it.
pub async fn who_lost_a_lease_cannot_finish(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lost = desk.leased("a").await.lease;
    let again = claimed(store, 9, NOW + LEASE_MS).await.remove(0);
    let why = super::desk::why();
    for outcome in [
        Outcome::Done,
        Outcome::Dead { error: why.clone() },
        Outcome::Again { due_at_ms: 1 },
        Outcome::Wait { at_ms: 1 },
        Outcome::Retry {
            at_ms: 1,
            error: why,
        },
    ] {
        assert_eq!(finish(store, &lost, outcome).await, Err(LeaseLost));
    }
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!((stored.attempt, stored.error), (again.attempt, None));
    assert_eq!(finish(store, &again.lease, Outcome::Done).await, Ok(()));
}

/// Nobody else began it.
pub async fn a_late_finish_counts_while_nobody_else_has_the_job(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let ended = crate::jobs::Ended {
        lease,
        outcome: Outcome::Done,
    };
    let answers = store.finish(&[ended], NOW + 9 * LEASE_MS).await;
    assert_eq!(answers, Ok(vec![Ok(())]));
    assert_eq!(desk.stored("a").await, None);
}

/// What it was about is no longer what is to be done.
pub async fn replacing_a_job_ends_its_lease(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    desk.commit(vec![replace(due("a", NOW + 7))]).await;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Err(LeaseLost));
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 7))));
}

/// Who has it does it on.
pub async fn keeping_a_leased_job_leaves_its_lease(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    desk.commit(vec![keep(due("a", NOW + 7))]).await;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Ok(()));
    assert_eq!(desk.stored("a").await, None);
}

/// It finds out at its end.
pub async fn cancelling_a_job_ends_its_lease(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    desk.commit(vec![cancel("a")]).await;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Err(LeaseLost));
}

/// Nothing of it may come back.
pub async fn erasing_a_space_ends_its_leases(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    store.erase(&desk.space.key, NOW).await.expect("it goes");
    let outcome = Outcome::Again { due_at_ms: NOW };
    assert_eq!(finish(store, &lease, outcome).await, Err(LeaseLost));
    assert_eq!(desk.stored("a").await, None);
}

/// Although everything about it is the same.
pub async fn a_lease_is_of_the_job_and_not_of_its_name(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = desk.leased("a").await.lease;
    assert_eq!(finish(store, &first, Outcome::Done).await, Ok(()));
    let second = desk.leased("a").await.lease;
    assert!((second.no, second.number) > (first.no, first.number));
    assert_eq!(finish(store, &first, Outcome::Done).await, Err(LeaseLost));
    assert_eq!(finish(store, &second, Outcome::Done).await, Ok(()));
}
