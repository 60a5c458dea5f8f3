//! What a session has learnt is of one history and one moment: marks and verdicts of another
//! are not believed.

use std::collections::BTreeSet;

use serde_json::json;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::ids::WriterNo;

use super::desk::{Desk, insert, space, update};
use crate::session::event::{Attach, CallId, ConnId, Effect, Event, MarksFor, Note};

/// A phone with one record, attached.
fn one_record() -> (Desk, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    desk.take(phone);
    (desk, phone)
}

fn attach(conn: u64, name: &str) -> Event {
    Event::Attach(Box::new(Attach {
        conn: ConnId(conn),
        client: super::desk::client(name),
        cursor: None,
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    }))
}

/// The operator's part of a restore: a new epoch.
fn new_epoch(desk: &mut Desk) {
    let before = desk.store.space(&space()).unwrap().epoch;
    desk.store.new_epoch(&space(), before, 0).unwrap();
}

#[test]
fn a_mutation_decided_elsewhere_while_it_waits_has_no_second_effect() {
    let (mut desk, phone) = one_record();
    let edit = update(2, "unknown", "a", &json!(1), 5);
    desk.start_push(phone, std::slice::from_ref(&edit));
    // Meanwhile the same mutation is rejected on another node, which leaves the head.
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let moved = other.hello(1, "phone", None);
    other.push(moved, &[edit]);
    desk.store = other.store;
    // A new socket of the phone teaches this session the mark before it judges.
    desk.step(attach(2, "phone"));
    let read = desk.asked.pop_back().unwrap();
    assert!(matches!(read, Effect::ReadMarks(..)));
    let answer = desk.answer(read, None);
    desk.step(Event::Store(answer));
    desk.settle();
    assert!(desk.notes.contains(&Note::Conflict));
    assert_eq!(desk.take_of(ConnId(2), "welcome")[0]["acked"], 2);
}

#[test]
fn a_mark_read_in_a_lost_history_is_read_again() {
    let (mut desk, _) = one_record();
    let backup = desk.store.clone();
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let moved = other.hello(1, "phone", None);
    other.push(moved, &[update(2, "k1", "a", &json!(1), 5)]);
    desk.store = other.store;
    desk.step(attach(2, "phone"));
    desk.serve_one(None); // its mark, ahead of the session
    desk.store = backup;
    new_epoch(&mut desk);
    desk.settle();
    assert_eq!(desk.take_of(ConnId(2), "welcome")[0]["acked"], 1);
}

#[test]
fn a_verdict_read_in_another_history_is_not_told() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[insert(1, "k1", &json!({"a": 0}))]);
    assert!(matches!(desk.asked[0], Effect::ReadVerdicts(..)));
    new_epoch(&mut desk);
    desk.settle();
    let sent = desk.take(phone);
    assert!(
        sent.iter().all(|message| message["t"] != "verdicts"),
        "{sent:?}"
    );
    assert!(sent.iter().any(|message| message["code"] == "unavailable"));
}

#[test]
fn a_store_that_lost_commits_does_not_turn_a_cursor_back() {
    let (mut desk, phone) = one_record();
    let backup = desk.store.clone();
    desk.push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    let cursor = Some(desk.cursor());
    desk.push(phone, &[update(3, "k1", "a", &json!(2), 6)]);
    let Event::Attach(mut laptop) = attach(2, "laptop") else {
        unreachable!()
    };
    laptop.cursor = cursor;
    desk.step(Event::Attach(laptop));
    desk.serve_one(None); // its mark
    assert!(matches!(desk.asked[0], Effect::ReadChanges { .. }));
    desk.store = backup;
    desk.settle();
    let sent = desk.take(ConnId(2));
    let back = |m: &&serde_json::Value| m["t"] == "delta" && m["to"].as_u64() < m["from"].as_u64();
    assert_eq!(sent.iter().find(back), None);
    assert!(sent.iter().any(|message| message["why"] == "epoch"));
}

#[test]
fn a_writer_number_the_store_has_lost_is_not_given_again() {
    let mut desk = Desk::new();
    let backup = desk.store.clone();
    let phone = desk.hello(1, "phone", None);
    let laptop = desk.hello(2, "laptop", None);
    desk.push(phone, &[update(1, "unknown", "a", &json!(1), 5)]);
    desk.push(laptop, &[update(1, "unknown", "a", &json!(1), 5)]);
    // Only marks were lost, so the head does not show it.
    desk.store = backup;
    desk.step(Event::Missed);
    desk.settle();
    // What was decided of the laptop is gone too: it begins again.
    desk.start_push(laptop, &[insert(1, "k1", &json!({}))]);
    while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
        desk.serve_one(None);
    }
    let Some(Effect::Commit(commit)) = desk.asked.front() else {
        panic!("no commit")
    };
    assert!(
        commit
            .marks
            .iter()
            .all(|mark| mark.writer <= commit.writers)
    );
}

