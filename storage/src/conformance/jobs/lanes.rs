//! Jobs that are done one after the other: which of a lane can be claimed.

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, cancel, claimed, due, finish, in_lane, job, keep, keys, next, of_kind, replace,
    untried, webhook, why,
};
use crate::jobs::{JobCounts, JobState, Outcome};

/// However many are due.
pub async fn of_a_lane_one_is_claimed_at_a_time(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2", "3"]).await;
    for key in ["1", "2", "3"] {
        let leased = claimed(store, 9, NOW).await;
        assert_eq!(keys(&leased), [key]);
        assert!(claimed(store, 9, NOW).await.is_empty());
        desk.done(&leased[0]).await;
    }
    assert!(claimed(store, 9, NOW + 9 * LEASE_MS).await.is_empty());
}

/// Whatever became due first.
pub async fn a_job_waits_for_the_one_before_it_in_its_lane(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = in_lane("a record", due("first", NOW + 5));
    desk.commit(vec![keep(first)]).await;
    desk.commit(vec![keep(next("second"))]).await;
    assert!(claimed(store, 9, NOW + 4).await.is_empty());
    let first = claimed(store, 9, NOW + 5).await;
    assert_eq!(keys(&first), ["first"]);
    assert!(claimed(store, 9, NOW + 5).await.is_empty());
    desk.done(&first[0]).await;
    assert_eq!(keys(&claimed(store, 9, NOW + 5).await), ["second"]);
}

/// It is not due by being the first.
pub async fn the_next_of_a_lane_waits_for_its_own_time(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let second = in_lane("a record", due("second", NOW + 50));
    desk.commit(vec![keep(next("first")), keep(second)]).await;
    desk.done(&claimed(store, 9, NOW).await[0]).await;
    assert!(claimed(store, 9, NOW + 49).await.is_empty());
    assert_eq!(keys(&claimed(store, 9, NOW + 50).await), ["second"]);
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
    let mut leased = Vec::new();
    while leased.len() < 5 {
        let more = claimed(store, 9, NOW).await;
        assert!(!more.is_empty(), "only {:?}", keys(&leased));
        leased.extend(more);
    }
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    assert_eq!(keys(&leased), ["lane", "mine", "none", "none too", "space"]);
}

/// Whoever has it is late, and it may have been done: it is tried again before those behind it.
pub async fn a_lease_that_runs_out_holds_its_lane_up(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2"]).await;
    claimed(store, 9, NOW).await;
    let again = claimed(store, 9, NOW + LEASE_MS).await;
    assert_eq!(keys(&again), ["1"]);
    assert_eq!(again[0].attempt, 2);
    assert!(claimed(store, 9, NOW + LEASE_MS).await.is_empty());
    desk.done(&again[0]).await;
    assert_eq!(keys(&claimed(store, 9, NOW + LEASE_MS).await), ["2"]);
}

/// In the order of the moves, whatever their names and whether they were there before.
pub async fn jobs_of_one_commit_are_in_the_order_of_its_moves(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("b"))]).await;
    let moves = vec![keep(next("c")), keep(next("a")), replace(next("b"))];
    desk.commit(moves).await;
    assert_eq!(desk.drained(NOW).await, ["c", "a", "b"]);
}

/// Of what is kept, cancelled and put once more, too.
pub async fn lanes_go_in_the_order_of_commits(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(next("a"))]).await;
    for n in 0..5 {
        desk.commit(vec![keep(next(&format!("b{n}")))]).await;
    }
    desk.commit(vec![keep(next("b0")), cancel("b1")]).await;
    desk.commit(vec![keep(next("b1"))]).await;
    desk.commit(vec![cancel("b2"), keep(next("b2"))]).await;
    let order = ["a", "b0", "b3", "b4", "b1", "b2"];
    assert_eq!(desk.drained(NOW).await, order);
}

/// Of several lanes each by itself, whose jobs come mixed.
pub async fn lanes_of_one_commit_go_beside_each_other(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let put = |lane: &str, key: &str| keep(in_lane(lane, job(key)));
    let moves = vec![
        put("l", "l1"),
        put("m", "m1"),
        put("l", "l2"),
        keep(job("none")),
    ];
    desk.commit(moves).await;
    desk.commit(vec![put("m", "m2"), put("n", "n1"), put("m", "m3")])
        .await;
    let mut rounds = Vec::new();
    loop {
        let mut leased = claimed(store, 9, NOW).await;
        if leased.is_empty() {
            break;
        }
        leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
        for one in &leased {
            desk.done(one).await;
        }
        rounds.push(keys(&leased).join(" "));
    }
    assert_eq!(rounds, ["l1 m1 n1 none", "l2 m2", "m3"]);
}

/// As one that waits for its time does.
pub async fn what_is_behind_is_seen_as_scheduled(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2", "3"]).await;
    claimed(store, 9, NOW).await;
    assert_eq!(desk.stored("2").await, Some(untried(next("2"))));
    let counts = store.job_counts(&[webhook()]).await;
    let expected = JobCounts {
        scheduled: 2,
        leased: 1,
        ..JobCounts::default()
    };
    assert_eq!(counts, Ok(vec![expected]));
}

/// Claims cost what they lease: as many as there are jobs, and one that finds none.
pub async fn a_long_lane_is_drained_by_a_claim_a_job(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let all: Vec<String> = (0..60).map(|n| format!("{n:02}")).collect();
    let moves = all.iter().map(|key| keep(next(key)));
    desk.commit(moves.collect()).await;
    for key in &all {
        let leased = claimed(store, 9, NOW).await;
        assert_eq!(keys(&leased), [key.as_str()]);
        desk.done(&leased[0]).await;
    }
    assert!(claimed(store, 9, NOW).await.is_empty());
}

/// Its time is told when it can be claimed, and not before.
pub async fn what_is_behind_is_not_told_as_due(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let first = in_lane("a record", due("first", NOW + 50));
    desk.commit(vec![keep(first), keep(next("second"))]).await;
    // What is told too early is not told again once it was looked for.
    assert!(claimed(store, 9, NOW).await.is_empty());
    assert_eq!(store.next_due(&[webhook()]).await, Ok(Some(NOW + 50)));
    let first = claimed(store, 9, NOW + 50).await;
    assert!(claimed(store, 9, NOW + 50).await.is_empty());
    desk.done(&first[0]).await;
    let told = store.next_due(&[webhook()]).await;
    assert!(told.is_ok_and(|told| told.is_some_and(|at_ms| at_ms <= NOW + 50)));
}

/// It is empty again, whatever was behind in it.
pub async fn a_lane_of_an_erased_space_begins_anew(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2"]).await;
    claimed(store, 9, NOW).await;
    store
        .erase(&desk.space.key, NOW)
        .await
        .expect("it is erased");
    assert!(claimed(store, 9, NOW + 9 * LEASE_MS).await.is_empty());
    desk.space.refresh().await;
    desk.put_in_lane(&["3", "4"]).await;
    assert_eq!(desk.drained(NOW).await, ["3", "4"]);
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
