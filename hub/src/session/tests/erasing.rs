//! Everything of a space was erased: its devices must drop what they have, and what they had sent.

use serde_json::{Value, json};
use syncline_protocol::compat::cursor::{EMPTY, Place, Reach, Since};
use syncline_protocol::error::Code;
use syncline_protocol::ids::Epoch;
use syncline_protocol::wire::Cursor;

use super::desk::{Desk, Hello, NOW_MS, client, hello, insert, insertion, mutation, space, stamp};
use super::foreign::FOREIGN;
use super::replying::{begin, cursor, end, pulled, told};
use crate::gateway::compat::answer::{Answering, Question, asker};
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
        trace: None,
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

const MINUTE_MS: u64 = 60_000;

/// Some minutes and milliseconds after the beginning.
const ERASED_MS: u64 = 10 * MINUTE_MS + 7;

/// A space that was erased then, twenty minutes after the beginning.
fn erased_long_ago() -> Desk {
    let (mut desk, _, _) = one_record();
    desk.store.erase(&space(), NOW_MS + ERASED_MS).unwrap();
    desk.now_ms = NOW_MS + 20 * MINUTE_MS;
    desk.step(Event::Missed);
    desk.settle();
    desk
}

/// What a changeset with this cursor is told of its one change, which was made so long after the
/// beginning.
fn named(desk: &mut Desk, since: Since, at_ms: u64) -> Option<Code> {
    let data = json!({"a": at_ms, "updatedAt": stamp(at_ms)});
    let change = json!({"table": "tasks", "id": at_ms.to_string(), "op": "insert", "data": data});
    desk.start_sync_since("tablet", &[change], since);
    desk.settle();
    let conflicts = desk.synced().conflicts;
    let named = conflicts.first().map(|conflict| conflict.code);
    assert_eq!(desk.stored(&at_ms.to_string()).is_none(), named.is_some());
    named
}

/// The cursor of a device that pulled all its tables after it had to start again.
fn pulled_again(desk: &Desk) -> Since {
    pulled_with(desk, Reach::OneOfStale)
}

fn pulled_with(desk: &Desk, reach: Reach) -> Since {
    let view = desk.store.space(&space()).unwrap();
    let place = Place {
        epoch_at_ms: view.epoch_at_ms,
        head: view.head,
        gc_seq: view.gc_seq,
    };
    Since::parse(&place.cursor(reach)).unwrap()
}

#[test]
fn a_device_that_had_to_start_again_brings_only_what_it_made_since() {
    let mut desk = erased_long_ago();
    let now_ms = desk.now_ms - NOW_MS;
    for since in [Since::Stale, pulled_again(&desk)] {
        for (at_ms, expected) in [
            (ERASED_MS - 1, Some(Code::Erased)),
            (ERASED_MS, None),
            (now_ms + MINUTE_MS, None),
            // What is not believed says nothing.
            (now_ms + MINUTE_MS + 1, Some(Code::Erased)),
        ] {
            assert_eq!(
                named(&mut desk, since, at_ms),
                expected,
                "{since:?} {at_ms}"
            );
        }
    }
}

/// It may have been told of the erasure by a pull, which its cursor does not say.
#[test]
fn a_device_of_another_server_that_pulled_brings_only_what_it_made_since() {
    let mut desk = erased_long_ago();
    let since = pulled_with(&desk, Reach::OneOfForeign);
    let code = named(&mut desk, since, ERASED_MS - 1);
    assert_eq!(code, Some(Code::Erased));
    assert_eq!(named(&mut desk, since, ERASED_MS), None);
}

#[test]
fn a_change_of_which_one_time_is_of_before_is_not_stored() {
    let mut desk = erased_long_ago();
    let field = |at_ms| json!({"value": 1, "updatedAt": stamp(at_ms)});
    for (times, expected) in [
        ([ERASED_MS, ERASED_MS], vec![Code::RecordUnknown]),
        ([ERASED_MS - 1, ERASED_MS], vec![Code::Erased]),
        ([ERASED_MS, ERASED_MS - 1], vec![Code::Erased]),
    ] {
        let fields = json!({"a": field(times[0]), "b": field(times[1])});
        let change = json!({"table": "tasks", "id": "k9", "op": "update", "fields": fields});
        desk.start_sync_since("tablet", &[change], Since::Stale);
        desk.settle();
        let conflicts = desk.synced().conflicts;
        let codes: Vec<Code> = conflicts.iter().map(|conflict| conflict.code).collect();
        assert_eq!(codes, expected, "{times:?}");
    }
}

