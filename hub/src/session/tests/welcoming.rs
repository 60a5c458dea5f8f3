//! Hello: what a client is worth and what it gets.

use serde_json::{Value, json};
use syncline_protocol::error::close;
use syncline_protocol::ids::Seq;
use syncline_protocol::wire::Cursor;
use syncline_protocol::wire::hub::ResetWhy;

use super::desk::{Desk, Hello, hello, insert, insertion, space, update};
use crate::session::event::{ConnId, Effect, Event, Note};

fn types(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["t"].as_str().unwrap())
        .collect()
}

/// A space with records k1 … k5, written by `phone`.
fn five_records() -> Desk {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=5 {
        desk.push(phone, &[insert(m, &format!("k{m}"), &json!({"n": m}))]);
    }
    desk.step(Event::Detach(phone));
    desk
}

#[test]
fn a_device_from_scratch_gets_a_snapshot_and_is_live() {
    let mut desk = five_records();
    desk.page.records = 2;
    let laptop = desk.hello(2, "laptop", None);
    let sent = desk.take(laptop);
    assert_eq!(
        types(&sent),
        [
            "welcome",
            "snapshot",
            "snapshot",
            "snapshot",
            "snapshot_end",
            "delta"
        ]
    );
    assert_eq!(sent[0]["head"], 5);
    assert_eq!(sent[0]["acked"], json!(null));
    assert_eq!((&sent[3]["done"], &sent[3]["of"]), (&json!(5), &json!(5)));
    assert_eq!(sent[4]["count"], 5);
}

#[test]
fn a_device_at_the_head_is_live_without_a_read() {
    let mut desk = five_records();
    let cursor = Some(desk.cursor());
    let laptop = desk.hello(2, "laptop", cursor);
    assert_eq!(types(&desk.take(laptop)), ["welcome"]);
}

