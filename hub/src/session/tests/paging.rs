//! Commits larger than a page: they are read and told in parts, and shown by nobody before the
//! last.

use serde_json::{Value, json};
use syncline_protocol::ids::Seq;
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, Fate, client, insertion, space, stamp};
use crate::session::event::{Attach, ConnId, Effect, Event, Note};

/// A mutation that inserts so many records, k0, k1, …
fn insert_all(m: u64, count: usize) -> Value {
    let change = |n| insertion("tasks", &format!("k{n}"), &json!({"n": n}));
    json!({"m": m, "changes": (0..count).map(change).collect::<Vec<_>>()})
}

/// A mutation that updates some of them.
fn update_all(m: u64, ids: &[&str]) -> Value {
    let fields = json!({"n": {"value": 9, "updatedAt": stamp(m)}});
    let change = |id| json!({"table": "tasks", "id": id, "op": "update", "fields": fields.clone()});
    json!({"m": m, "changes": ids.iter().map(change).collect::<Vec<_>>()})
}

/// What each delta says of the cursor, and what it tells.
fn parts(deltas: &[Value]) -> Vec<(u64, u64, bool, String)> {
    let ids = |delta: &Value| {
        let changes = delta["changes"].as_array().unwrap().iter();
        let ids: Vec<_> = changes
            .map(|change| change["id"].as_str().unwrap())
            .collect();
        ids.join(" ")
    };
    let part = |delta: &Value| {
        let at = |name: &str| delta[name].as_u64().unwrap();
        (at("from"), at("to"), delta["more"] == true, ids(delta))
    };
    deltas.iter().map(part).collect()
}

fn part(from: u64, to: u64, more: bool, ids: &str) -> (u64, u64, bool, String) {
    (from, to, more, ids.into())
}

fn at_seq(desk: &Desk, seq: u64) -> Cursor {
    Cursor {
        seq,
        ..desk.cursor()
    }
}

/// A device at a cursor whose mark was read and whose first page is asked for.
fn attached(desk: &mut Desk, seq: u64) -> ConnId {
    let cursor = Some(at_seq(desk, seq));
    desk.step(Event::Attach(Box::new(Attach {
        conn: ConnId(2),
        client: client("laptop"),
        cursor,
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    })));
    desk.serve_one(None);
    assert!(matches!(
        desk.asked.front(),
        Some(Effect::ReadChanges { .. })
    ));
    ConnId(2)
}

/// A space with one commit of three records, a device before it that has its first record, and
/// pages of one.
fn inside_a_commit() -> (Desk, ConnId, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert_all(1, 3)]);
    desk.page.records = 1;
    let laptop = attached(&mut desk, 0);
    desk.serve_one(None);
    assert_eq!(
        parts(&desk.take_of(laptop, "delta")),
        [part(0, 0, true, "k0")]
    );
    (desk, phone, laptop)
}

#[test]
fn a_commit_larger_than_a_page_moves_the_cursor_with_its_last_part() {
    let (mut desk, _, laptop) = inside_a_commit();
    desk.settle();
    assert_eq!(
        parts(&desk.take_of(laptop, "delta")),
        [part(0, 0, true, "k1"), part(0, 1, false, "k2")]
    );
}

#[test]
fn the_next_part_is_read_when_the_last_is_written() {
    let (mut desk, _, laptop) = inside_a_commit();
    assert!(desk.asked.is_empty());
    desk.step(Event::Drained(laptop));
    assert_eq!(desk.asked.len(), 1);
}

#[test]
fn what_moves_on_between_two_parts_is_told_in_a_later_one() {
    let (mut desk, phone, laptop) = inside_a_commit();
    desk.start_push(phone, &[update_all(2, &["k0", "k1"])]);
    while !desk.asked.is_empty() {
        desk.serve_one(None);
    }
    desk.settle();
    assert_eq!(
        parts(&desk.take_of(laptop, "delta")),
        [
            part(0, 1, true, "k2"),
            part(1, 1, true, "k0"),
            part(1, 2, false, "k1")
        ]
    );
}

#[test]
fn a_device_inside_a_commit_that_is_collected_is_reset() {
    let (mut desk, _, laptop) = inside_a_commit();
    desk.store.raise_gc_seq(&space(), Seq(1));
    desk.settle();
    let sent = desk.take(laptop);
    assert_eq!(
        (&sent[0]["t"], &sent[0]["why"]),
        (&json!("reset"), &json!("gc"))
    );
    let last = sent.last().unwrap();
    assert_eq!((&last["t"], last["more"] == true), (&json!("delta"), false));
}

