//! Commits that are more than the store takes at once.

use serde_json::{Value, json};
use syncline_protocol::error::Code;

use super::desk::{Desk, Fate, insert, insertion};
use crate::session::event::{ConnId, Effect};

/// Serves until the session wants to commit.
fn until_commit(desk: &mut Desk) -> usize {
    while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
        desk.serve_one(None);
    }
    match desk.asked.front() {
        Some(Effect::Commit(commit)) => commit.records.len(),
        _ => unreachable!("it was looked at"),
    }
}

fn inserts(range: std::ops::RangeInclusive<u64>) -> Vec<Value> {
    range
        .map(|m| insert(m, &format!("k{m}"), &json!({"n": m})))
        .collect()
}

fn statuses(desk: &mut Desk, phone: ConnId) -> Vec<String> {
    let told = desk.take_of(phone, "verdicts");
    let results = told
        .iter()
        .flat_map(|told| told["results"].as_array().unwrap().clone());
    results
        .map(|result| result["status"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn half_of_it_is_tried_until_the_store_takes_it() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.start_push(phone, &inserts(1..=8));
    for records in [8, 4, 2] {
        assert_eq!(until_commit(&mut desk), records);
        desk.serve_one(Some(Fate::TooLarge));
    }
    assert_eq!(until_commit(&mut desk), 1);
    desk.serve_one(None);
    // From then on as many as ever.
    assert_eq!(until_commit(&mut desk), 7);
    desk.settle();
    assert_eq!(statuses(&mut desk, phone), vec!["applied"; 8]);
}

#[test]
fn a_mutation_that_is_too_large_by_itself_is_refused_and_blocks_nothing() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.start_push(phone, &inserts(1..=2));
    for _ in 0..2 {
        until_commit(&mut desk);
        desk.serve_one(Some(Fate::TooLarge));
    }
    desk.settle();
    let told = desk.take_of(phone, "verdicts");
    assert_eq!(
        told[0]["results"][0]["code"],
        json!(Code::MutationTooLarge.as_str())
    );
    assert!(desk.stored("k1").is_none() && desk.stored("k2").is_some());
    // And it is remembered: the same number again is the same verdict.
    desk.push(phone, &inserts(1..=1));
    assert_eq!(statuses(&mut desk, phone), ["rejected"]);
}

/// Clients without numbers know of no mutation that is whole or not at all.
#[test]
fn a_changeset_is_merged_in_parts() {
    let mut desk = Desk::new();
    let changes: Vec<Value> = (0..4)
        .map(|n| insertion("tasks", &format!("k{n}"), &json!({"n": n})))
        .collect();
    desk.start_sync("old", &changes);
    for records in [4, 2] {
        assert_eq!(until_commit(&mut desk), records);
        desk.serve_one(Some(Fate::TooLarge));
    }
    desk.settle();
    assert!((0..4).all(|n| desk.stored(&format!("k{n}")).is_some()));
    // Twice too much, then one change, then the rest as ever.
    assert_eq!(desk.commits, 2 + 2);
}
