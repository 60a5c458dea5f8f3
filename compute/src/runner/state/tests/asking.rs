//! When the store is asked, and for how much.

use super::super::*;
use super::desk::{Desk, NOW, job, kind, many, put, rules, space};
use crate::runner::told::How;

/// Whatever waits: a pool of 4 has 4 at work and 2 ready.
#[test]
fn no_more_is_leased_than_workers_and_half_as_many_ready() {
    let mut desk = Desk::new(rules(4));
    for n in 0..100 {
        put(
            &mut desk.store,
            &space(&format!("s{n}")),
            vec![job("a", NOW)],
        );
    }
    desk.step(Event::Woke);
    assert_eq!((desk.begun.len(), desk.leased()), (4, 6));
    desk.step(Event::Rung(NOW));
    assert_eq!((desk.begun.len(), desk.leased()), (4, 6));
    while !desk.begun.is_empty() {
        desk.end(End::Done);
        assert!(desk.leased() <= 6);
    }
    assert_eq!(desk.ends(), [How::Done; 100]);
}

/// Each kind has its own.
#[test]
fn a_kind_that_is_full_keeps_no_other_from_being_claimed() {
    let mut rules = rules(1);
    let mut mail = rules.kinds[0].clone();
    mail.kind = JobKind::trusted("mail");
    rules.kinds.push(mail);
    let mut desk = Desk::with(rules, many(9));
    assert_eq!(desk.begun.len(), 1);
    let mail = syncline_storage::jobs::Job {
        kind: JobKind::trusted("mail"),
        ..job("m", NOW)
    };
    put(&mut desk.store, &space("ada"), vec![mail]);
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.at_work(), ["000000", "m"]);
}

#[test]
fn kinds_whose_leases_last_differently_are_claimed_in_turn() {
    let mut rules = rules(1);
    for (name, lease_ms) in [("mail", 60_000), ("credits", 90_000)] {
        let mut kind = rules.kinds[0].clone();
        kind.kind = JobKind::trusted(name);
        kind.lease.lease_ms = lease_ms;
        rules.kinds.push(kind);
    }
    let mut desk = Desk::new(rules);
    let of = |kind: &str, n: usize| syncline_storage::jobs::Job {
        kind: JobKind::trusted(kind),
        ..job(&format!("{kind}{n}"), NOW)
    };
    let kinds = ["webhook", "mail", "credits"];
    let jobs = kinds.iter().flat_map(|kind| (0..9).map(|n| of(kind, n)));
    put(&mut desk.store, &space("ada"), jobs.collect());
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 3);
    desk.end_all();
    assert_eq!(desk.ends().len(), 27);
}

#[test]
fn a_bell_that_was_lost_costs_a_second() {
    let mut desk = Desk::with(rules(4), Vec::new());
    put(&mut desk.store, &space("ada"), vec![job("a", NOW)]);
    desk.pass(999);
    assert!(desk.begun.is_empty());
    desk.pass(1);
    assert_eq!(desk.at_work(), ["a"]);
}

#[test]
fn a_bell_wakes_at_once_and_for_later_when_it_is_due() {
    let mut desk = Desk::with(rules(8), Vec::new());
    put(
        &mut desk.store,
        &space("ada"),
        vec![job("a", NOW), job("b", NOW + 300)],
    );
    desk.step(Event::Rung(NOW + 300));
    assert!(desk.begun.is_empty());
    desk.step(Event::Rung(NOW));
    assert_eq!(desk.at_work(), ["a"]);
    desk.pass(299);
    assert_eq!(desk.at_work(), ["a"]);
    desk.pass(1);
    assert_eq!(desk.at_work(), ["a", "b"]);
}

/// What is due within the second is not looked for before and not missed.
#[test]
fn it_looks_when_something_is_due() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW + 2_345)]);
    let claims = desk.claims;
    desk.pass(2_344);
    assert_eq!((desk.begun.len(), desk.claims), (0, claims));
    desk.pass(1);
    assert_eq!(desk.at_work(), ["a"]);
}

/// Once a second it asks when something is due, and nothing else.
#[test]
fn who_has_nothing_to_do_asks_one_question_a_second() {
    let mut desk = Desk::with(rules(4), Vec::new());
    let (claims, looks) = (desk.claims, desk.looks);
    desk.pass(60_000);
    assert_eq!((desk.claims, desk.looks), (claims, looks + 60));
}

