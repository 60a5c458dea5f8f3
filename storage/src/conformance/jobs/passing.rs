//! What has a lane go on, and what holds it up.

use syncline_protocol::stamp::WallMs;

use super::super::space::{NOW, key, titled};
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, cancel, claimed, due, finish, in_lane, job, keep, keys, next, replace, why,
};
use crate::jobs::{Ended, IfThere, JobMove, LeaseLost, LeasedJob, Outcome};

/// A lane of three, of which the first is leased.
async fn begun<'s>(store: &'s dyn WithJobs) -> (Desk<'s>, LeasedJob) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2", "3"]).await;
    let first = claimed(store, 9, NOW).await.remove(0);
    assert_eq!(first.job.key.as_str(), "1");
    (desk, first)
}

async fn ended(desk: &Desk<'_>, leased: &LeasedJob, outcome: Outcome) {
    let ended = finish(desk.store, &leased.lease, outcome).await;
    assert_eq!(ended, Ok(()));
}

fn retry(at_ms: WallMs) -> Outcome {
    let error = why();
    Outcome::Retry { at_ms, error }
}

/// Nor does who comes after them wait for ever.
pub async fn dead_jobs_hold_nobody_up(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    ended(&desk, &first, Outcome::Dead { error: why() }).await;
    assert_eq!(desk.drained(NOW).await, ["2", "3"]);
}

/// Its tries are not over.
pub async fn a_job_that_is_tried_again_holds_its_lane_up(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    ended(&desk, &first, retry(NOW + 70)).await;
    assert!(claimed(store, 9, NOW + 69).await.is_empty());
    assert_eq!(desk.drained(NOW + 70).await, ["1", "2", "3"]);
}

/// It never began.
pub async fn a_job_that_is_given_back_holds_its_lane_up(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    ended(&desk, &first, Outcome::Wait { at_ms: NOW + 70 }).await;
    assert!(claimed(store, 9, NOW + 69).await.is_empty());
    assert_eq!(desk.drained(NOW + 70).await, ["1", "2", "3"]);
}

/// It did what it had to this time.
pub async fn a_job_that_is_due_again_lets_others_pass(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    ended(&desk, &first, Outcome::Again { due_at_ms: NOW }).await;
    assert_eq!(desk.drained(NOW).await, ["2", "3", "1"]);
}

/// There is nobody to let pass.
pub async fn a_job_that_is_alone_in_its_lane_is_due_again(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1"]).await;
    let first = claimed(store, 9, NOW).await.remove(0);
    let due_at_ms = NOW + 5;
    ended(&desk, &first, Outcome::Again { due_at_ms }).await;
    desk.put_in_lane(&["2"]).await;
    assert!(claimed(store, 9, NOW + 4).await.is_empty());
    assert_eq!(desk.drained(NOW + 5).await, ["1", "2"]);
}

/// Whoever takes it away, whether or not somebody has it, and without waiting for anything.
pub async fn who_cancels_the_first_of_a_lane_has_the_next_follow(store: &dyn WithJobs) {
    let (mut desk, first) = begun(store).await;
    assert_eq!(store.cancel(&desk.name("1")).await, Ok(true));
    let second = claimed(store, 9, NOW).await;
    assert_eq!(keys(&second), ["2"]);
    let lost = finish(store, &first.lease, Outcome::Done).await;
    assert_eq!(lost, Err(LeaseLost));
    assert!(claimed(store, 9, NOW).await.is_empty());
    ended(&desk, &second[0], retry(NOW + 70)).await;
    desk.commit(vec![cancel("2")]).await;
    assert_eq!(desk.drained(NOW).await, ["3"]);
}

/// The others keep their order, and the first its lease.
pub async fn what_is_behind_is_cancelled_and_nobody_passes(store: &dyn WithJobs) {
    let (mut desk, first) = begun(store).await;
    desk.put_in_lane(&["4"]).await;
    assert_eq!(store.cancel(&desk.name("2")).await, Ok(true));
    desk.commit(vec![cancel("3")]).await;
    assert!(claimed(store, 9, NOW).await.is_empty());
    desk.done(&first).await;
    assert_eq!(desk.drained(NOW).await, ["4"]);
}

/// The one after them all follows.
pub async fn several_of_a_lane_go_in_one_commit(store: &dyn WithJobs) {
    let (mut desk, _first) = begun(store).await;
    desk.put_in_lane(&["4"]).await;
    desk.commit(vec![cancel("1"), cancel("2"), cancel("3")])
        .await;
    assert_eq!(desk.drained(NOW).await, ["4"]);
}

/// What it was about before is no longer to be done.
pub async fn a_replaced_job_goes_to_the_end_of_its_lane(store: &dyn WithJobs) {
    let (mut desk, first) = begun(store).await;
    desk.commit(vec![replace(next("1"))]).await;
    let lost = finish(store, &first.lease, Outcome::Done).await;
    assert_eq!(lost, Err(LeaseLost));
    desk.commit(vec![replace(next("3"))]).await;
    assert_eq!(desk.drained(NOW).await, ["2", "1", "3"]);
}

/// Both go on.
pub async fn a_job_is_replaced_by_one_of_another_lane(store: &dyn WithJobs) {
    let (mut desk, _first) = begun(store).await;
    let other = in_lane("another record", job("1"));
    desk.commit(vec![replace(other)]).await;
    let mut leased = claimed(store, 9, NOW).await;
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    assert_eq!(keys(&leased), ["1", "2"]);
    desk.commit(vec![replace(job("2"))]).await;
    let mut leased = claimed(store, 9, NOW).await;
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    assert_eq!(keys(&leased), ["2", "3"]);
}

