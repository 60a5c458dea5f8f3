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
