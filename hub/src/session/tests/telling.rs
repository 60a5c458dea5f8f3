//! Fan-out: who is told what.

use std::collections::BTreeMap;

use serde_json::json;
use syncline_protocol::json::Json;
use syncline_storage::model::ModelStore;

use super::desk::{Desk, Hello, hello, insert, insertion, update};
use crate::session::event::{ConnId, Effect, Event, Note};
use crate::session::state::SessionLimits;

fn two_devices() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    let laptop = desk.hello(2, "laptop", None);
    desk.push(
        phone,
        &[insert(1, "k1", &json!({"title": "a", "done": false}))],
    );
    desk.take(phone);
    desk.take(laptop);
    (desk, phone, laptop)
}

#[test]
fn a_change_reaches_the_other_device_and_its_author() {
    let (mut desk, phone, laptop) = two_devices();
    desk.push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    let expected = json!({"t": "delta", "from": 1, "to": 2, "changes": [{
        "seq": 2, "table": "tasks", "id": "k1", "op": "update",
        "fields": {"done": {"value": true, "updatedAt": super::desk::stamp(5)}},
        "data": {"done": true, "title": "a"}, "by": "phone"}]});
    assert_eq!(desk.take_of(laptop, "delta"), vec![expected.clone()]);
    assert_eq!(desk.take_of(phone, "delta"), vec![expected]);
}

#[test]
fn a_change_of_stamps_only_moves_cursors_and_shows_nothing() {
    let (mut desk, phone, _) = two_devices();
    desk.push(phone, &[update(2, "k1", "done", &json!(false), 5)]);
    let delta = &desk.take_of(phone, "delta")[0];
    assert_eq!((&delta["to"], &delta["changes"]), (&json!(2), &json!([])));
}

#[test]
fn a_change_that_changes_nothing_makes_no_commit_and_no_delta() {
    let (mut desk, phone, laptop) = two_devices();
    desk.push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    desk.take(laptop);
    desk.push(phone, &[update(3, "k1", "done", &json!(true), 5)]);
    assert_eq!(desk.head(), 2);
    assert_eq!(desk.take(laptop), Vec::<serde_json::Value>::new());
}

#[test]
fn a_device_is_told_of_its_tables_only() {
    let (mut desk, phone, _) = two_devices();
    let cursor = Some(desk.cursor());
    let tablet = Hello {
        cursor,
        tables: Some(&["projects"]),
        ..hello(3, "tablet")
    };
    let tablet = desk.hello_with(tablet);
    desk.take(tablet);
    desk.push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    assert_eq!(desk.take(tablet), Vec::<serde_json::Value>::new());
    desk.push(
        phone,
        &[json!({"m": 3, "changes": [insertion("projects", "p1", &json!({}))]})],
    );
    let delta = &desk.take_of(tablet, "delta")[0];
    assert_eq!((&delta["from"], &delta["to"]), (&json!(1), &json!(3)));
    assert_eq!(delta["changes"].as_array().unwrap().len(), 1);
}

#[test]
fn an_author_whose_tables_do_not_show_it_still_sees_its_cursor_pass() {
    let (mut desk, _, _) = two_devices();
    let cursor = Some(desk.cursor());
    let tablet = Hello {
        cursor,
        tables: Some(&["projects"]),
        ..hello(3, "tablet")
    };
    let tablet = desk.hello_with(tablet);
    desk.push(tablet, &[update(1, "k1", "done", &json!(true), 5)]);
    let delta = &desk.take_of(tablet, "delta")[0];
    assert_eq!((&delta["to"], &delta["changes"]), (&json!(2), &json!([])));
}

#[test]
fn a_cursor_without_anything_to_show_moves_every_64_commits() {
    let (mut desk, phone, _) = two_devices();
    let cursor = Some(desk.cursor());
    let tablet = Hello {
        cursor,
        tables: Some(&["projects"]),
        ..hello(3, "tablet")
    };
    let tablet = desk.hello_with(tablet);
    desk.take(tablet);
    for m in 2..=64 {
        desk.push(phone, &[update(m, "k1", "n", &json!(m), m)]);
    }
    assert_eq!(desk.take(tablet).len(), 0);
    desk.push(phone, &[update(65, "k1", "n", &json!(65), 65)]);
    let delta = &desk.take(tablet)[0];
    assert_eq!((&delta["from"], &delta["to"]), (&json!(1), &json!(65)));
}

