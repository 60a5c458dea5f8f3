//! Readers behind, and commits of other nodes.

use std::sync::Arc;

use serde_json::json;
use syncline_cluster::event::CommitEvent;
use syncline_protocol::ids::{NodeId, Seq};
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, Fate, Hello, hello, insert, update};
use crate::session::event::{ConnId, Effect, Event};

/// Two sessions on one store, as two nodes have them: the second writes, the first has a
/// live device.
fn two_nodes() -> (Desk, ConnId, Desk, ConnId) {
    let mut one = Desk::new();
    let phone = one.hello(1, "phone", None);
    one.push(phone, &[insert(1, "k1", &json!({"a": 0, "b": 0}))]);
    one.take(phone);
    let mut two = Desk::on(one.store.clone(), Default::default());
    let laptop = two.hello(1, "laptop", None);
    (one, phone, two, laptop)
}

#[test]
fn a_catch_up_in_pages_says_more_until_its_own_head() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=5 {
        desk.push(phone, &[insert(m, &format!("k{m}"), &json!({}))]);
    }
    desk.page.records = 2;
    let cursor = Some(Cursor {
        seq: 0,
        ..desk.cursor()
    });
    let laptop = desk.hello(2, "laptop", cursor);
    let deltas = desk.take_of(laptop, "delta");
    let shape: Vec<_> = deltas
        .iter()
        .map(|d| (d["from"].clone(), d["to"].clone(), d["more"] == true))
        .collect();
    let expected = [(0, 2, true), (2, 4, true), (4, 5, false)];
    assert_eq!(
        shape,
        expected.map(|(from, to, more)| (json!(from), json!(to), more))
    );
}

#[test]
fn a_record_that_moves_on_between_pages_is_told_whole() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=3 {
        desk.push(phone, &[insert(m, &format!("k{m}"), &json!({"n": 0}))]);
    }
    let cursor = desk.cursor();
    desk.push(phone, &[update(4, "k3", "n", &json!("kept"), 4)]);
    desk.push(phone, &[update(5, "k1", "n", &json!(5), 5)]);
    desk.push(phone, &[update(6, "k2", "n", &json!(6), 6)]);
    desk.page.records = 1;
    desk.step(Event::Attach(Box::new(crate::session::event::Attach {
        conn: ConnId(2),
        client: super::desk::client("laptop"),
        cursor: Some(cursor),
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    })));
    desk.serve_one(None); // its mark
    // Before its first page is read, k3 moves to the last page, by a stamp only.
    desk.push(phone, &[update(7, "k3", "n", &json!("kept"), 7)]);
    let told: Vec<_> = desk
        .take_of(ConnId(2), "delta")
        .iter()
        .flat_map(|delta| delta["changes"].as_array().unwrap().clone())
        .filter(|change| change["id"] == "k3")
        .collect();
    assert_eq!(told.last().unwrap()["data"], json!({"n": "kept"}));
}

#[test]
fn a_commit_of_another_node_is_applied_when_it_continues_the_view() {
    let (mut one, phone, mut two, laptop) = two_nodes();
    two.start_push(laptop, &[update(1, "k1", "b", &json!(1), 5)]);
    while !matches!(two.asked.front(), Some(Effect::Commit(_))) {
        two.serve_one(None);
    }
    let Some(Effect::Commit(commit)) = two.asked.front() else {
        panic!("no commit")
    };
    let event = Arc::new(CommitEvent::of(commit, &NodeId::trusted("n2")));
    two.settle();
    one.store = two.store.clone();
    one.step(Event::Heard(event.clone()));
    assert!(one.asked.is_empty());
    let delta = &one.take_of(phone, "delta")[0];
    assert_eq!(
        (&delta["to"], &delta["changes"][0]["by"]),
        (&json!(2), &json!("laptop"))
    );
    one.push(phone, &[update(2, "k1", "a", &json!(1), 6)]);
    assert_eq!(one.stored("k1"), Some(json!({"a": 1, "b": 1})));
    assert_eq!(
        one.notes
            .iter()
            .filter(|n| **n == crate::session::event::Note::Conflict)
            .count(),
        0
    );
    // Heard again, late: nothing happens.
    one.take(phone);
    one.step(Event::Heard(event));
    assert!(one.asked.is_empty() && one.take(phone).is_empty());
}

