//! Jobs that are done one after the other.

use syncline_protocol::stamp::WallMs;

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, cancel, claimed, due, finish, job, keep, keys, of_kind, replace, why,
};
use crate::jobs::{Ahead, Job, JobLane, JobState, Lease, LeaseLost, LeasedJob, Outcome};

fn in_lane(lane: &str, job: Job) -> Job {
    let lane = Some(JobLane::trusted(lane));
    Job { lane, ..job }
}

/// One of the lane that most behaviours use.
fn next(key: &str) -> Job {
    in_lane("a record", job(key))
}

async fn ahead(store: &dyn WithJobs, of: &LeasedJob) -> Option<WallMs> {
    asked(store, of).await.expect("its lease is held")
}

async fn asked(store: &dyn WithJobs, of: &LeasedJob) -> Ahead {
    store.ahead(&of.lease).await.expect("the store answers")
}

/// All that are due, by key.
async fn all(store: &dyn WithJobs, jobs: usize) -> Vec<LeasedJob> {
    let mut leased = Vec::new();
    while leased.len() < jobs {
        let more = claimed(store, jobs, NOW).await;
        assert!(!more.is_empty(), "only {:?}", keys(&leased));
        leased.extend(more);
    }
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    leased
}

async fn done(store: &dyn WithJobs, lease: &Lease) {
    assert_eq!(finish(store, lease, Outcome::Done).await, Ok(()));
}

/// Until nothing of it is left, whatever became due first.
pub async fn a_job_waits_for_the_one_before_it_in_its_lane(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = in_lane("a record", due("first", NOW + 5));
    desk.commit(vec![keep(first)]).await;
    desk.commit(vec![keep(next("second"))]).await;
    let second = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(second.job, next("second"));
    assert_eq!(ahead(store, &second).await, Some(NOW + 5));
    let first = claimed(store, 9, NOW + 5).await.remove(0);
    assert_eq!(ahead(store, &first).await, None);
    assert_eq!(ahead(store, &second).await, Some(NOW + 5 + LEASE_MS));
    let at_ms = NOW + 70;
    let error = why();
    let retry = Outcome::Retry { at_ms, error };
    assert_eq!(finish(store, &first.lease, retry).await, Ok(()));
    assert_eq!(ahead(store, &second).await, Some(NOW + 70));
    assert_eq!(store.cancel(&desk.name("first")).await, Ok(true));
    assert_eq!(ahead(store, &second).await, None);
}

/// A space, a kind and a lane, or no lane.
pub async fn other_lanes_hold_nobody_up(store: &dyn WithJobs) {
    let mut ada = Desk::open_named(store, "ada").await;
    let mut bob = Desk::open_named(store, "bob").await;
    bob.commit(vec![keep(next("space"))]).await;
    let others = [
        in_lane("a record", of_kind("mail", "kind")),
        in_lane("another record", job("lane")),
        job("none"),
        job("none too"),
    ];
    ada.commit(others.map(keep).to_vec()).await;
    ada.commit(vec![keep(next("mine"))]).await;
    let leased = all(store, 5).await;
    assert_eq!(keys(&leased), ["lane", "mine", "none", "none too", "space"]);
    for one in &leased {
        assert_eq!(ahead(store, one).await, None, "{}", one.job.key);
    }
}

/// In the order of the moves, whatever their names and whether they were there before.
pub async fn jobs_of_one_commit_are_in_the_order_of_its_moves(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("b"))]).await;
    let moves = vec![keep(next("c")), keep(next("a")), replace(next("b"))];
    desk.commit(moves).await;
    let leased = all(store, 3).await;
    let [a, b, c] = &leased[..] else {
        panic!("{:?}", keys(&leased));
    };
    assert!(c.lease.no < a.lease.no && a.lease.no < b.lease.no);
    let until_ms = Some(NOW + LEASE_MS);
    assert_eq!(ahead(store, c).await, None);
    assert_eq!(ahead(store, a).await, until_ms);
    assert_eq!(ahead(store, b).await, until_ms);
    done(store, &c.lease).await;
    assert_eq!(ahead(store, a).await, None);
    assert_eq!(ahead(store, b).await, until_ms);
}

/// Of what is kept, cancelled and put once more, too.
pub async fn numbers_grow_in_the_order_of_commits(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("a"))]).await;
    for n in 0..5 {
        desk.commit(vec![keep(next(&format!("b{n}")))]).await;
    }
    desk.commit(vec![keep(next("b0")), cancel("b1")]).await;
    desk.commit(vec![keep(next("b1"))]).await;
    desk.commit(vec![cancel("b2"), keep(next("b2"))]).await;
    let mut leased = all(store, 6).await;
    leased.sort_by_key(|one| one.lease.no);
    assert_eq!(keys(&leased), ["a", "b0", "b3", "b4", "b1", "b2"]);
}

