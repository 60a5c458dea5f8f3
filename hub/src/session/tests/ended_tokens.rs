//! Sockets whose token has ended, and what they are shown.

use serde_json::json;
use syncline_protocol::json::Json;
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, client, insert};
use crate::session::event::{Attach, ConnId, Effect, Event};

/// A phone that writes and a laptop whose token has ended.
fn ended() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    let laptop = desk.hello(2, "laptop", None);
    desk.step(Event::TokenEnded(laptop));
    desk.take(laptop);
    (desk, phone, laptop)
}

fn attach(conn: ConnId, cursor: Option<Cursor>) -> Attach {
    Attach {
        conn,
        client: client("laptop"),
        cursor,
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 3_600,
    }
}

#[test]
fn nothing_new_is_shown_with_a_token_that_ended() {
    let (mut desk, phone, laptop) = ended();
    desk.push(phone, &[insert(1, "k1", &json!({}))]);
    let state = Some(Json::trusted("1"));
    desk.step(Event::Presence { conn: phone, state });
    desk.step(Event::Broadcast {
        conn: phone,
        room: "r".into(),
        data: Json::trusted("1"),
    });
    // Whatever was queued before is written meanwhile.
    desk.step(Event::Drained(laptop));
    desk.step(Event::Missed);
    desk.settle();
    assert_eq!(desk.take(laptop), Vec::<serde_json::Value>::new());
}

#[test]
fn with_a_fresh_token_a_socket_catches_up_from_its_cursor() {
    let (mut desk, phone, laptop) = ended();
    for m in 1..=3 {
        desk.push(phone, &[insert(m, &format!("k{m}"), &json!({}))]);
    }
    let state = Some(Json::trusted("1"));
    desk.step(Event::Presence { conn: phone, state });
    desk.step(Event::TokenRenewed(laptop));
    desk.settle();
    let told = desk.take(laptop);
    let of = |t: &str| told.iter().filter(|m| m["t"] == t).collect::<Vec<_>>();
    assert_eq!(of("presence").len(), 1);
    let deltas = of("delta");
    assert_eq!(
        (&deltas[0]["from"], &deltas[0]["to"]),
        (&json!(0), &json!(3))
    );
    desk.push(phone, &[insert(4, "k4", &json!({}))]);
    assert_eq!(desk.take_of(laptop, "delta")[0]["from"], 3);
}

#[test]
fn what_was_read_for_a_socket_is_not_shown_when_its_token_has_ended_meanwhile() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=250 {
        desk.push(phone, &[insert(m, &format!("k{m:03}"), &json!({}))]);
    }
    for (conn, cursor) in [(2, None), (3, Some(desk.cursor()))] {
        let cursor = cursor.map(|cursor| Cursor { seq: 5, ..cursor });
        desk.page.records = 100;
        let laptop = ConnId(conn);
        desk.step(Event::Attach(Box::new(attach(laptop, cursor))));
        let is_read = |effect: &Effect| {
            matches!(
                effect,
                Effect::ReadSnapshot { .. } | Effect::ReadChanges { .. }
            )
        };
        while !desk.asked.front().is_some_and(is_read) {
            desk.serve_one(None);
        }
        desk.step(Event::TokenEnded(laptop));
        desk.take(laptop);
        desk.settle();
        assert_eq!(desk.take(laptop), Vec::<serde_json::Value>::new());
        desk.step(Event::TokenRenewed(laptop));
        desk.settle();
        let told = desk.take(laptop);
        let changes = told
            .iter()
            .filter_map(|m| m["changes"].as_array())
            .flatten();
        let ids: Vec<_> = changes.map(|change| change["id"].clone()).collect();
        let first = if conn == 2 { 1 } else { 6 };
        let all = (first..=250).map(|m| json!(format!("k{m:03}")));
        assert_eq!(ids, all.collect::<Vec<_>>());
        assert_eq!(told.last().unwrap()["to"], 250);
    }
}

#[test]
fn what_it_wrote_before_is_still_answered() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.start_push(phone, &[insert(1, "k1", &json!({}))]);
    desk.step(Event::TokenEnded(phone));
    desk.take(phone);
    desk.settle();
    let told = desk.take(phone);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["t"], "verdicts");
}
