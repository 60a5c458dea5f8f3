//! What was collected: a session trusts nothing that it read before, and nobody keeps what was
//! deleted.

use serde_json::json;
use syncline_protocol::ids::Seq;
use syncline_storage::types::{Collect, Keys};

use super::desk::{Desk, NOW_MS, client, delete, insert, space, update};
use crate::session::event::{CallReply, ConnId, Event};

/// Everything that is dead, and every number of a client.
const ALL: Collect = Collect {
    dead_before_ms: NOW_MS + 1,
    marks_before_ms: NOW_MS + 1,
    keys: Keys::Remove,
    limit: 100,
    bytes: usize::MAX,
};

/// The same, but only the dead.
const DEAD: Collect = Collect {
    marks_before_ms: 0,
    ..ALL
};

/// A session with a phone that made a record, and deleted it.
fn one_tombstone() -> (Desk, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    desk.push(phone, &[delete(2, "k1", 5)]);
    desk.take(phone);
    (desk, phone)
}

#[test]
fn a_cached_tombstone_that_was_collected_is_merged_onto_no_more() {
    let (mut desk, phone) = one_tombstone();
    desk.store.collect(&space(), DEAD).unwrap();
    desk.push(phone, &[update(3, "k1", "a", &json!(1), 9)]);
    let verdicts = desk.take_of(phone, "verdicts");
    assert_eq!(verdicts[0]["results"][0]["code"], "record_unknown");
    assert_eq!(desk.stored("k1"), None);
}

#[test]
fn a_live_device_that_has_everything_goes_on_after_a_collection() {
    let (mut desk, phone) = one_tombstone();
    desk.store.collect(&space(), DEAD).unwrap();
    desk.step(Event::Missed);
    desk.settle();
    assert!(desk.take_of(phone, "reset").is_empty());
    assert_eq!(desk.state.view().head, Seq(3));
}

#[test]
fn live_devices_of_a_session_that_missed_a_tombstone_are_reset() {
    let (mut desk, phone) = one_tombstone();
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let laptop = other.hello(2, "laptop", None);
    other.push(laptop, &[insert(1, "k2", &json!({}))]);
    other.push(laptop, &[delete(2, "k2", 9)]);
    desk.store = other.store;
    desk.store.collect(&space(), DEAD).unwrap();
    desk.step(Event::Missed);
    desk.settle();
    let reset = desk.take(phone);
    assert_eq!(reset[0]["why"], "gc");
    assert_eq!(reset.last().unwrap()["to"], 5);
}

#[test]
fn a_client_whose_numbers_were_collected_is_told_that_none_is_known() {
    let (mut desk, phone) = one_tombstone();
    desk.store.collect(&space(), ALL).unwrap();
    desk.push(phone, &[insert(3, "k3", &json!({}))]);
    let told = desk.take_of(phone, "error");
    assert_eq!(told[0]["code"], "gap");
    assert_eq!(told[0]["acked"], json!(null));
}

#[test]
fn a_client_whose_numbers_were_collected_may_begin_again() {
    let (mut desk, _) = one_tombstone();
    desk.store.collect(&space(), ALL).unwrap();
    let reply = desk.call(7, "phone", &[insert(3, "k3", &json!({}))]);
    assert!(matches!(reply, CallReply::Gap(None)), "{reply:?}");
    let reply = desk.call(8, "phone", &[insert(1, "k4", &json!({}))]);
    assert!(matches!(reply, CallReply::Results { .. }), "{reply:?}");
    let mark = desk.store.marks(&space(), &[client("phone")]).unwrap();
    let last = mark.marks[0].as_ref().and_then(|mark| mark.last);
    assert_eq!(last, Some(1));
}

#[test]
fn a_client_that_began_again_on_another_node_blocks_nobody() {
    let (mut desk, phone) = one_tombstone();
    desk.store.collect(&space(), ALL).unwrap();
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let reply = other.call(7, "phone", &[insert(1, "k2", &json!({}))]);
    assert!(matches!(reply, CallReply::Results { .. }), "{reply:?}");
    desk.store = other.store;
    desk.push(phone, &[insert(3, "k3", &json!({}))]);
    let told = desk.take_of(phone, "error");
    assert_eq!(
        (&told[0]["code"], &told[0]["acked"]),
        (&json!("gap"), &json!(1))
    );
}