/// Nor does who comes after them wait for ever.
pub async fn dead_jobs_hold_nobody_up(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("1")), keep(next("2"))]).await;
    let leased = all(store, 2).await;
    let dead = Outcome::Dead { error: why() };
    assert_eq!(finish(store, &leased[0].lease, dead).await, Ok(()));
    assert_eq!(ahead(store, &leased[1]).await, None);
}

/// It was put before the others.
pub async fn a_replayed_job_has_its_old_place(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("1")), keep(next("2"))]).await;
    let leased = all(store, 2).await;
    let dead = Outcome::Dead { error: why() };
    assert_eq!(finish(store, &leased[0].lease, dead).await, Ok(()));
    assert_eq!(store.replay(&desk.name("1"), NOW + 4).await, Ok(true));
    assert_eq!(ahead(store, &leased[1]).await, Some(NOW + 4));
    let replayed = claimed(store, 9, NOW + 4).await.remove(0);
    assert_eq!(replayed.lease.no, leased[0].lease.no);
    assert_eq!(ahead(store, &replayed).await, None);
}

/// What it was about before is no longer to be done.
pub async fn a_replaced_job_goes_to_the_end_of_its_lane(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("1")), keep(next("2"))]).await;
    let lost = all(store, 2).await.remove(0);
    desk.commit(vec![replace(next("1"))]).await;
    let anew = claimed(store, 9, NOW).await.remove(0);
    assert!(anew.lease.no > lost.lease.no);
    assert_eq!(ahead(store, &anew).await, Some(NOW + LEASE_MS));
    desk.commit(vec![replace(next("2"))]).await;
    assert_eq!(ahead(store, &anew).await, None);
    let last = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(ahead(store, &last).await, Some(NOW + LEASE_MS));
}

/// It did what it had to this time.
pub async fn a_job_that_is_due_again_lets_others_pass(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("1")), keep(next("2"))]).await;
    let leased = all(store, 2).await;
    let again = Outcome::Again { due_at_ms: NOW };
    assert_eq!(finish(store, &leased[0].lease, again).await, Ok(()));
    assert_eq!(ahead(store, &leased[1]).await, None);
    let again = claimed(store, 9, NOW).await.remove(0);
    assert!(again.lease.no > leased[1].lease.no);
    assert_eq!(ahead(store, &again).await, Some(NOW + LEASE_MS));
}

/// Whoever has it now asks for itself.
pub async fn who_lost_a_lease_is_told_so_and_not_what_is_ahead(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = in_lane("a record", due("1", NOW + 90 * LEASE_MS));
    desk.commit(vec![keep(first), keep(next("2"))]).await;
    let lost = claimed(store, 9, NOW).await.remove(0);
    let again = claimed(store, 9, NOW + LEASE_MS).await.remove(0);
    assert_eq!(asked(store, &lost).await, Err(LeaseLost));
    assert!(ahead(store, &again).await.is_some());
    done(store, &again.lease).await;
    assert_eq!(asked(store, &again).await, Err(LeaseLost));
}

/// It never began.
pub async fn a_job_given_back_has_not_been_tried(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let leased = desk.leased("a").await;
    let wait = Outcome::Wait { at_ms: NOW + 50 };
    assert_eq!(finish(store, &leased.lease, wait.clone()).await, Ok(()));
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.state, JobState::Scheduled);
    assert_eq!((stored.attempt, stored.error), (0, None));
    assert_eq!(stored.job, job("a"), "what it is for stays");
    assert!(claimed(store, 9, NOW + 49).await.is_empty());
    let next_ms = store.next_due(&[job("a").kind]).await;
    assert!(next_ms.is_ok_and(|next_ms| next_ms.is_some_and(|at_ms| at_ms <= NOW + 50)));
    let again = claimed(store, 9, NOW + 50).await.remove(0);
    assert_eq!(again.attempt, 1);
    assert!(again.lease.number > leased.lease.number);
    assert_eq!(again.lease.no, leased.lease.no);
}

/// Its tries before count on.
pub async fn a_retried_job_given_back_waits_for_its_next_try(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let at_ms = NOW;
    let error = why();
    let retry = Outcome::Retry { at_ms, error };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    let leased = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(leased.attempt, 2);
    let wait = Outcome::Wait { at_ms: NOW + 50 };
    assert_eq!(finish(store, &leased.lease, wait).await, Ok(()));
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.state, JobState::Retry { at_ms: NOW + 50 });
    assert_eq!((stored.attempt, stored.error), (1, Some(why())));
    assert!(claimed(store, 9, NOW + 49).await.is_empty());
    assert_eq!(claimed(store, 9, NOW + 50).await[0].attempt, 2);
}
