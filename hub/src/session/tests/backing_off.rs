//! A store that fails for long: calls are sent away, nothing is lost or done twice.

use serde_json::json;
use syncline_protocol::error::Code;

use super::desk::{Desk, Fate, SYNC_CALL, client, insert, mutation, stamp, update};
use crate::session::event::{CallId, CallReply, Effect, Event, Origin, Push};

fn start_call(desk: &mut Desk, call: u64, edit: &serde_json::Value) {
    desk.step(Event::Push(Push {
        origin: Origin::Call(CallId(call), client("phone").into()),
        muts: vec![mutation(edit)],
        permit: None,
        trace: None,
    }));
}

/// The next `commits` commits fail, with a wait after each.
fn fail(desk: &mut Desk, commits: u32) {
    for _ in 0..commits {
        while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
            desk.serve_one(None);
        }
        desk.serve_one(Some(Fate::Fails));
        desk.retry();
    }
}

fn is_unavailable(reply: Option<CallReply>) -> bool {
    matches!(reply, Some(CallReply::Refused(refusal)) if refusal.code == Code::Unavailable)
}

#[test]
fn a_call_waits_through_a_short_failure_and_is_sent_away_in_a_long_one() {
    let mut desk = Desk::new();
    start_call(&mut desk, 1, &insert(1, "k1", &json!({"a": 1})));
    fail(&mut desk, 7);
    assert!(desk.replies.is_empty());
    fail(&mut desk, 1);
    assert!(is_unavailable(desk.replies.remove(&CallId(1))));
    // It stays, and is written once the store takes it; the call that repeats it learns so.
    start_call(&mut desk, 2, &insert(1, "k1", &json!({"a": 1})));
    desk.settle();
    let Some(CallReply::Results { results, .. }) = desk.replies.remove(&CallId(2)) else {
        panic!("the repeat was not answered");
    };
    assert_eq!((results.len(), desk.head()), (1, 1));
    assert_eq!(desk.stored("k1"), Some(json!({"a": 1})));
}

#[test]
fn calls_that_come_while_it_fails_are_sent_away_after_one_try() {
    let mut desk = Desk::new();
    start_call(&mut desk, 1, &insert(1, "k1", &json!({"a": 1})));
    fail(&mut desk, 8);
    start_call(&mut desk, 2, &update(2, "k1", "a", &json!(2), 5));
    fail(&mut desk, 1);
    assert!(is_unavailable(desk.replies.remove(&CallId(2))));
}

#[test]
fn a_socket_waits_as_long_as_it_takes() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.take(phone);
    desk.start_push(phone, &[insert(1, "k1", &json!({"a": 1}))]);
    fail(&mut desk, 20);
    assert!(desk.take(phone).is_empty());
    desk.settle();
    assert_eq!(desk.take_of(phone, "verdicts").len(), 1);
}

#[test]
fn changesets_do_not_heap_up_while_the_store_fails() {
    let mut desk = Desk::new();
    let data = json!({"title": "a", "updatedAt": stamp(0)});
    let changes = [json!({"table": "tasks", "id": "k1", "op": "insert", "data": data})];
    desk.start_sync("phone", &changes);
    desk.serve_one(None); // the client's mark
    fail(&mut desk, 8);
    assert!(is_unavailable(desk.replies.remove(&SYNC_CALL)));
    // Nothing of it is tried again by itself.
    desk.settle();
    assert_eq!((desk.head(), desk.commits), (0, 8));
    desk.sync("phone", &changes);
    assert_eq!(desk.stored("k1").unwrap()["title"], "a");
}
