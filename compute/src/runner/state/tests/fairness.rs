//! One space with much to do does not keep others waiting.

use std::collections::BTreeSet;

use super::super::*;
use super::desk::{Desk, NOW, job, many, put, rules, space};

/// In tries, not in seconds: each space with one job is served before the busy one has had twice
/// what the pool holds.
#[test]
fn fifty_spaces_are_not_kept_waiting_by_one_with_a_hundred_thousand_jobs() {
    let mut desk = Desk::new(rules(16));
    put(&mut desk.store, &space("busy"), many(100_000));
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 16, "it has the pool for itself");
    let others: BTreeSet<String> = (0..50).map(|n| format!("s{n:02}")).collect();
    for other in &others {
        put(&mut desk.store, &space(other), vec![job("a", NOW)]);
    }
    let claims = desk.claims;
    let (mut left, mut tries) = (others, 0);
    while !left.is_empty() {
        let (id, task) = desk.begun.remove(0);
        left.remove(task.space.space.as_str());
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
