//! How long leases are held.

use super::super::*;
use super::desk::{Desk, NOW, job, kind, many, put, rules, space, told};

#[test]
fn leases_of_what_is_at_work_and_of_what_waits_are_extended() {
    let mut desk = Desk::with(rules(8), many(3));
    assert_eq!((desk.begun.len(), desk.leased()), (2, 3));
    desk.pass(100_000);
    assert!(desk.stopped.is_empty());
    let later = desk.now.wall_ms;
    let claim = syncline_storage::jobs::Claim {
        wanted: vec![syncline_storage::jobs::Wanted::of(kind(), 9)],
        holder: NodeId::trusted("n2"),
        now_ms: later,
        lease_ms: 30_000,
        per_space: 9,
    };
    assert_eq!(desk.store.claim(&claim), [], "nobody else gets them");
}

/// The store is away: after 25 of 30 seconds it does not count on its leases.
#[test]
fn what_cannot_be_extended_is_stopped_before_its_lease_ends() {
    let mut desk = Desk::with(rules(1), many(2));
    let (id, _) = desk.begun[0];
    desk.is_away = true;
    desk.pass(24_999);
    assert!(desk.stopped.is_empty());
    desk.pass(1);
    assert_eq!(desk.stopped, [id]);
    let lost = desk
        .told
        .iter()
        .filter(|told| matches!(told, Told::LeaseLost { .. }));
    assert_eq!(lost.count(), 2, "the one that waits too");
    // Its worker is not free before it has stopped.
    desk.is_away = false;
    desk.pass(10_000);
    assert_eq!(desk.begun.len(), 1);
    desk.end(End::Stopped);
    assert_eq!((desk.begun.len(), desk.ends()), (1, vec![]));
    assert_eq!(desk.begun[0].1.attempt, 2, "it was claimed anew");
}

/// Two calls may fail before.
#[test]
fn one_extension_that_fails_costs_no_lease() {
    let mut desk = Desk::with(rules(1), vec![job("a", NOW)]);
    desk.pass(9_999);
    desk.is_away = true;
    desk.pass(5_000);
    desk.is_away = false;
    desk.pass(60_000);
    assert!(desk.stopped.is_empty());
    desk.end(End::Done);
    assert_eq!(desk.stored("a"), None);
}

/// One call asks for both.
#[test]
fn a_space_that_fails_leaves_the_leases_of_others() {
    let mut desk = Desk::with(rules(2), vec![job("a", NOW)]);
    put(&mut desk.store, &space("bob"), vec![job("b", NOW)]);
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.at_work(), ["a", "b"]);
    let (id, _) = desk.begun[1];
    desk.failing = Some(space("bob"));
    desk.pass(60_000);
    assert_eq!(desk.stopped, [id]);
    let asked = desk.told.iter().filter(|told| {
        let call = crate::runner::told::StoreCall::Extend;
        matches!(told, Told::StoreFailed { call: of, .. } if *of == call)
    });
    // Once a second, from where a third of a lease is over.
    assert!((10..=50).contains(&asked.count()));
}

#[test]
fn who_loses_a_lease_is_told_to_stop_and_ends_nothing() {
    let mut desk = Desk::with(rules(1), vec![job("a", NOW)]);
    let (id, task) = desk.begun[0].clone();
    assert!(desk.store.cancel_job(&task.lease.name));
    desk.pass(10_000);
    assert_eq!(desk.stopped, [id]);
    desk.end(End::Done);
    assert_eq!(desk.ends(), []);
}

/// No jump of the hub's clock moves a lease here; the store knows who has it.
#[test]
fn a_clock_that_jumps_stops_nothing() {
    let mut desk = Desk::with(rules(1), vec![job("a", NOW)]);
    for jump_ms in [3_600_000_i64, -7_200_000, 86_400_000] {
        desk.now.wall_ms = desk.now.wall_ms.saturating_add_signed(jump_ms);
        desk.pass(20_000);
    }
    assert!(desk.stopped.is_empty());
    desk.end(End::Done);
    assert_eq!(desk.stored("a"), None);
}

