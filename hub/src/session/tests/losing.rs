//! What a session has learnt is of one history and one moment: marks and verdicts of another
//! are not believed.

use serde_json::json;

use super::desk::{Desk, insert, space, update};
use crate::session::event::{Attach, ConnId, Effect, Event, Note};

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
    desk.start_push(laptop, &[insert(2, "k1", &json!({}))]);
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