/// Tables that it has not pulled hold cursors above any of the hub's, so the least is the pulled
/// one's. The table it pulled may be one that it has nothing in.
#[test]
fn a_table_of_another_server_hides_behind_none_pulled_over_an_erasure() {
    for cursor_before in [FOREIGN, EMPTY] {
        let (mut desk, _, _) = one_record();
        let before = cursor(&pulled(&desk, cursor_before, Some("tasks")));
        desk.store.erase(&space(), NOW_MS + ERASED_MS).unwrap();
        desk.now_ms = NOW_MS + 20 * MINUTE_MS;
        desk.step(Event::Missed);
        desk.settle();
        let note = json!({"a": 1, "updatedAt": stamp(ERASED_MS)});
        let note = json!({"table": "notes", "id": "n1", "op": "insert", "data": note});
        desk.sync("laptop", &[note]);
        let after = cursor(&pulled(&desk, &before, Some("tasks")));
        let reply = answered(&mut desk, &after, &[]);
        assert_eq!(told(&reply), [("n1", "update")], "{cursor_before}");
    }
}

/// Between the view and the page.
#[test]
fn who_pulls_while_everything_is_erased_starts_again() {
    let (mut desk, _, _) = one_record();
    let since = cursor(&pulled(&desk, EMPTY, Some("tasks")));
    let before = desk.store.space(&space()).unwrap();
    desk.store.erase(&space(), NOW_MS + ERASED_MS).unwrap();
    desk.step(Event::Missed);
    desk.settle();
    let data = json!({"a": 1, "updatedAt": stamp(ERASED_MS)});
    let there = json!({"table": "tasks", "id": "k2", "op": "insert", "data": data});
    desk.sync("laptop", &[there]);
    let marks = desk.store.marks(&space(), &[client("phone")]).unwrap();
    let question = Question {
        since: Since::parse(&since).unwrap(),
        synced: asker(marks),
        table: Some("tasks".to_owned()),
    };
    let reply = end(&desk, Answering::new(question, &before));
    assert_eq!(told(&reply), [("k2", "insert")]);
    assert_eq!(
        Since::parse(&cursor(&reply)).unwrap().pull_reach(),
        Reach::OneOfForeign
    );
}

/// Nothing else takes it from the device, which shows it in place of what is there.
#[test]
fn who_had_to_start_again_is_told_all_where_something_of_its_changeset_is_not_stored() {
    let mut desk = erased_long_ago();
    let data = json!({"a": 1, "updatedAt": stamp(ERASED_MS)});
    let there = json!({"table": "tasks", "id": "k2", "op": "insert", "data": data});
    desk.sync("laptop", &[there]);
    let since = pulled_again(&desk).text();
    assert_eq!(told(&answered(&mut desk, &since, &[])), []);
    let fields = json!({"a": {"value": 2, "updatedAt": stamp(1)}});
    let old = json!({"table": "tasks", "id": "k2", "op": "update", "fields": fields});
    let reply = answered(&mut desk, &since, &[old]);
    assert_eq!(reply["conflicts"][0]["code"], "erased");
    assert_eq!(told(&reply), [("k2", "insert")]);
}

/// What the phone's changeset with this cursor is replied.
fn answered(desk: &mut Desk, since: &str, changes: &[Value]) -> Value {
    desk.start_sync_since("phone", changes, Since::parse(since).unwrap());
    desk.settle();
    let synced = desk.synced();
    end(desk, begin(desk, since, (synced, None)))
}

#[test]
fn once_another_epoch_was_given_an_erasure_is_known_to_the_minute() {
    let mut desk = erased_long_ago();
    let before = epoch(&desk);
    let later_ms = NOW_MS + 15 * MINUTE_MS;
    desk.store.new_epoch(&space(), before, later_ms).unwrap();
    desk.step(Event::Missed);
    desk.settle();
    for (at_ms, expected) in [
        (11 * MINUTE_MS - 1, Some(Code::Erased)),
        (11 * MINUTE_MS, None),
    ] {
        assert_eq!(named(&mut desk, Since::Stale, at_ms), expected, "{at_ms}");
    }
}

#[test]
fn a_device_that_was_answered_since_brings_anything() {
    let mut desk = erased_long_ago();
    let since = desk.since();
    assert_eq!(named(&mut desk, since, 1), None);
    assert_eq!(named(&mut desk, Since::Empty, 2), None);
}

#[test]
fn without_an_erasure_who_had_to_start_again_brings_anything() {
    let (mut desk, _, _) = one_record();
    assert_eq!(named(&mut desk, Since::Stale, 1), None);
}

/// A dead letter would keep it.
#[test]
fn what_may_be_of_before_is_not_even_set_aside() {
    let mut desk = erased_long_ago();
    let data = json!({"a": "\u{0}"});
    let change = json!({"table": "tasks", "id": "k9", "op": "insert", "data": data});
    desk.start_sync_since("tablet", &[change], Since::Stale);
    desk.settle();
    assert_eq!(desk.synced().conflicts[0].code, Code::Erased);
    let letters = desk.store.dead_letters(&space(), 9).unwrap();
    assert!(letters.is_empty());
}
