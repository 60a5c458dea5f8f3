//! What becomes of jobs, without a server.

use syncline_protocol::ids::{Epoch, NodeId, Seq};
use syncline_protocol::stamp::WallMs;

use super::numbers::Numbers;
use super::places::Name;
use super::plan::Plan;
use super::{Kept, Queue, places};
use crate::jobs::{
    Ended, IfThere, Job, JobArgs, JobError, JobKey, JobKind, JobLane, JobName, JobNo, Lease, Net,
    Origin, Outcome, TriggerId,
};

const NOW: WallMs = 1_000_000;

fn job(key: &str) -> Job {
    Job {
        kind: JobKind::trusted("k"),
        key: JobKey::trusted(key),
        lane: None,
        due_at_ms: NOW,
        args: JobArgs::trusted("null"),
        depth: 0,
        origin: Origin {
            epoch: Epoch(1),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    }
}

pub(super) fn kept(at_ms: WallMs, no: u64) -> Kept {
    Kept {
        at_ms,
        ..Kept::put(job("a"), JobNo(no))
    }
}

fn name(key: &str) -> Name {
    (JobKind::trusted("k"), JobKey::trusted(key))
}

fn plan(seen: &[(&str, Option<Kept>)], queue: Option<Queue>) -> Plan {
    let given = Numbers::of(1).give(9, (JobNo(0), NOW));
    let mut plan = Plan::new(JobNo(0), (given, 77), NOW);
    for (key, kept) in seen {
        plan.see_job(name(key), kept.clone());
    }
    plan.see_queue(JobKind::trusted("k"), queue);
    plan
}

fn queue(turn_at_ms: WallMs, turn: u64) -> Queue {
    Queue {
        turn_at_ms,
        turn,
        hint: 5,
    }
}

#[test]
fn what_is_kept_writes_nothing() {
    let mut plan = plan(&[("a", Some(kept(NOW, 3)))], Some(queue(NOW, 0)));
    plan.make((&name("a"), Net::Put(&job("a"), IfThere::Keep)), NOW);
    assert!(!plan.has_turned());
}

#[test]
fn a_queue_that_is_looked_at_earlier_is_not_named_anew() {
    let mut plan = plan(&[("a", None)], Some(queue(NOW, 3)));
    plan.make((&name("a"), Net::Put(&job("a"), IfThere::Keep)), NOW + 5);
    assert_eq!(plan.queue(&JobKind::trusted("k")), Some(queue(NOW, 3)));
    let (gone, come) = plan.places();
    assert_eq!((gone.len(), come.len()), (0, 1));
}

#[test]
fn a_queue_that_nobody_met_for_long_is_named_anew() {
    for (overdue_ms, is_anew) in [(600_000, false), (600_001, true)] {
        let before = queue(NOW - overdue_ms, 3);
        let mut plan = plan(&[("a", None)], Some(before));
        plan.make((&name("a"), Net::Put(&job("a"), IfThere::Keep)), NOW);
        let after = plan.queue(&JobKind::trusted("k")).unwrap();
        assert_eq!(after != before, is_anew, "{after:?}");
    }
}

#[test]
fn a_space_that_has_more_goes_behind_those_that_were_due_before() {
    let mut plan = plan(&[], Some(queue(NOW - 9, 0)));
    let kind = JobKind::trusted("k");
    plan.settle(&kind, (Some(NOW - 3), NOW));
    let behind = plan.queue(&kind).unwrap();
    assert_eq!((behind.turn_at_ms, behind.turn), (NOW, 1));
    plan.settle(&kind, (Some(NOW + 3), NOW));
    let later = plan.queue(&kind).unwrap();
    assert_eq!((later.turn_at_ms, later.turn), (NOW + 3, 0));
    plan.settle(&kind, (None, NOW));
    assert_eq!(plan.queue(&kind), None);
}

fn leased(key: &str, lane: &str, no: u64) -> (Kept, Lease) {
    let mut plan = plan(&[], Some(queue(NOW, 0)));
    let lane = Some(JobLane::trusted(lane));
    let put = Kept {
        is_behind: false,
        ..Kept::put(Job { lane, ..job(key) }, JobNo(no))
    };
    plan.see_job(name(key), Some(put));
    let kept = plan
        .lease(&name(key), (NOW + 9, &NodeId::trusted("n1")))
        .unwrap();
    let lease = Lease {
        name: JobName {
            space: crate::conformance::space::space_key("todo", "ada"),
            kind: JobKind::trusted("k"),
            key: JobKey::trusted(key),
        },
        no: kept.no,
        number: kept.lease,
    };
    (kept, lease)
}

#[test]
fn the_first_of_a_lane_takes_what_was_before_along() {
    let (kept, lease) = leased("a", "l", 40);
    let mut plan = plan(&[("a", Some(kept.clone()))], Some(queue(NOW, 0)));
    let lane = (name("a").0, JobLane::trusted("l"));
    plan.see_lane(lane.clone(), Some(JobNo(40)));
    let ended = Ended {
        lease,
        outcome: Outcome::Done,
    };
    assert_eq!(plan.finish(&ended, NOW), Ok(()));
    let (gone, come) = plan.places();
    assert_eq!((gone, come), (vec![places::order(&kept)], vec![]));
    let (begin, _) = places::all_of_lane(&lane);
    assert_eq!(plan.spans, [(begin, places::lane(&kept).unwrap())]);
}

#[test]
fn what_is_tried_again_keeps_its_place_in_its_lane() {
    let (kept, lease) = leased("a", "l", 40);
    let mut plan = plan(&[("a", Some(kept.clone()))], Some(queue(NOW, 0)));
    let at_ms = NOW + 50;
    let error = JobError::new("no");
    let outcome = Outcome::Retry { at_ms, error };
    assert_eq!(plan.finish(&Ended { lease, outcome }, NOW), Ok(()));
    let (gone, come) = plan.places();
    let after = plan.job(&name("a")).unwrap();
    assert_eq!(gone, [places::order(&kept)]);
    assert_eq!(come, [(places::order(after), after.phase())]);
    assert_eq!(places::lane(after), places::lane(&kept));
}

/// One that waits in the lane of [`leased`], behind it.
fn behind(key: &str, lane: &str, no: u64) -> Kept {
    let lane = Some(JobLane::trusted(lane));
    Kept::put(Job { lane, ..job(key) }, JobNo(no))
}

#[test]
fn the_next_of_a_lane_comes_where_claims_look_and_its_queue_is_looked_at() {
    let (first, lease) = leased("a", "l", 40);
    let next = behind("b", "l", 41);
    let seen = [("a", Some(first)), ("b", Some(next.clone()))];
    let mut plan = plan(&seen, Some(queue(NOW + 9, 0)));
    plan.see_lane((name("a").0, JobLane::trusted("l")), Some(JobNo(40)));
    let outcome = Outcome::Done;
    assert_eq!(plan.finish(&Ended { lease, outcome }, NOW), Ok(()));
    plan.settle_lanes();
    let after = plan.job(&name("b")).unwrap();
    assert!(!after.is_behind);
    let (gone, come) = plan.places();
    assert!(gone.contains(&places::order(&next)));
    assert_eq!(come, [(places::order(after), after.phase())]);
    let turn_at_ms = plan.queue(&name("b").0).unwrap().turn_at_ms;
    assert_eq!(turn_at_ms, NOW);
}

#[test]
fn what_is_put_into_a_lane_whose_first_is_not_seen_stays_behind() {
    let replayed = behind("b", "l", 30);
    let mut plan = plan(&[("b", Some(replayed)), ("c", None)], Some(queue(NOW, 0)));
    plan.see_lane((name("b").0, JobLane::trusted("l")), Some(JobNo(30)));
    let lane = Some(JobLane::trusted("l"));
    let put = Job { lane, ..job("c") };
    plan.make((&name("c"), Net::Put(&put, IfThere::Keep)), NOW);
    plan.settle_lanes();
    assert!(plan.job(&name("b")).unwrap().is_behind);
    assert!(plan.job(&name("c")).unwrap().is_behind);
}