/// The store says that something is due which others hold, so it is not asked without a pause.
#[test]
fn claims_that_get_nothing_are_made_ever_more_slowly() {
    let mut state = RunnerState::new(rules(4));
    let (mut claims, mut run_ms) = (0, 0);
    let mut event = Event::Woke;
    while run_ms < 10_000 {
        let now = Now {
            wall_ms: NOW + run_ms,
            run_ms,
        };
        let effects = state.step(event, now);
        let asked = effects.into_iter().find_map(|effect| match effect {
            Effect::Claim(_) => Some(Event::Claimed(Ok(Vec::new()))),
            Effect::NextDue(_) => Some(Event::Due(Ok(Some(NOW - 5)))),
            _ => None,
        });
        claims += usize::from(matches!(asked, Some(Event::Claimed(_))));
        event = asked.unwrap_or_else(|| {
            run_ms = run_ms.max(state.wake_at_ms().expect("it looks again"));
            Event::Woke
        });
    }
    assert!((10..30).contains(&claims), "{claims} in ten seconds");
}

/// A second for the first tries, then five.
#[test]
fn a_store_that_fails_is_asked_ever_more_slowly_whoever_rings() {
    let mut desk = Desk::new(rules(4));
    desk.is_away = true;
    desk.step(Event::Woke);
    for _ in 0..600 {
        desk.step(Event::Rung(NOW));
        desk.pass(100);
    }
    assert!((12..40).contains(&desk.claims), "{} a minute", desk.claims);
    desk.is_away = false;
    put(&mut desk.store, &space("ada"), vec![job("a", NOW)]);
    desk.pass(5_000);
    assert_eq!(desk.at_work(), ["a"]);
}

/// A day back, and the runner would sleep for a day if it went by it.
#[test]
fn a_clock_that_jumps_keeps_nobody_waiting() {
    const DAY_MS: u64 = 86_400_000;
    let mut desk = Desk::with(rules(12), vec![job("a", NOW - 2 * DAY_MS)]);
    assert_eq!(desk.at_work(), ["a"]);
    desk.now.wall_ms -= DAY_MS;
    put(
        &mut desk.store,
        &space("ada"),
        vec![job("b", NOW - 2 * DAY_MS)],
    );
    desk.pass(1_000);
    assert_eq!(desk.at_work(), ["a", "b"]);
    desk.now.wall_ms += 2 * DAY_MS;
    put(&mut desk.store, &space("ada"), vec![job("c", NOW + DAY_MS)]);
    desk.pass(1_000);
    assert!(desk.at_work().contains(&"c"), "{:?}", desk.at_work());
}

#[test]
fn what_is_claimed_while_somebody_rings_is_asked_for_again() {
    let mut state = RunnerState::new(rules(4));
    let now = Now {
        wall_ms: NOW,
        run_ms: 0,
    };
    let claims = |effects: Vec<Effect>| {
        let claim = |effect: &&Effect| matches!(effect, Effect::Claim(_));
        effects.iter().filter(claim).count()
    };
    assert_eq!(claims(state.step(Event::Woke, now)), 1);
    assert_eq!(claims(state.step(Event::Rung(NOW), now)), 0);
    let again = state.step(Event::Claimed(Ok(Vec::new())), now);
    assert_eq!(
        claims(again),
        1,
        "the claim may have passed by what was put"
    );
}

#[test]
fn claims_say_who_asks_and_for_how_much() {
    let mut state = RunnerState::new(rules(16));
    let now = Now {
        wall_ms: NOW,
        run_ms: 0,
    };
    let effects = state.step(Event::Woke, now);
    let [Effect::Claim(claim)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(claim.wanted[0].kind, kind());
    assert_eq!((claim.wanted[0].jobs, claim.per_space), (24, 4));
    assert_eq!((claim.now_ms, claim.lease_ms), (NOW, 30_000));
}

/// However many workers are free.
#[test]
fn a_claim_is_of_no_more_than_it_may_be_and_the_next_follows() {
    let mut desk = Desk::new(rules(1_000));
    for n in 0..300 {
        let other = space(&format!("s{n:03}"));
        put(&mut desk.store, &other, vec![job("a", NOW)]);
    }
    let effects = desk.state.step(Event::Woke, desk.now);
    let [Effect::Claim(claim)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(claim.wanted[0].jobs, 256);
    let leased = desk.store.claim(claim);
    desk.step(Event::Claimed(Ok(leased)));
    assert_eq!(desk.begun.len(), 300);
}