/// Its clock went ahead an hour, and the store does not answer for a while when it is told of that.
#[test]
fn after_a_jump_nothing_is_claimed_before_the_leases_are_mended() {
    let mut desk = Desk::with(rules(8), vec![job("a", NOW)]);
    desk.is_away = true;
    desk.now.wall_ms += 3_600_000;
    desk.step(Event::Rung(NOW));
    let claims = desk.claims;
    desk.pass(4_500);
    assert_eq!(desk.claims, claims);
    desk.is_away = false;
    put(&mut desk.store, &space("bob"), vec![job("b", NOW)]);
    desk.pass(1_000);
    assert_eq!(desk.at_work(), ["a", "b"]);
    assert!(desk.stopped.is_empty());
}

/// It was asked for by the clock as it was, so its answer mends nothing.
#[test]
fn an_extension_that_was_under_way_at_a_jump_is_made_again() {
    let mut desk = Desk::with(rules(8), vec![job("a", NOW)]);
    desk.now.run_ms += 10_000;
    desk.now.wall_ms += 10_000;
    let extends = |effects: Vec<Effect>| {
        let extend = |effect: Effect| match effect {
            Effect::Extend {
                ids,
                leases,
                until_ms,
                until_run_ms,
            } => Some((ids, leases, until_ms, until_run_ms)),
            _ => None,
        };
        effects.into_iter().find_map(extend)
    };
    let asked = extends(desk.state.step(Event::Woke, desk.now));
    let (ids, leases, until_ms, until_run_ms) = asked.expect("a third is over");
    desk.now.wall_ms += 3_600_000;
    assert_eq!(extends(desk.state.step(Event::Woke, desk.now)), None);
    let answer = Ok(told(desk.store.extend(&leases, until_ms)));
    let event = Event::Extended {
        ids,
        until_run_ms,
        answer,
    };
    let again = extends(desk.state.step(event, desk.now));
    let (_, _, until_ms, _) = again.expect("it is made again");
    assert_eq!(until_ms, desk.now.wall_ms + 30_000);
}

/// Somebody whose clock is ahead had it meanwhile, and gave it back.
#[test]
fn who_claims_what_it_holds_already_stops_the_older_try() {
    let mut desk = Desk::with(rules(8), vec![job("a", NOW)]);
    let (id, _) = desk.begun[0];
    let claim = syncline_storage::jobs::Claim {
        wanted: vec![syncline_storage::jobs::Wanted::of(kind(), 1)],
        holder: NodeId::trusted("n2"),
        now_ms: NOW + 3_600_000,
        lease_ms: 30_000,
        per_space: 1,
    };
    let theirs = desk.store.claim(&claim).remove(0);
    let given_back = syncline_storage::jobs::Ended {
        lease: theirs.lease,
        outcome: syncline_storage::jobs::Outcome::Wait { at_ms: NOW },
    };
    assert_eq!(desk.store.finish(&[given_back], NOW), [Ok(())]);
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.stopped, [id]);
    assert_eq!(desk.at_work(), ["a", "a"]);
    desk.end(End::Done);
    assert_eq!(desk.ends(), [], "the older one ends nothing");
    desk.end(End::Done);
    assert_eq!(desk.stored("a"), None);
}

/// It takes twice its time and does not let itself be stopped: others may have the job.
#[test]
fn a_worker_that_is_stuck_keeps_its_place_and_not_its_job() {
    let mut desk = Desk::with(rules(1), vec![job("a", NOW)]);
    let (id, _) = desk.begun[0];
    desk.pass(120_000);
    assert!(desk.stopped.is_empty());
    desk.pass(31_000);
    assert_eq!(desk.stopped, [id]);
}