/// Its commit would stand on a number that is gone, and conflict again and again.
#[test]
fn a_client_whose_numbers_the_store_has_lost_is_told_that_none_is_known() {
    let mut desk = Desk::new();
    let backup = desk.store.clone();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[update(1, "unknown", "a", &json!(1), 5)]);
    desk.take(phone);
    // Only marks were lost, so the head does not show it.
    desk.store = backup;
    desk.push(phone, &[insert(2, "k1", &json!({"a": 2}))]);
    let told = desk.take_of(phone, "error");
    let told: Vec<_> = told.iter().map(|m| (&m["code"], &m["acked"])).collect();
    assert_eq!(told, [(&json!("gap"), &json!(null))]);
    assert_eq!(desk.stored("k1"), None);
    // It takes a new id, and numbers what it has not been told of from 1.
    let again = desk.hello(2, "phone again", None);
    desk.push(again, &[insert(1, "k1", &json!({"a": 2}))]);
    assert_eq!(desk.stored("k1"), Some(json!({"a": 2})));
}

/// The number was of another payload, of which nobody knows any more: it is no repeat.
#[test]
fn a_number_the_store_has_lost_is_of_what_comes_under_it_then() {
    let mut desk = Desk::new();
    let backup = desk.store.clone();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[update(1, "unknown", "a", &json!(1), 5)]);
    desk.take(phone);
    desk.store = backup;
    desk.step(Event::Missed);
    desk.settle();
    let first = insert(1, "k1", &json!({"a": 1}));
    desk.push(phone, std::slice::from_ref(&first));
    desk.push(phone, &[insert(1, "k1", &json!({"a": 2}))]);
    let head = desk.head();
    desk.push(phone, &[first]);
    assert_eq!(desk.stored("k1"), Some(json!({"a": 1})));
    assert_eq!(desk.head(), head);
    let told = desk.take_of(phone, "verdicts");
    let codes: Vec<_> = told.iter().map(|m| &m["results"][0]["code"]).collect();
    assert_eq!(codes, [&json!(null), &json!("number_reused"), &json!(null)]);
}

/// Two reads of one mark may be answered in the other order.
#[test]
fn an_older_read_of_a_mark_takes_back_nothing_that_was_learnt_since() {
    let (mut desk, _) = one_record();
    desk.step(Event::Missed);
    desk.serve_one(None); // the view
    let older = desk.asked.pop_front().unwrap();
    assert!(matches!(older, Effect::ReadMarks(MarksFor::Refresh(_), _)));
    let older = desk.answer(older, None);
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let moved = other.hello(1, "phone", None);
    other.push(moved, &[update(2, "unknown", "a", &json!(1), 5)]);
    desk.store = other.store;
    desk.step(attach(2, "phone"));
    desk.serve_one(None); // its mark
    assert_eq!(desk.take_of(ConnId(2), "welcome")[0]["acked"], 2);
    desk.start_push(ConnId(2), &[update(3, "k1", "a", &json!(3), 6)]);
    desk.step(Event::Store(older));
    desk.settle();
    assert_eq!(
        desk.take_of(ConnId(2), "error"),
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(desk.stored("k1"), Some(json!({"a": 3})));
}

#[test]
fn a_writer_number_of_commits_the_store_has_lost_is_no_clients() {
    let change = |id| json!({"table": "tasks", "id": id, "op": "insert", "data": {"a": 0}});
    let mut desk = Desk::new();
    desk.sync("phone", &[change("k1")]);
    let backup = desk.store.clone();
    let mut other = Desk::on(desk.store.clone(), Default::default());
    other.sync("tablet", &[change("k2")]);
    desk.start_sync_as(CallId(7), "watch", &[change("k4")], Since::Empty);
    desk.start_sync("tablet", &[change("k3")]);
    goes_on_to(&mut desk, |effect| matches!(effect, Effect::Commit(_)));
    desk.store = other.store.clone();
    desk.serve_one(None); // a conflict
    desk.store = backup.clone();
    goes_on_to(&mut desk, |effect| {
        matches!(effect, Effect::ReadMarks(MarksFor::Refresh(_), _))
    });
    desk.store = other.store;
    desk.serve_one(None); // its mark, ahead of the session
    desk.store = backup;
    goes_on_to(&mut desk, |effect| matches!(effect, Effect::Commit(_)));
    let Some(Effect::Commit(commit)) = desk.asked.front() else {
        panic!("no commit")
    };
    let writers: BTreeSet<_> = commit.marks.iter().map(|mark| mark.writer).collect();
    assert_eq!(writers, [WriterNo(2), WriterNo(3)].into());
}

fn goes_on_to(desk: &mut Desk, is_it: impl Fn(&Effect) -> bool) {
    while !desk.asked.front().is_some_and(&is_it) {
        desk.serve_one(None);
    }
}