#[test]
fn a_large_commit_is_told_in_parts_that_leave_the_cursor_until_the_last() {
    let (mut desk, phone, laptop) = two_devices();
    let text = "x".repeat(100_000);
    let changes: Vec<_> = (0..9)
        .map(|i| insertion("tasks", &format!("big{i}"), &json!({"text": text})))
        .collect();
    desk.push(phone, &[json!({"m": 2, "changes": changes})]);
    let deltas = desk.take_of(laptop, "delta");
    let (last, parts) = deltas.split_last().unwrap();
    assert!(!parts.is_empty());
    for part in parts {
        assert_eq!(
            (&part["from"], &part["to"], &part["more"]),
            (&json!(1), &json!(1), &json!(true))
        );
        assert!(part.to_string().len() <= syncline_protocol::limits::MESSAGE_BYTES_MAX);
    }
    assert_eq!(
        (&last["from"], &last["to"], &last["more"]),
        (&json!(1), &json!(2), &json!(null))
    );
    let told: usize = deltas
        .iter()
        .map(|delta| delta["changes"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, 9);
}

/// A session that tells so much live, with a device of all tables and one of projects.
fn telling_at_most(live_bytes_max: usize) -> (Desk, ConnId, ConnId) {
    let limits = SessionLimits {
        live_bytes_max,
        ..SessionLimits::default()
    };
    let mut desk = Desk::on(ModelStore::new(100), limits);
    let phone = desk.hello(1, "phone", None);
    let tablet = desk.hello_with(Hello {
        tables: Some(&["projects"]),
        ..hello(2, "tablet")
    });
    desk.take(phone);
    desk.take(tablet);
    (desk, phone, tablet)
}

/// Inserts a long task and a short project.
fn two_tables() -> serde_json::Value {
    let task = insertion("tasks", "k1", &json!({"title": "x".repeat(5_000)}));
    let project = insertion("projects", "p1", &json!({"title": "y"}));
    json!({"m": 1, "changes": [task, project]})
}

#[test]
fn a_commit_too_large_to_be_told_live_is_read_by_those_who_want_it() {
    let (mut desk, phone, tablet) = telling_at_most(5_000);
    desk.start_push(phone, &[two_tables()]);
    while !matches!(desk.asked.front(), Some(Effect::ReadChanges { .. })) {
        desk.serve_one(None);
    }
    assert_eq!(
        desk.take_of(phone, "delta"),
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(desk.take_of(tablet, "delta").len(), 1);
    desk.settle();
    let told = desk.take_of(phone, "delta");
    assert_eq!((&told[0]["from"], &told[0]["to"]), (&json!(0), &json!(1)));
    assert_eq!(told[0]["changes"].as_array().unwrap().len(), 2);
    // It is live again.
    desk.push(phone, &[insert(2, "k2", &json!({}))]);
    assert_eq!(
        desk.notes.iter().filter(|n| **n == Note::CatchUp).count(),
        3
    );
    assert_eq!(desk.take_of(phone, "delta").len(), 1);
}

#[test]
fn what_is_told_live_is_bounded_in_bytes() {
    for (live_bytes_max, live) in [(4_999, false), (6_000, true)] {
        let (mut desk, phone, _) = telling_at_most(live_bytes_max);
        desk.start_push(phone, &[two_tables()]);
        while desk.commits == 0 {
            desk.serve_one(None);
        }
        assert_eq!(!desk.take_of(phone, "delta").is_empty(), live);
    }
}

#[test]
fn a_commit_is_encoded_once_for_all_who_are_told_the_same() {
    let (mut desk, phone, tablet) = telling_at_most(6_000);
    let laptop = desk.hello(3, "laptop", None);
    desk.settle();
    desk.live.clear();
    desk.push(phone, &[two_tables()]);
    let told: BTreeMap<_, _> = desk
        .live
        .iter()
        .map(|(conn, frame)| (*conn, frame.bytes()))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[&phone].as_ptr(), told[&laptop].as_ptr());
    assert_ne!(told[&phone], told[&tablet]);
}

#[test]
fn a_full_outbox_is_resynced_from_its_cursor_when_it_drains() {
    let (mut desk, phone, laptop) = two_devices();
    desk.full.push(laptop);
    for m in 2..=4 {
        desk.push(phone, &[update(m, "k1", "done", &json!(m), m)]);
    }
    assert_eq!(desk.take(laptop), Vec::<serde_json::Value>::new());
    desk.step(Event::Drained(laptop));
    desk.settle();
    let deltas = desk.take_of(laptop, "delta");
    assert_eq!(
        (&deltas[0]["from"], &deltas[0]["to"]),
        (&json!(1), &json!(4))
    );
    desk.push(phone, &[update(5, "k1", "done", &json!(5), 5)]);
    assert_eq!(desk.take_of(laptop, "delta")[0]["from"], 4);
}

#[test]
fn presence_is_shown_to_others_and_gone_with_its_socket() {
    let (mut desk, phone, laptop) = two_devices();
    let state = Some(Json::trusted(r#"{"at":"k1"}"#));
    desk.step(Event::Presence { conn: phone, state });
    assert_eq!(desk.take_of(phone, "presence").len(), 0);
    let shown = json!({"t": "presence", "client": "phone", "state": {"at": "k1"}});
    assert_eq!(desk.take_of(laptop, "presence"), vec![shown.clone()]);
    let tablet = desk.hello(3, "tablet", None);
    assert_eq!(desk.take_of(tablet, "presence"), vec![shown]);
    desk.step(Event::Detach(phone));
    assert_eq!(desk.take_of(laptop, "presence")[0]["state"], json!(null));
}

#[test]
fn a_broadcast_reaches_the_others_only() {
    let (mut desk, phone, laptop) = two_devices();
    let data = Json::trusted("[1]");
    desk.step(Event::Broadcast {
        conn: phone,
        room: "r1".into(),
        data,
    });
    assert_eq!(desk.take(phone).len(), 0);
    let expected = json!({"t": "broadcast", "room": "r1", "from": "phone", "data": [1]});
    assert_eq!(desk.take(laptop), vec![expected]);
}
