//! Everything of a space was erased: its devices must drop what they have, and what they had sent.

use serde_json::json;
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, NOW_MS, insert, space};
use crate::session::event::{ConnId, Event};

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
