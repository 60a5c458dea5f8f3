//! Jobs of a lane are done one after the other.

use super::super::*;
use super::desk::{Desk, NOW, failed, in_lane, job, kind, put, rules, space};
use crate::runner::told::How;
use syncline_storage::jobs::{JobError, JobState, Wanted};

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
        desk.pass(200);
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
fn when_one_fails_those_behind_it_are_given_back_untried() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(failed("no"));
    assert_eq!(desk.ends(), [How::Failed, How::GivenBack]);
    assert_eq!(desk.leased(), 0);
    let Some(JobState::Retry { at_ms }) = desk.stored("a") else {
        panic!("{:?}", desk.stored("a"));
    };
    let next_due = |desk: &Desk| desk.store.next_due(&[kind()]);
    assert_eq!(next_due(&desk), Some(at_ms), "they wait as long as it does");
    desk.pass(2_000);
    for key in ["a", "b"] {
        assert_eq!(desk.at_work(), [key]);
        assert_eq!(desk.begun[0].1.attempt, if key == "a" { 2 } else { 1 });
        desk.end(End::Done);
        desk.pass(3_000);
    }
    assert_eq!(desk.store.job_counts(&[kind()])[0].scheduled, 0);
}

#[test]
fn a_dead_one_holds_nobody_up() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(End::Hopeless(JobError::new("no")));
    assert!(desk.begun.is_empty());
    desk.pass(200);
    assert_eq!(desk.at_work(), ["b"]);
}

/// Another runner has the one before.
#[test]
fn who_is_not_next_waits_for_whoever_is_ever_longer() {
    let mut desk = Desk::new(rules(12));
    put(&mut desk.store, &space("ada"), lane(&["a", "b"]));
    let other = syncline_storage::jobs::Claim {
        wanted: vec![Wanted {
            kind: kind(),
            jobs: 1,
        }],
        holder: NodeId::trusted("n2"),
        now_ms: NOW,
        lease_ms: 30_000,
        per_space: 1,
    };
    let theirs = desk.store.claim(&other).remove(0);
    assert_eq!(theirs.job.key.as_str(), "a");
    desk.step(Event::Woke);
    desk.pass(10_000);
    assert!(desk.begun.is_empty());
    let given_back = desk.ends().len();
    assert!((8..30).contains(&given_back), "{given_back} in ten seconds");
    let done = syncline_storage::jobs::Ended {
        lease: theirs.lease,
        outcome: syncline_storage::jobs::Outcome::Done,
    };
    assert_eq!(desk.store.finish(&[done], NOW), [Ok(())]);
    desk.pass(2_200);
    assert_eq!(
        desk.at_work(),
        ["b"],
        "it is not waited until the lease would have ended"
    );
    assert_eq!(
        desk.begun[0].1.attempt, 1,
        "what is given back was not tried"
    );
}

/// It waits for its next try, an hour from now.
#[test]
fn who_is_not_next_for_long_is_rarely_looked_for() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    desk.end(End::Failed {
        error: JobError::new("later"),
        wait_ms: 3_600_000,
    });
    let claims = desk.claims;
    (0..58).for_each(|_| desk.pass(60_000));
    // Four times a minute apart, then each after a quarter more than it has waited.
    assert!(
        (10..=40).contains(&(desk.claims - claims)),
        "{}",
        desk.claims - claims
    );
    assert_eq!(desk.at_work(), [""; 0]);
    desk.pass(122_000);
    assert_eq!(desk.at_work(), ["a"]);
}

/// Whoever takes it away has the others done soon.
#[test]
fn when_the_first_of_a_lane_is_taken_away_the_next_follows_within_a_minute() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    let name = desk.begun[0].1.lease.name.clone();
    desk.end(End::Failed {
        error: JobError::new("later"),
        wait_ms: 3_600_000,
    });
    assert!(desk.store.cancel_job(&name));
    desk.pass(30_000);
    assert_eq!(desk.at_work(), [""; 0]);
    desk.pass(31_000);
    assert_eq!(desk.at_work(), ["b"]);
}

#[test]
fn when_the_lease_of_one_is_lost_those_behind_it_are_given_back() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b"]));
    let name = syncline_storage::jobs::JobName {
        space: space("ada"),
        kind: kind(),
        key: desk.begun[0].1.job.key.clone(),
    };
    assert!(desk.store.cancel_job(&name));
    desk.end(End::Done);
    assert_eq!(desk.ends(), [How::GivenBack]);
    desk.pass(300);
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
fn a_drain_gives_back_what_stands_behind_in_lanes() {
    let mut desk = Desk::with(rules(12), lane(&["a", "b", "c"]));
    desk.step(Event::Drain);
    assert_eq!(desk.leased(), 1);
    desk.end(End::Done);
    assert!(desk.drained);
}

/// Thirty edits of one record, and an endpoint that takes ten seconds for each.
#[test]
fn a_long_lane_keeps_no_worker_from_work() {
    let mut desk = Desk::new(rules(32));
    let edits: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    let jobs = edits.iter().map(|key| in_lane(key, "l")).collect();
    put(&mut desk.store, &space("ada"), jobs);
    desk.step(Event::Woke);
    assert_eq!((desk.at_work(), desk.leased()), (vec!["00"], 2));
    for n in 0..31 {
        let other = space(&format!("s{n}"));
        put(&mut desk.store, &other, vec![job("other", NOW)]);
    }
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.begun.len(), 32);
    desk.work(9_999, 10_000);
    let claims = desk.claims;
    assert!(claims < 80, "{claims} claims while nothing can be done");
    desk.work(400_000, 10_000);
    desk.done.retain(|key| key != "other");
    assert_eq!(desk.done, edits, "in the order they were put");
}

/// What is given back of a lane that is quick is soon back, in its order.
#[test]
fn a_quick_lane_is_not_kept_waiting_for_long() {
    let mut desk = Desk::new(rules(32));
    let edits: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let jobs = edits.iter().map(|key| in_lane(key, "l")).collect();
    put(&mut desk.store, &space("ada"), jobs);
    desk.work(60_000, 1);
    assert_eq!(desk.done, edits);
}
