//! What another node tells: it counts only where it goes on from what the session knows, in the
//! same history, and it tells nothing of what was before.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_cluster::event::CommitEvent;
use syncline_protocol::ids::{NodeId, Seq};
use syncline_storage::model::ModelStore;
use syncline_storage::types::SpaceView;

use super::desk::{Desk, NOW_MS, client, insert, space, stamp, update};
use crate::session::event::{ConnId, Effect, Event, Note};
use crate::session::state::SessionLimits;

const HOUR_MS: u64 = 3_600_000;

/// A session with a phone that made one record.
fn one_record() -> (Desk, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    desk.take(phone);
    (desk, phone)
}

/// A session of another node, on its own copy of a store.
fn node_on(store: &ModelStore) -> Desk {
    Desk::on(store.clone(), SessionLimits::default())
}

/// The operator's part of a restore.
fn new_epoch(store: &mut ModelStore) {
    let before = store.space(&space()).unwrap().epoch;
    store.new_epoch(&space(), before, NOW_MS).unwrap();
}

/// Goes on until a commit is made, and says what the other nodes are told of it.
fn told_by(node: &mut Desk) -> Event {
    while !matches!(node.asked.front(), Some(Effect::Commit(_))) {
        node.serve_one(None);
    }
    let Some(Effect::Commit(commit)) = node.asked.front() else {
        panic!("no commit")
    };
    let event = CommitEvent::of(commit, &NodeId::trusted("n2"));
    node.settle();
    Event::Heard(Arc::new(event))
}

/// Hears of a commit of another history: the device is told nothing of it but that its own
/// history is over.
fn is_reset_by(event: Event, (mut desk, phone): (Desk, ConnId)) {
    desk.step(event);
    let told = desk.take(phone);
    assert_eq!(told, Vec::<Value>::new());
    desk.settle();
    assert_eq!(desk.take_of(phone, "reset").len(), 1);
    let epoch = desk.store.space(&space()).unwrap().epoch;
    assert_eq!(desk.state.view().epoch, epoch);
}

#[test]
fn a_commit_of_another_history_at_the_same_head_is_not_applied() {
    let (mut one, phone) = one_record();
    new_epoch(&mut one.store);
    let mut other = node_on(&one.store);
    let laptop = other.hello(2, "laptop", None);
    other.start_push(laptop, &[update(1, "k1", "a", &json!(1), 5)]);
    let event = told_by(&mut other);
    one.store = other.store;
    is_reset_by(event, (one, phone));
}

#[test]
fn a_commit_of_another_history_below_the_head_is_noticed() {
    let (mut one, phone) = one_record();
    let mut backup = one.store.clone();
    one.push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    one.push(phone, &[update(3, "k1", "a", &json!(2), 6)]);
    one.take(phone);
    new_epoch(&mut backup);
    let mut other = node_on(&backup);
    let laptop = other.hello(2, "laptop", None);
    other.start_push(laptop, &[update(1, "k1", "a", &json!(3), 7)]);
    let event = told_by(&mut other);
    one.store = other.store;
    is_reset_by(event, (one, phone));
}

#[test]
fn a_head_that_is_known_asks_nothing_of_the_store() {
    let (mut desk, _) = one_record();
    let SpaceView { epoch, head, .. } = desk.state.view();
    for head in [Seq(0), head] {
        desk.step(Event::HeadHeard { epoch, head });
        assert!(desk.asked.is_empty());
    }
}

/// What led there was not heard, and nothing more is told.
#[test]
fn a_head_that_is_further_brings_devices_there() {
    let (mut one, phone) = one_record();
    let mut other = node_on(&one.store);
    let laptop = other.hello(2, "laptop", None);
    other.push(laptop, &[update(1, "k1", "a", &json!(1), 5)]);
    one.store = other.store;
    let SpaceView { epoch, head, .. } = other.state.view();
    one.step(Event::HeadHeard { epoch, head });
    one.settle();
    let told = one.take_of(phone, "delta");
    assert_eq!(told[0]["changes"][0]["data"], json!({"a": 1}));
    assert_eq!(one.state.view().head, head);
}

#[test]
fn a_gap_is_noted_once_and_a_commit_heard_twice_is_none() {
    let (mut one, _) = one_record();
    let mut other = node_on(&one.store);
    let laptop = other.hello(2, "laptop", None);
    let mut events = Vec::new();
    for m in 1..=3 {
        other.start_push(laptop, &[update(m, "k1", "a", &json!(m), 5 + m)]);
        let Event::Heard(event) = told_by(&mut other) else {
            panic!("no commit")
        };
        events.push(event);
    }
    one.store = other.store;
    one.step(Event::Heard(events[0].clone()));
    one.step(Event::Heard(events[0].clone()));
    assert!(!one.notes.contains(&Note::Gap));
    one.step(Event::Heard(events[2].clone()));
    one.settle();
    one.step(Event::Heard(events[2].clone()));
    let gaps = one.notes.iter().filter(|note| **note == Note::Gap);
    assert_eq!(gaps.count(), 1);
    assert_eq!(one.state.view().head, events[2].to);
}

/// An update of the record at so many milliseconds after the beginning.
fn written(value: &str, at_ms: u64) -> Value {
    let fields = json!({"a": {"value": value, "updatedAt": stamp(at_ms)}});
    json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields})
}

/// The first event was lost, and it was of marks alone: the second one goes on from the head.
#[test]
fn a_client_only_heard_of_is_asked_for_what_it_was_given() {
    let (mut one, phone) = one_record();
    one.push(phone, &[update(2, "k1", "a", &json!("phone"), 50_000)]);
    let mut other = node_on(&one.store);
    let fast = [written("fast", HOUR_MS)];
    other.sync("laptop", &fast);
    let data = json!({"updatedAt": stamp(0)});
    let inserted = json!({"table": "tasks", "id": "k2", "op": "insert", "data": data});
    other.start_sync("laptop", &[inserted]);
    let event = told_by(&mut other);
    one.store = other.store;
    one.step(event);
    assert!(one.asked.is_empty());
    one.now_ms = NOW_MS + 100_000;
    one.sync("laptop", &fast);
    assert_eq!(one.stored("k1"), Some(json!({"a": "phone"})));
    assert!(!one.notes.contains(&Note::Conflict));
}

#[test]
fn what_was_given_in_a_lost_history_is_given_anew() {
    let (mut one, phone) = one_record();
    one.push(phone, &[update(2, "k1", "a", &json!("phone"), 50_000)]);
    let mut backup = one.store.clone();
    let fast = [written("fast", HOUR_MS)];
    one.sync("laptop", &fast);
    new_epoch(&mut backup);
    one.store = backup;
    one.step(Event::Missed);
    one.settle();
    let mark = one.store.marks(&space(), &[client("laptop")]).unwrap();
    assert_eq!(mark.marks, [None]);
    one.now_ms = NOW_MS + 100_000;
    one.sync("laptop", &fast);
    assert_eq!(one.stored("k1"), Some(json!({"a": "fast"})));
    assert!(!one.notes.contains(&Note::Conflict));
}