#[test]
fn a_device_behind_gets_what_it_missed_from_its_cursor() {
    let mut desk = five_records();
    let cursor = Cursor {
        seq: 3,
        ..desk.cursor()
    };
    let laptop = desk.hello(2, "laptop", Some(cursor));
    let sent = desk.take(laptop);
    assert_eq!(types(&sent), ["welcome", "delta"]);
    assert_eq!((&sent[1]["from"], &sent[1]["to"]), (&json!(3), &json!(5)));
    assert_eq!(sent[1]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(sent[1]["changes"][0]["by"], "phone");
    assert_eq!(sent[1]["more"], json!(null));
}

#[test]
fn a_returning_device_is_told_its_last_number() {
    let mut desk = five_records();
    let cursor = Some(desk.cursor());
    let phone = desk.hello(2, "phone", cursor);
    assert_eq!(desk.take(phone)[0]["acked"], 5);
}

#[test]
fn a_cursor_of_another_epoch_is_reset() {
    let mut desk = five_records();
    for epoch in ["0000000000000007", "e1"] {
        let cursor = Some(Cursor {
            epoch: epoch.into(),
            seq: 5,
        });
        let laptop = desk.hello(2, "laptop", cursor);
        let sent = desk.take(laptop);
        assert_eq!(
            types(&sent),
            ["welcome", "reset", "snapshot", "snapshot_end", "delta"]
        );
        assert_eq!(sent[1]["why"], "epoch");
        assert_eq!(sent[1]["epoch"], sent[0]["epoch"]);
    }
}

#[test]
fn a_cursor_below_what_is_collected_is_reset() {
    let mut desk = five_records();
    desk.store.raise_gc_seq(&space(), Seq(3));
    desk.step(Event::Missed);
    desk.settle();
    let at = |desk: &Desk, seq| {
        Some(Cursor {
            seq,
            ..desk.cursor()
        })
    };
    let below = desk.hello(2, "laptop", at(&desk, 2));
    let sent = desk.take(below);
    assert_eq!(
        (&sent[0]["gc_seq"], &sent[1]["why"]),
        (&json!(3), &json!("gc"))
    );
    assert_eq!(sent.last().unwrap()["to"], 5);
    let kept = desk.hello(3, "tablet", at(&desk, 3));
    assert_eq!(types(&desk.take(kept)), ["welcome", "delta"]);
}

#[test]
fn a_cursor_collected_between_two_pages_is_reset() {
    let mut desk = five_records();
    desk.page.records = 1;
    let cursor = Some(Cursor {
        seq: 1,
        ..desk.cursor()
    });
    let mut laptop = attach(2, "laptop");
    laptop.cursor = cursor;
    desk.step(Event::Attach(Box::new(laptop)));
    desk.serve_one(None); // its mark
    desk.serve_one(None); // the first page: 2
    desk.store.raise_gc_seq(&space(), Seq(4));
    desk.settle();
    let sent = desk.take(ConnId(2));
    assert_eq!(types(&sent[..3]), ["welcome", "delta", "reset"]);
    assert_eq!(sent[2]["why"], "gc");
    assert!(desk.notes.contains(&Note::Reset(ResetWhy::Gc)));
    assert_eq!(sent.last().unwrap()["to"], 5);
}

#[test]
fn a_snapshot_collected_between_two_parts_is_reset() {
    let mut desk = five_records();
    desk.page.records = 2;
    desk.step(Event::Attach(Box::new(attach(2, "laptop"))));
    desk.serve_one(None); // its mark
    desk.serve_one(None); // the first part, at 5
    let phone_cursor = Some(desk.cursor());
    let phone = ConnId(3);
    let mut writer = attach(3, "phone");
    writer.cursor = phone_cursor;
    desk.step(Event::Attach(Box::new(writer)));
    desk.serve_one(None); // its mark
    desk.start_push(
        phone,
        &[insert(6, "k6", &json!({})), insert(7, "k7", &json!({}))],
    );
    while desk.head() < 6 {
        desk.serve_one(None);
    }
    desk.store.raise_gc_seq(&space(), Seq(6));
    desk.settle();
    let sent = desk.take(ConnId(2));
    assert_eq!(types(&sent[..3]), ["welcome", "snapshot", "reset"]);
    assert_eq!(sent[2]["why"], "gc");
    let end = sent.iter().find(|message| message["t"] == "snapshot_end");
    assert_eq!(end.unwrap()["count"], 7);
}

#[test]
fn a_snapshot_place_that_was_collected_begins_again() {
    let mut desk = five_records();
    desk.page.records = 2;
    let whole = desk.hello(2, "whole", None);
    let next = desk.take(whole)[1]["next"].as_str().unwrap().to_owned();
    let phone = desk.hello(3, "phone", None);
    desk.push(phone, &[insert(6, "k6", &json!({}))]);
    desk.store.raise_gc_seq(&space(), Seq(6));
    desk.step(Event::Missed);
    desk.settle();
    let rest = desk.hello_with(Hello {
        next: Some(next),
        ..hello(4, "rest")
    });
    assert_eq!(desk.take(rest)[1]["why"], "gc");
}

#[test]
fn a_session_behind_what_is_collected_looks_before_it_resets_anybody() {
    let mut desk = five_records();
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let tablet = other.hello(1, "tablet", None);
    other.push(tablet, &[insert(1, "k6", &json!({}))]);
    other.push(tablet, &[insert(2, "k7", &json!({}))]);
    desk.step(Event::Attach(Box::new(attach(2, "laptop"))));
    desk.serve_one(None); // its mark
    desk.store = other.store;
    desk.store.raise_gc_seq(&space(), Seq(6));
    desk.settle();
    let sent = desk.take(ConnId(2));
    assert_eq!(sent.last().unwrap()["to"], 7);
}

#[test]
fn a_cursor_ahead_of_the_store_changes_the_epoch_once_an_hour() {
    let mut desk = five_records();
    let ahead = |desk: &Desk| {
        Some(Cursor {
            seq: 9,
            ..desk.cursor()
        })
    };
    // A loss in the space's first moments counts like any other.
    let (first, cursor) = (desk.cursor(), ahead(&desk));
    let early = desk.hello(2, "early", cursor);
    assert_ne!(desk.cursor().epoch, first.epoch);
    assert_eq!(desk.take_of(early, "reset")[0]["why"], "epoch");
    assert!(desk.notes.contains(&Note::EpochLost));

    desk.now_ms += 3_599_999;
    let (second, cursor) = (desk.cursor(), ahead(&desk));
    let soon = desk.hello(3, "soon", cursor.clone());
    assert_eq!(desk.take_of(soon, "reset")[0]["why"], "cursor");
    assert_eq!(desk.cursor(), second);

    desk.now_ms += 1;
    let late = desk.hello(4, "late", cursor);
    assert_ne!(desk.cursor().epoch, second.epoch);
    for device in [late, early, soon] {
        assert_eq!(desk.take_of(device, "reset")[0]["why"], "epoch");
    }
}

#[test]
fn a_client_that_saw_a_later_verdict_changes_the_epoch() {
    let mut desk = five_records();
    let old = desk.cursor();
    desk.now_ms += 3_600_000;
    let known = Hello {
        cursor: Some(old.clone()),
        acked: Some(5),
        ..hello(2, "phone")
    };
    desk.hello_with(known);
    assert_eq!(desk.cursor(), old);
    let ahead = Hello {
        cursor: Some(old.clone()),
        acked: Some(6),
        ..hello(3, "phone")
    };
    let phone = desk.hello_with(ahead);
    assert_ne!(desk.cursor().epoch, old.epoch);
    let sent = desk.take(phone);
    assert_eq!(sent[0]["acked"], 5);
}

#[test]
fn a_second_socket_of_a_client_replaces_the_first() {
    let mut desk = five_records();
    let first = desk.hello(2, "laptop", None);
    let second = desk.hello(3, "laptop", None);
    assert_eq!(desk.closed.get(&first), Some(&close::REPLACED));
    desk.take(second);
    desk.push(second, &[insert(1, "k6", &json!({}))]);
    assert_eq!(desk.take_of(second, "verdicts").len(), 1);
}

#[test]
fn a_broken_snapshot_goes_on_where_it_stood() {
    let mut desk = five_records();
    desk.page.records = 2;
    let whole = desk.hello(2, "whole", None);
    let sent = desk.take(whole);
    let (first, end) = (sent[1].clone(), sent[4].clone());
    let next = first["next"].as_str().unwrap().to_owned();
    let rest = desk.hello_with(Hello {
        next: Some(next),
        ..hello(3, "rest")
    });
    let sent = desk.take(rest);
    assert_eq!(
        types(&sent),
        ["welcome", "snapshot", "snapshot", "snapshot_end", "delta"]
    );
    assert_eq!(sent[1]["changes"][0]["id"], "k3");
    assert_eq!(sent[3], end);
}

#[test]
fn a_snapshot_place_of_another_history_begins_again() {
    let mut desk = five_records();
    desk.page.records = 2;
    let whole = desk.hello(2, "whole", None);
    let next = desk.take(whole)[1]["next"].as_str().unwrap().to_owned();
    let mut desk = Desk::on(
        syncline_storage::model::ModelStore::new(7),
        Default::default(),
    );
    let rest = desk.hello_with(Hello {
        next: Some(next),
        ..hello(3, "rest")
    });
    let sent = desk.take(rest);
    assert_eq!(types(&sent), ["welcome", "reset", "snapshot_end", "delta"]);
    assert_eq!(sent[1]["why"], "cursor");
}

#[test]
fn a_snapshot_place_of_another_selection_begins_again() {
    let mut desk = five_records();
    let phone = desk.hello(2, "phone", None);
    let project = json!({"m": 6, "changes": [insertion("projects", "p1", &json!({}))]});
    desk.push(phone, &[project]);
    desk.page.records = 2;
    let tasks = desk.hello_with(Hello {
        tables: Some(&["tasks"]),
        ..hello(3, "laptop")
    });
    let next = desk.take_of(tasks, "snapshot")[0]["next"].clone();
    let resumed = |desk: &mut Desk, conn, tables, backfill, cursor| {
        let rest = desk.hello_with(Hello {
            next: Some(next.as_str().unwrap().to_owned()),
            tables,
            backfill,
            cursor,
            ..hello(conn, "laptop")
        });
        desk.take(rest)
    };
    let ids = |sent: &[Value]| -> Vec<Value> {
        let parts = sent.iter().filter(|message| message["t"] == "snapshot");
        let changes = parts.flat_map(|part| part["changes"].as_array().unwrap().clone());
        changes.map(|change| change["id"].clone()).collect()
    };
    // Grown: `projects` comes before the place and would be missing.
    let sent = resumed(&mut desk, 4, Some(&["projects", "tasks"]), None, None);
    assert_eq!(
        (&sent[1]["t"], &sent[1]["why"]),
        (&json!("reset"), &json!("cursor"))
    );
    assert_eq!(ids(&sent), ["p1", "k1", "k2", "k3", "k4", "k5"]);
    // All tables, and the same ones but to fill up, are other selections too.
    assert_eq!(resumed(&mut desk, 5, None, None, None)[1]["why"], "cursor");
    let cursor = Some(desk.cursor());
    let sent = resumed(&mut desk, 6, Some(&["tasks"]), Some(&["tasks"]), cursor);
    assert_eq!(sent[1]["why"], "cursor");
    // The same one goes on.
    let sent = resumed(&mut desk, 7, Some(&["tasks"]), None, None);
    assert_eq!(ids(&sent), ["k3", "k4", "k5"]);
}

#[test]
fn a_snapshot_of_some_tables_has_no_estimate() {
    let mut desk = five_records();
    desk.page.records = 2;
    let tasks = desk.hello_with(Hello {
        tables: Some(&["tasks"]),
        ..hello(2, "laptop")
    });
    let parts = desk.take_of(tasks, "snapshot");
    assert_eq!((&parts[0]["done"], parts[0].get("of")), (&json!(2), None));
}

#[test]
fn a_broken_backfill_goes_on_for_the_same_tables_only() {
    let mut desk = five_records();
    let phone = desk.hello(2, "phone", None);
    desk.push(
        phone,
        &[json!({"m": 6, "changes": [insertion("a", "a1", &json!({}))]})],
    );
    desk.page.records = 2;
    let cursor = Some(desk.cursor());
    let fill = |desk: &mut Desk, conn, tables, backfill, next: Option<&Value>| {
        let rest = desk.hello_with(Hello {
            next: next.map(|next| next.as_str().unwrap().to_owned()),
            cursor: cursor.clone(),
            tables: Some(tables),
            backfill: Some(backfill),
            ..hello(conn, "laptop")
        });
        desk.take(rest)
    };
    let next = fill(&mut desk, 3, &["b", "tasks"], &["tasks"], None)[1]["next"].clone();
    let sent = fill(&mut desk, 4, &["b", "tasks"], &["tasks"], Some(&next));
    assert_eq!(sent[1]["changes"][0]["id"], "k3");
    let sent = fill(
        &mut desk,
        5,
        &["a", "b", "tasks"],
        &["a", "tasks"],
        Some(&next),
    );
    assert_eq!(
        (&sent[1]["t"], &sent[1]["why"]),
        (&json!("reset"), &json!("cursor"))
    );
}

#[test]
fn what_changes_during_a_snapshot_follows_it() {
    let mut desk = five_records();
    desk.page.records = 2;
    let phone_cursor = Some(desk.cursor());
    let phone = desk.hello(2, "phone", phone_cursor);
    desk.step(Event::Attach(Box::new(attach(3, "laptop"))));
    desk.serve_one(None); // mark
    desk.serve_one(None); // first part: k1, k2
    desk.push(phone, &[update(6, "k1", "n", &json!("new"), 9)]);
    let laptop = crate::session::event::ConnId(3);
    let sent = desk.take(laptop);
    let (end, delta) = (&sent[sent.len() - 2], &sent[sent.len() - 1]);
    assert_eq!((&end["t"], &end["at"]), (&json!("snapshot_end"), &json!(5)));
    assert_eq!((&delta["from"], &delta["to"]), (&json!(5), &json!(6)));
    assert_eq!(delta["changes"][0]["data"]["n"], "new");
}

fn attach(conn: u64, name: &str) -> crate::session::event::Attach {
    crate::session::event::Attach {
        conn: crate::session::event::ConnId(conn),
        client: super::desk::client(name),
        cursor: None,
        tables: None,
        backfill: None,
        snapshot_next: None,
        acked: None,
        epoch: None,
        token_expires_in_s: 60,
    }
}

#[test]
fn new_tables_are_filled_before_the_cursor_goes_on() {
    let mut desk = five_records();
    let phone = desk.hello(2, "phone", None);
    desk.push(
        phone,
        &[json!({"m": 6, "changes": [insertion("projects", "p1", &json!({}))]})],
    );
    desk.push(phone, &[insert(7, "k7", &json!({}))]);
    let grown = Hello {
        cursor: Some(Cursor {
            seq: 6,
            ..desk.cursor()
        }),
        tables: Some(&["projects", "tasks"]),
        backfill: Some(&["projects"]),
        ..hello(3, "laptop")
    };
    let laptop = desk.hello_with(grown);
    let sent = desk.take(laptop);
    assert_eq!(
        types(&sent),
        ["welcome", "snapshot", "snapshot_end", "delta"]
    );
    assert_eq!(sent[1]["changes"][0]["id"], "p1");
    assert_eq!((&sent[3]["from"], &sent[3]["to"]), (&json!(6), &json!(7)));
}

#[test]
fn an_attach_the_store_does_not_answer_is_told_so() {
    let mut desk = five_records();
    desk.step(Event::Attach(Box::new(attach(2, "laptop"))));
    assert!(matches!(desk.asked[0], Effect::ReadMarks(..)));
    desk.serve_one(Some(super::desk::Fate::Fails));
    let laptop = crate::session::event::ConnId(2);
    assert_eq!(desk.take_of(laptop, "error")[0]["code"], "unavailable");
    assert_eq!(desk.closed.get(&laptop), Some(&1013));
}
