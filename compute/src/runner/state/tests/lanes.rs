//! Jobs of a lane are done one after the other.

use super::super::*;
use super::desk::{Desk, NOW, failed, in_lane, job, kind, put, rules, space};
use crate::runner::told::How;
use syncline_storage::jobs::{JobError, JobKey};

fn lane(keys: &[&str]) -> Vec<syncline_storage::jobs::Job> {
    keys.iter().map(|key| in_lane(key, "l")).collect()
}

#[test]
fn those_of_a_lane_run_one_after_the_other_in_the_order_they_were_put() {
    // Keys in another order than they were put.
    let mut desk = Desk::with(rules(12), lane(&["c", "a", "b"]));
    for key in ["c", "a", "b"] {
        assert_eq!(desk.at_work(), [key]);
        desk.end(End::Done);
    }
    assert_eq!(desk.done, ["c", "a", "b"]);
}

#[test]
fn lanes_do_not_wait_for_each_other_nor_others_for_them() {
    let mut jobs = lane(&["a", "b"]);
    jobs.extend([in_lane("c", "m"), job("d", NOW)]);
    let mut desk = Desk::with(rules(16), jobs);
    let mut at_work = desk.at_work();
    at_work.sort_unstable();
    assert_eq!(at_work, ["a", "c", "d"]);
    put(&mut desk.store, &space("bob"), lane(&["a"]));
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.begun.len(), 4, "another space's lane of the name");
}

#[test]
fn when_one_fails_those_behind_it_wait_with_it() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(failed("no"));
    assert_eq!(desk.ends(), [How::Failed]);
    assert_eq!(desk.leased(), 0);
    desk.pass(2_000);
    for (key, attempt) in [("a", 2), ("b", 1)] {
        assert_eq!(desk.at_work(), [key]);
        assert_eq!(desk.begun[0].1.attempt, attempt);
        desk.end(End::Done);
    }
    assert_eq!(desk.store.job_counts(&[kind()])[0].scheduled, 0);
}

#[test]
fn a_dead_one_holds_nobody_up() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(End::Hopeless(JobError::new("no")));
    assert_eq!(desk.at_work(), ["b"]);
}

/// It waits for its next try, an hour from now.
#[test]
fn what_is_behind_is_not_claimed_in_vain() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(End::Failed {
        error: JobError::new("later"),
        wait_ms: 3_600_000,
    });
    let claims = desk.claims;
    desk.pass(3_599_000);
    assert_eq!((desk.begun.len(), desk.claims), (0, claims));
    desk.pass(2_000);
    assert_eq!(desk.at_work(), ["a"]);
}

/// Whoever takes it away has the others done: they are looked for within a second.
#[test]
fn when_the_first_of_a_lane_is_taken_away_the_next_follows() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(End::Failed {
        error: JobError::new("later"),
        wait_ms: 3_600_000,
    });
    assert!(desk.store.cancel_job(&name("a")));
    desk.pass(1_000);
    assert_eq!(desk.at_work(), ["b"]);
}

/// It is told when it ends, and then at once.
#[test]
fn when_the_lease_of_one_is_lost_the_next_follows() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    assert!(desk.store.cancel_job(&name("a")));
    desk.end(End::Done);
    assert_eq!(desk.at_work(), ["b"]);
}

/// The next of a lane begins when the store has it that the one before is done, not before.
#[test]
fn while_the_end_of_one_is_not_stored_the_next_does_not_begin() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.is_away = true;
    desk.end(End::Done);
    desk.pass(5_000);
    assert!(desk.begun.is_empty());
    desk.is_away = false;
    desk.pass(5_000);
    assert_eq!(desk.at_work(), ["b"]);
}

#[test]
fn a_drain_leaves_what_is_behind_in_lanes() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b", "c"]));
    assert_eq!(desk.leased(), 1);
    desk.step(Event::Drain);
    desk.end(End::Done);
    assert!(desk.drained);
    assert_eq!(desk.leased(), 0);
}

/// Thirty edits of one record, and an endpoint that takes ten seconds for each.
#[test]
fn a_long_lane_keeps_no_worker_from_work() {
    let mut desk = Desk::new(rules(32));
    let edits = put_lane(&mut desk, 30);
    desk.step(Event::Woke);
    assert_eq!((desk.at_work(), desk.leased()), (vec!["0000"], 1));
    for n in 0..31 {
        let other = space(&format!("s{n}"));
        put(&mut desk.store, &other, vec![job("other", NOW)]);
    }
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.begun.len(), 32);
    let claims = desk.claims;
    desk.work(9_999, 10_000);
    assert_eq!(desk.claims, claims, "while nothing can be done");
    desk.work(400_000, 10_000);
    desk.done.retain(|key| key != "other");
    assert_eq!(desk.done, edits, "in the order they were put");
    let ends = desk.ends();
    assert!(!ends.contains(&How::GivenBack));
}

/// A claim brings the next one, and one that brings nothing shows that there is none beside it.
#[test]
fn a_backlog_of_a_lane_is_drained_by_two_claims_a_job() {
    const JOBS: usize = 1_000;
    let mut desk = Desk::new(rules(32));
    let edits = put_lane(&mut desk, JOBS);
    desk.work(2 * JOBS as u64, 1);
    assert_eq!(desk.done, edits);
    let (claims, looks) = (desk.claims, desk.looks);
    assert!(claims <= 2 * JOBS + 10, "{claims} claims");
    assert!(
        looks <= JOBS + 10,
        "{looks} questions when something is due"
    );
}

/// The same with a store that takes five milliseconds for every call, so that ends, claims and questions
/// overtake each other.
#[test]
fn a_backlog_of_a_lane_is_drained_by_claims_that_follow_its_ends() {
    const JOBS: usize = 1_000;
    let mut desk = Desk::new(rules(32));
    let edits = put_lane(&mut desk, JOBS);
    let calls = desk.work_slowly((JOBS as u64 * 60, 5), 3);
    assert_eq!(desk.done, edits);
    assert!(desk.claims <= 3 * JOBS + 10, "{} claims", desk.claims);
    assert!(calls <= 6 * JOBS + 200, "{calls} calls of the store");
}

/// Edits of one record, their keys in order.
fn put_lane(desk: &mut Desk, jobs: usize) -> Vec<String> {
    let edits: Vec<String> = (0..jobs).map(|n| format!("{n:04}")).collect();
    let jobs = edits.iter().map(|key| in_lane(key, "l")).collect();
    put(&mut desk.store, &space("ada"), jobs);
    edits
}

fn name(key: &str) -> JobName {
    JobName {
        space: space("ada"),
        kind: kind(),
        key: JobKey::trusted(key),
    }
}
