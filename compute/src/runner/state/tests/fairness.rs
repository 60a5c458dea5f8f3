//! One space with much to do does not keep others waiting.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::desk::{Desk, NOW, job, many, put, rules, space};
use crate::runner::told::How;

/// In tries, not in seconds: each space with one job is served before the busy one has had twice
/// what the pool holds.
#[test]
fn fifty_spaces_are_not_kept_waiting_by_one_with_a_hundred_thousand_jobs() {
    let mut desk = Desk::new(rules(16));
    put(&mut desk.store, &space("busy"), many(100_000));
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 4, "it has a quarter of the pool");
    let others: BTreeSet<String> = (0..50).map(|n| format!("s{n:02}")).collect();
    for other in &others {
        put(&mut desk.store, &space(other), vec![job("a", NOW)]);
    }
    let claims = desk.claims;
    let (mut left, mut tries) = (others, 0);
    while !left.is_empty() {
        let (id, task) = desk.begun.remove(0);
        left.remove(task.space().space.as_str());
        desk.step(Event::Tried { id, end: End::Done });
        tries += 1;
        assert!(tries < 1_000, "{left:?} still wait");
    }
    let busy = tries - 50;
    assert!(
        busy <= 64,
        "the busy one was served {busy} times before the last of them"
    );
    let claims = desk.claims - claims;
    assert!(claims <= 20, "{claims} claims");
}

/// Each job takes ten seconds, and nobody rings.
#[test]
fn fifty_spaces_begin_within_a_second_while_one_has_a_hundred_thousand_long_jobs() {
    let mut desk = Desk::new(rules(80));
    put(&mut desk.store, &space("busy"), many(100_000));
    desk.step(Event::Woke);
    desk.work(3_456, 10_000);
    assert_eq!(desk.begun.len(), 20, "it has a quarter of the pool");
    for n in 0..50 {
        let other = space(&format!("s{n:02}"));
        put(&mut desk.store, &other, vec![job("a", NOW)]);
    }
    let put_run_ms = desk.now.run_ms;
    desk.work(1_000, 10_000);
    let begun = desk.begun.iter();
    let others = begun.filter(|(_, task)| *task.space() != space("busy"));
    let waited: BTreeMap<&str, u64> = others
        .map(|(id, task)| {
            let began_run_ms = desk.began_run_ms[id];
            (task.space().space.as_str(), began_run_ms - put_run_ms)
        })
        .collect();
    assert_eq!(waited.len(), 50, "{waited:?}");
}

/// It has its quarter at work all the time, and is not asked for what it may not have without a pause.
#[test]
fn a_space_that_is_alone_has_its_quarter() {
    let mut desk = Desk::new(rules(32));
    put(&mut desk.store, &space("busy"), many(2_000));
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 8);
    desk.work(100_000, 10_000);
    assert_eq!((desk.done.len(), desk.begun.len()), (80, 8));
    assert!(desk.claims < 250, "{} claims", desk.claims);
    let mut ends = desk.ends();
    ends.retain(|how| *how == How::GivenBack);
    let given_back = ends.len();
    assert!(given_back < 250, "{given_back} were leased in vain");
}

/// What a pool of three has is not divided further.
#[test]
fn a_space_may_have_one_worker_of_a_small_pool() {
    let mut desk = Desk::new(rules(3));
    put(&mut desk.store, &space("busy"), many(9));
    put(&mut desk.store, &space("other"), many(9));
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 2);
    desk.work(60_000, 1_000);
    assert_eq!(desk.done.len(), 18);
}

/// The store is told which space is full, and so each claim beside it is as large as one without it.
#[test]
fn others_get_full_batches_beside_a_full_space() {
    let mut desk = Desk::new(rules(32));
    put(&mut desk.store, &space("busy"), many(2_000));
    desk.step(Event::Woke);
    desk.work(1_000, 10_000);
    assert_eq!((desk.begun.len(), desk.leased()), (8, 12), "it is full");
    for name in ["ada", "bob", "eve"] {
        put(&mut desk.store, &space(name), many(100));
    }
    let asked = desk.asked.len();
    desk.step(Event::Rung(NOW));
    let first = &desk.asked[asked];
    assert_eq!(first.wanted[0].full, [space("busy")]);
    assert_eq!(first.per_space, 8, "as many as without a full one");
    assert_eq!(desk.begun.len(), 32, "each has its quarter");
}

/// As soon as it has a place again it is asked for.
#[test]
fn a_space_that_was_full_goes_on_without_waiting_for_a_look() {
    let mut desk = Desk::new(rules(16));
    put(&mut desk.store, &space("busy"), many(40));
    desk.step(Event::Woke);
    desk.work(1_000, 10_000);
    while desk.done.len() < 36 {
        assert_eq!(desk.begun.len(), 4, "after {}", desk.done.len());
        desk.end(End::Done);
    }
}

/// A place came while a claim that passed over it was under way, and that brought nothing.
#[test]
fn a_place_that_comes_during_a_claim_is_not_forgotten() {
    let mut desk = Desk::new(rules(16));
    put(&mut desk.store, &space("busy"), many(100));
    desk.step(Event::Woke);
    desk.work(1_000, 10_000);
    let rung = desk.state.step(Event::Rung(NOW), desk.now);
    let passes_over = |effect: &Effect| match effect {
        Effect::Claim(claim) => claim.wanted[0].full == [space("busy")],
        _ => false,
    };
    assert!(rung.iter().any(passes_over), "{rung:?}");
    for _ in 0..3 {
        desk.end(End::Done);
    }
    let held = desk.leased();
    desk.step(Event::Claimed(Ok(Vec::new())));
    assert!(desk.leased() > held, "{held} are held");
}

/// With whatever number of workers and spaces, no more can be full than a claim passes over.
#[test]
fn a_claim_can_name_all_spaces_that_are_full() {
    let mut most = 0;
    for workers in (1..=16).chain([31, 64]) {
        for spaces in [1, 4, 8] {
            let mut desk = Desk::new(rules(workers));
            for n in 0..spaces {
                put(&mut desk.store, &space(&format!("s{n}")), many(60));
            }
            desk.step(Event::Woke);
            desk.work(10_000, 3_000);
            let full = desk.asked.iter().map(|claim| claim.wanted[0].full.len());
            most = most.max(full.max().unwrap_or(0));
        }
    }
    assert!((1..=7).contains(&most), "{most} were full");
}