/// It has the place that it has.
pub async fn a_kept_job_keeps_its_place_in_its_lane(store: &dyn WithJobs) {
    let (mut desk, first) = begun(store).await;
    desk.put_in_lane(&["3", "1", "2", "4"]).await;
    assert!(claimed(store, 9, NOW).await.is_empty());
    desk.done(&first).await;
    assert_eq!(desk.drained(NOW).await, ["2", "3", "4"]);
}

/// The key of a dead one that has another lane holds the lane of what is put after it up for nobody.
pub async fn what_is_left_out_is_in_no_lane(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("1", NOW).await;
    desk.put_in_lane(&["1", "2", "3"]).await;
    assert_eq!(desk.drained(NOW).await, ["2", "3"]);
}

/// It leaves nothing behind in its lane.
pub async fn the_next_of_a_lane_follows_the_commit(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    let mut commit = desk.space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    let (lease, outcome) = (first.lease, Outcome::Done);
    commit.ends = vec![Ended { lease, outcome }];
    desk.space.commit(commit).await.expect("its lease is held");
    assert_eq!(desk.drained(NOW).await, ["2", "3"]);
}

/// Ends first, then moves: what it puts comes last, and what it takes away is passed over.
pub async fn a_commit_may_end_cancel_and_put_in_one_lane(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    let mut commit = desk.space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    let (lease, outcome) = (first.lease, Outcome::Done);
    commit.ends = vec![Ended { lease, outcome }];
    let job = next("1");
    let if_there = IfThere::Keep;
    let again = JobMove::Put { job, if_there };
    commit.jobs = vec![cancel("2"), again, keep(next("4"))];
    desk.space.commit(commit).await.expect("its lease is held");
    assert_eq!(desk.drained(NOW).await, ["3", "1", "4"]);
}

/// It is due again at the end of its lane, which goes on without it.
pub async fn a_commit_may_have_a_job_of_a_lane_due_again(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    let mut commit = desk.space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    let (lease, outcome) = (first.lease, Outcome::Again { due_at_ms: NOW });
    commit.ends = vec![Ended { lease, outcome }];
    commit.jobs = vec![cancel("3"), keep(next("4"))];
    desk.space.commit(commit).await.expect("its lease is held");
    assert_eq!(desk.drained(NOW).await, ["2", "1", "4"]);
}

/// Each lane by itself, whoever of them is last.
pub async fn ends_of_many_lanes_have_each_go_on(store: &dyn WithJobs) {
    let mut ada = Desk::open_named(store, "ada").await;
    let mut bob = Desk::open_named(store, "bob").await;
    for desk in [&mut ada, &mut bob] {
        let put = |lane: &str, key: &str| keep(in_lane(lane, job(key)));
        let moves = ["l", "m"].map(|lane| ["1", "2"].map(|n| put(lane, &format!("{lane}{n}"))));
        desk.commit(moves.concat()).await;
    }
    let mut leased = Vec::new();
    while leased.len() < 4 {
        leased.extend(claimed(store, 9, NOW).await);
    }
    let end = |one: &LeasedJob| Ended {
        lease: one.lease.clone(),
        outcome: match one.job.key.as_str() {
            "l1" => Outcome::Done,
            _ => Outcome::Dead { error: why() },
        },
    };
    let ends: Vec<Ended> = leased.iter().map(end).collect();
    let answers = store.finish(&ends, NOW).await;
    assert_eq!(answers, Ok(vec![Ok(()); 4]));
    let mut follow = Vec::new();
    while follow.len() < 4 {
        let more = claimed(store, 9, NOW).await;
        assert!(!more.is_empty(), "only {:?}", keys(&follow));
        follow.extend(more);
    }
    follow.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    assert_eq!(keys(&follow), ["l2", "l2", "m2", "m2"]);
}

/// As of one that waits for its time.
pub async fn a_lease_that_is_lost_has_nobody_pass(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    let again = claimed(store, 9, NOW + LEASE_MS).await.remove(0);
    let lost = finish(store, &first.lease, Outcome::Done).await;
    assert_eq!(lost, Err(LeaseLost));
    assert!(claimed(store, 9, NOW + LEASE_MS).await.is_empty());
    desk.done(&again).await;
    assert_eq!(desk.drained(NOW + LEASE_MS).await, ["2", "3"]);
}

/// The others wait with it, and one that is behind waits longer than they.
pub async fn who_snoozes_the_first_of_a_lane_holds_it_up(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_in_lane(&["1", "2"]).await;
    assert_eq!(store.snooze(&desk.name("1"), NOW + 500).await, Ok(true));
    assert!(claimed(store, 9, NOW + 499).await.is_empty());
    assert_eq!(store.snooze(&desk.name("1"), NOW + 100).await, Ok(true));
    assert_eq!(desk.drained(NOW + 100).await, ["1", "2"]);
}

/// It is for another time, in the same place.
pub async fn what_is_behind_is_snoozed(store: &dyn WithJobs) {
    let (desk, first) = begun(store).await;
    assert_eq!(store.snooze(&desk.name("2"), NOW + 500).await, Ok(true));
    let snoozed = in_lane("a record", due("2", NOW + 500));
    let stored = desk.stored("2").await.map(|stored| stored.job);
    assert_eq!(stored, Some(snoozed));
    assert!(claimed(store, 9, NOW + 500).await.is_empty());
    desk.done(&first).await;
    assert!(claimed(store, 9, NOW + 499).await.is_empty());
    assert_eq!(desk.drained(NOW + 500).await, ["2", "3"]);
}
