//! Everything of a space was erased: its devices must drop what they have, and what they had sent.

use serde_json::json;
use syncline_protocol::error::Code;
use syncline_protocol::ids::Epoch;
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, Hello, NOW_MS, client, hello, insert, insertion, mutation, space};
use crate::session::event::{CallId, CallReply, ConnId, Event, Origin, Push, Sender};

/// A session with a phone that made one record, and its cursor.
fn one_record() -> (Desk, ConnId, Option<Cursor>) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    desk.take(phone);
    let cursor = Some(desk.cursor());
    (desk, phone, cursor)
}

fn erase(desk: &mut Desk) {
    desk.store.erase(&space(), NOW_MS).unwrap();
}

#[test]
fn a_live_device_is_told_that_all_was_erased() {
    let (mut desk, phone, _) = one_record();
    erase(&mut desk);
    desk.step(Event::Missed);
    desk.settle();
    let told = desk.take(phone);
    assert_eq!(told[0]["why"], "erased");
    assert_eq!(told[1]["count"], 0);
}

#[test]
fn a_device_that_comes_later_is_told_that_all_was_erased() {
    let (mut desk, _, cursor) = one_record();
    erase(&mut desk);
    let laptop = desk.hello(2, "laptop", cursor);
    assert_eq!(desk.take_of(laptop, "reset")[0]["why"], "erased");
}

#[test]
fn a_device_of_after_the_erasure_is_told_of_another_history() {
    let (mut desk, _, _) = one_record();
    erase(&mut desk);
    desk.step(Event::Missed);
    desk.settle();
    let cursor = Some(desk.cursor());
    let before = desk.store.space(&space()).unwrap().epoch;
    desk.store.new_epoch(&space(), before, NOW_MS).unwrap();
    let laptop = desk.hello(2, "laptop", cursor);
    assert_eq!(desk.take_of(laptop, "reset")[0]["why"], "epoch");
}

#[test]
fn what_was_sent_before_an_erasure_goes_with_it() {
    let (mut desk, _, _) = one_record();
    let laptop = desk.hello(2, "laptop", None);
    desk.take(laptop);
    erase(&mut desk);
    // Its first mutation, which would fit a client that is not known.
    desk.push(laptop, &[insert(1, "k2", &json!({"a": 0}))]);
    let told = desk.take(laptop);
    let place = |what: &str| {
        told.iter()
            .position(|m| m["t"] == what || m["code"] == what)
    };
    assert!(place("reset").unwrap() < place("gap").unwrap(), "{told:?}");
    assert_eq!(desk.stored("k2"), None);
}

#[test]
fn what_is_pushed_before_the_erasure_is_heard_is_not_taken() {
    let (mut desk, _, _) = one_record();
    let laptop = desk.hello(2, "laptop", None);
    erase(&mut desk);
    desk.step(Event::Missed);
    desk.settle();
    // The session knows by now; the laptop has not read its reset.
    desk.push(laptop, &[insert(1, "k2", &json!({"a": 0}))]);
    assert_eq!(desk.take_of(laptop, "error")[0]["code"], "gap");
    assert!(desk.closed.contains_key(&laptop));
    assert_eq!(desk.stored("k2"), None);
}

#[test]
fn a_socket_that_was_told_is_remembered_asleep() {
    let (mut desk, _, cursor) = one_record();
    erase(&mut desk);
    let laptop = desk.hello(2, "laptop", cursor);
    desk.sleep();
    desk.push(laptop, &[insert(1, "k2", &json!({"a": 0}))]);
    assert_eq!(desk.stored("k2"), None);
}

#[test]
fn who_comes_back_after_the_erasure_is_heard_as_ever() {
    let (mut desk, _, cursor) = one_record();
    erase(&mut desk);
    desk.hello(2, "laptop", cursor);
    let laptop = desk.hello(3, "laptop", None);
    desk.push(laptop, &[insert(1, "k2", &json!({"a": 0}))]);
    assert_eq!(desk.stored("k2"), Some(json!({"a": 0})));
}

fn epoch(desk: &Desk) -> Epoch {
    desk.store.space(&space()).unwrap().epoch
}

#[test]
fn a_device_without_a_cursor_is_told_by_the_epoch_it_knew() {
    let (mut desk, _, _) = one_record();
    let known = epoch(&desk);
    let say_hello = |desk: &mut Desk, conn, epoch| {
        desk.hello_with(Hello {
            epoch: Some(epoch),
            ..hello(conn, "laptop")
        })
    };
    let laptop = say_hello(&mut desk, 2, known);
    assert!(desk.take_of(laptop, "reset").is_empty());
    erase(&mut desk);
    let laptop = say_hello(&mut desk, 3, known);
    assert_eq!(desk.take_of(laptop, "reset")[0]["why"], "erased");
    let now = epoch(&desk);
    let laptop = say_hello(&mut desk, 4, now);
    assert!(desk.take_of(laptop, "reset").is_empty());
}

/// Pushes by HTTP what a device made that knew an epoch.
fn call(desk: &mut Desk, epoch: Epoch) -> CallReply {
    let sender = Sender {
        client: client("phone"),
        epoch: Some(epoch),
    };
    desk.step(Event::Push(Push {
        origin: Origin::Call(CallId(1), sender),
        muts: vec![mutation(&insert(1, "k1", &json!({"a": 0})))],
        permit: None,
    }));
    desk.settle();
    desk.replies.remove(&CallId(1)).unwrap()
}

#[test]
fn a_late_copy_of_a_push_over_http_brings_nothing_back() {
    let (mut desk, _, _) = one_record();
    let known = epoch(&desk);
    erase(&mut desk);
    // The session does not know yet, then it does.
    for _ in 0..2 {
        call(&mut desk, known);
        assert_eq!(desk.stored("k1"), None);
    }
    assert!(matches!(call(&mut desk, known), CallReply::Erased));
    let now = epoch(&desk);
    assert!(matches!(call(&mut desk, now), CallReply::Results { .. }));
    assert_eq!(desk.stored("k1"), Some(json!({"a": 0})));
}

#[test]
fn a_changeset_of_before_an_erasure_is_named_and_not_stored() {
    let (mut desk, _, _) = one_record();
    let before = desk.since();
    erase(&mut desk);
    let changes = [insertion("tasks", "k2", &json!({"a": 0}))];
    desk.start_sync_since("old", &changes, before);
    desk.settle();
    let synced = desk.synced();
    assert_eq!(synced.conflicts[0].code, Code::Erased);
    assert_eq!(desk.stored("k2"), None);
    assert_eq!(desk.sync_at_head("old", &changes).conflicts, []);
    assert_eq!(desk.stored("k2"), Some(json!({"a": 0})));
}