#[test]
fn a_commit_lost_between_two_parts_is_never_shown() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert_all(1, 1)]);
    let backup = desk.store.clone();
    desk.push(
        phone,
        &[insert_all(2, 0), update_all(3, &["k0"]), insert_all(4, 4)],
    );
    desk.page.records = 1;
    let laptop = attached(&mut desk, 0);
    desk.serve_one(None);
    assert!(
        desk.take_of(laptop, "delta")
            .iter()
            .all(|delta| delta["more"] == true)
    );
    desk.store = backup;
    desk.settle();
    assert!(desk.notes.contains(&Note::EpochLost));
    let sent = desk.take(laptop);
    let first = sent
        .iter()
        .find(|message| message["t"] != "welcome")
        .unwrap();
    assert_eq!(first["t"], "reset");
}

#[test]
fn a_read_that_fails_inside_a_commit_goes_on_there() {
    let (mut desk, _, laptop) = inside_a_commit();
    desk.step(Event::Drained(laptop));
    desk.serve_one(Some(Fate::Fails));
    desk.settle();
    assert_eq!(
        parts(&desk.take_of(laptop, "delta")),
        [part(0, 0, true, "k1"), part(0, 1, false, "k2")]
    );
}

/// A session with a live device and a watcher, of a store to which another node committed three
/// records at once; pages of one, of which the session has read the first.
fn refresh_inside() -> (Desk, ConnId, ConnId) {
    let mut one = Desk::new();
    let phone = one.hello(1, "phone", None);
    one.take(phone);
    let watcher = ConnId(9);
    one.step(Event::Watch(watcher));
    let mut two = Desk::on(one.store.clone(), Default::default());
    let laptop = two.hello(1, "laptop", None);
    two.push(laptop, &[insert_all(1, 3)]);
    one.store = two.store.clone();
    one.page.records = 1;
    one.step(Event::Missed);
    one.serve_one(None);
    (one, phone, watcher)
}

#[test]
fn a_session_that_is_inside_a_commit_has_not_its_head() {
    let (mut desk, phone, watcher) = refresh_inside();
    assert_eq!(desk.state.view().head, Seq(0));
    assert_eq!((desk.take(phone), desk.take(watcher)), (vec![], vec![]));
    desk.settle();
    assert_eq!(desk.state.view().head, Seq(1));
    assert_eq!(desk.take(watcher)[0]["tables"], json!(["tasks"]));
    assert_eq!(
        parts(&desk.take_of(phone, "delta")),
        [
            part(0, 0, true, "k0"),
            part(0, 0, true, "k1"),
            part(0, 1, false, "k2")
        ]
    );
}

#[test]
fn nobody_becomes_live_while_the_session_is_inside_a_commit() {
    let (mut desk, phone, _) = refresh_inside();
    // All its reads come late: the session is through, and the device is told from its cursor.
    let own = desk.asked.pop_back().unwrap();
    let phones = desk.asked.pop_front().unwrap();
    assert!(matches!(own, Effect::ReadView { .. }), "{own:?}");
    let answer = desk.answer(phones, Some(Fate::Fails));
    desk.step(Event::Store(answer));
    desk.asked.push_front(own);
    desk.settle();
    let deltas = desk.take_of(phone, "delta");
    assert_eq!(parts(&deltas).last().unwrap(), &part(0, 1, false, "k2"));
    assert_eq!(deltas.len(), 3);
}

#[test]
fn a_session_whose_read_fails_inside_a_commit_goes_on_there() {
    let (mut desk, ..) = refresh_inside();
    let own = desk.asked.pop_back().unwrap();
    let answer = desk.answer(own, Some(Fate::Fails));
    desk.step(Event::Store(answer));
    desk.retry();
    let again = desk.asked.iter().find_map(|effect| match effect {
        Effect::ReadView { after } => Some(after),
        _ => None,
    });
    assert_eq!(again.unwrap().key.as_ref().unwrap().id.as_str(), "k0");
    desk.settle();
    assert_eq!(desk.state.view().head, Seq(1));
}

#[test]
fn a_commit_lost_while_the_session_is_inside_it_changes_the_epoch() {
    let (mut desk, phone, _) = refresh_inside();
    let mut lost = Desk::new();
    lost.hello(1, "phone", None);
    assert_eq!(
        lost.cursor(),
        Cursor {
            seq: 0,
            ..desk.cursor()
        }
    );
    desk.store = lost.store;
    desk.settle();
    assert!(desk.notes.contains(&Note::EpochLost));
    assert_eq!(desk.take_of(phone, "reset").len(), 1);
}