#[test]
fn a_gap_in_what_is_heard_is_read_from_the_store() {
    let (mut one, phone, mut two, laptop) = two_nodes();
    two.push(laptop, &[update(1, "k1", "b", &json!(1), 5)]);
    two.push(laptop, &[update(2, "k1", "b", &json!(2), 6)]);
    one.store = two.store.clone();
    let event = CommitEvent {
        node: NodeId::trusted("n2"),
        space: super::desk::space(),
        epoch: one.state.view().epoch,
        from: Seq(2),
        to: Seq(3),
        clock: Default::default(),
        live: 1,
        writers: Default::default(),
        records: vec![],
        marks: vec![],
        jobs_due_ms: None,
        followed: None,
    };
    one.step(Event::Heard(Arc::new(event)));
    one.settle();
    let deltas = one.take_of(phone, "delta");
    assert_eq!(
        (&deltas[0]["from"], &deltas[0]["to"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(deltas[0]["changes"][0]["data"]["b"], 2);
}

#[test]
fn a_client_ahead_of_this_node_is_never_shown_less() {
    let (mut one, phone, mut two, laptop) = two_nodes();
    two.push(laptop, &[update(1, "k1", "b", &json!(1), 5)]);
    let cursor = Some(two.cursor());
    one.store = two.store.clone();
    let moved = one.hello(2, "laptop", cursor);
    let sent = one.take(moved);
    assert_eq!(
        (&sent[0]["head"], &sent[0]["acked"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(one.take_of(phone, "delta")[0]["to"], 2);
}

#[test]
fn pages_of_what_the_session_missed_are_whole_only_at_the_last() {
    let (mut one, phone, mut two, laptop) = two_nodes();
    for m in 1..=3 {
        two.push(laptop, &[insert(m, &format!("n{m}"), &json!({}))]);
    }
    one.store = two.store.clone();
    one.page.records = 1;
    one.step(Event::Missed);
    one.settle();
    let deltas = one.take_of(phone, "delta");
    let more: Vec<_> = deltas.iter().map(|delta| delta["more"] == true).collect();
    assert_eq!(more, [true, true, false]);
}

#[test]
fn a_device_hears_the_end_of_pages_even_if_it_can_see_nothing_of_the_last() {
    let (mut one, _, mut two, laptop) = two_nodes();
    let cursor = Some(one.cursor());
    let tablet = Hello {
        cursor,
        tables: Some(&["projects"]),
        ..hello(3, "tablet")
    };
    let tablet = one.hello_with(tablet);
    two.push(laptop, &[insert(1, "n1", &json!({}))]);
    two.push(laptop, &[insert(2, "n2", &json!({}))]);
    one.store = two.store.clone();
    one.page.records = 1;
    one.step(Event::Missed);
    one.settle();
    let last = one.take_of(tablet, "delta").pop().unwrap();
    assert_eq!((&last["to"], last["more"] == true), (&json!(3), false));
}

/// A device behind whose first page was cut at the session's own head.
fn cut_at_the_head() -> (Desk, ConnId, Desk, ConnId) {
    let (mut one, phone, _, _) = two_nodes();
    one.push(phone, &[insert(2, "k2", &json!({}))]);
    let cursor = Cursor {
        seq: 0,
        ..one.cursor()
    };
    one.page.records = 1;
    one.step(Event::Attach(Box::new(crate::session::event::Attach {
        conn: ConnId(2),
        client: super::desk::client("tablet"),
        cursor: Some(cursor),
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    })));
    one.serve_one(None); // its mark
    let mut two = Desk::on(one.store.clone(), Default::default());
    let laptop = two.hello(1, "laptop", None);
    // Before the first page is read, k1 moves past the session's head.
    two.push(laptop, &[update(1, "k1", "a", &json!(7), 5)]);
    one.store = two.store.clone();
    one.serve_one(None);
    (one, ConnId(2), two, laptop)
}

#[test]
fn a_device_is_not_live_before_a_page_was_complete() {
    let (mut one, tablet, ..) = cut_at_the_head();
    let first = one.take_of(tablet, "delta");
    assert_eq!(
        (&first[0]["to"], first[0]["more"] == true),
        (&json!(2), true)
    );
    one.settle();
    let last = one.take_of(tablet, "delta").pop().unwrap();
    assert_eq!((&last["to"], last["more"] == true), (&json!(3), false));
    assert_eq!(last["changes"][0]["data"]["a"], 7);
}

#[test]
fn a_snapshot_is_followed_by_a_delta_also_when_its_read_fails_first() {
    let mut desk = Desk::new();
    desk.step(Event::Attach(Box::new(crate::session::event::Attach {
        conn: ConnId(1),
        client: super::desk::client("phone"),
        cursor: None,
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    })));
    desk.serve_one(None); // its mark
    desk.serve_one(None); // the snapshot
    desk.step(Event::Drained(ConnId(1)));
    desk.serve_one(Some(Fate::Fails)); // the delta
    desk.settle();
    let sent = desk.take(ConnId(1));
    let last = &sent[sent.len() - 2..];
    assert_eq!(
        (&last[0]["t"], &last[1]["t"]),
        (&json!("snapshot_end"), &json!("delta"))
    );
}

#[test]
fn only_the_last_read_asked_for_a_socket_counts() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({}))]);
    desk.push(phone, &[insert(2, "k2", &json!({}))]);
    desk.page.records = 1;
    let reset = |desk: &mut Desk| {
        let before = desk.store.space(&super::desk::space()).unwrap().epoch;
        desk.store
            .new_epoch(&super::desk::space(), before, 0)
            .unwrap();
        desk.step(Event::Missed);
        while !matches!(desk.asked.front(), Some(Effect::ReadSnapshot { .. })) {
            desk.serve_one(None);
        }
        desk.asked.pop_front().unwrap()
    };
    reset(&mut desk);
    desk.settle();
    let early = reset(&mut desk);
    desk.settle();
    let late = reset(&mut desk);
    desk.take(phone);
    // The earlier read happens late, so it is of the history that is current by then.
    for read in [early, late] {
        let answer = desk.answer(read, None);
        desk.step(Event::Store(answer));
        desk.step(Event::Drained(phone));
    }
    desk.settle();
    let parts = desk.take_of(phone, "snapshot");
    let told: Vec<_> = parts.iter().map(|part| &part["changes"][0]["id"]).collect();
    assert_eq!(told, ["k1", "k2"]);
}

#[test]
fn an_author_on_another_node_sees_its_cursor_pass() {
    let (mut one, phone, mut two, _) = two_nodes();
    // The phone pushes by HTTP through the other node: a newer stamp on an equal value.
    let (call, client) = (
        crate::session::event::CallId(1),
        super::desk::client("phone"),
    );
    let edit = update(2, "k1", "a", &json!(0), 5);
    two.step(Event::Push(crate::session::event::Push {
        origin: crate::session::event::Origin::Call(call, client.into()),
        muts: vec![super::desk::mutation(&edit)],
        permit: None,
        trace: None,
    }));
    while !matches!(two.asked.front(), Some(Effect::Commit(_))) {
        two.serve_one(None);
    }
    let Some(Effect::Commit(commit)) = two.asked.front() else {
        panic!("no commit")
    };
    let event = CommitEvent::of(commit, &NodeId::trusted("n2"));
    one.step(Event::Heard(Arc::new(event)));
    let delta = &one.take_of(phone, "delta")[0];
    assert_eq!((&delta["to"], &delta["changes"]), (&json!(2), &json!([])));
}
