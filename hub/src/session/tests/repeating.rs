//! What was decided before and comes again: it holds its room until it is answered.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use super::desk::{Desk, Fate, client, insert, mutation};
use crate::gateway::intake::Permit;
use crate::session::event::{CallId, ConnId, Effect, Event, Origin, Push};

/// Permits of the session.
const ROOM: usize = 1_000;

/// A session whose phone had its first three mutations decided, and its room.
fn decided() -> (Desk, ConnId, Arc<Semaphore>) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=3 {
        desk.push(phone, &[insert(m, &format!("k{m}"), &json!({}))]);
    }
    desk.take(phone);
    (desk, phone, Arc::new(Semaphore::new(ROOM)))
}

/// Pushes the numbers under one permit.
fn push(desk: &mut Desk, origin: Origin, room: &Arc<Semaphore>, ms: &[u64]) {
    let muts = ms
        .iter()
        .map(|m| mutation(&insert(*m, &format!("k{m}"), &json!({}))));
    desk.step(Event::Push(Push {
        origin,
        muts: muts.collect(),
        permit: Some(Permit::of(room)),
        trace: None,
    }));
}

fn verdict_reads(desk: &Desk) -> usize {
    let reads = |effect: &&Effect| matches!(effect, Effect::ReadVerdicts(..));
    desk.asked.iter().filter(reads).count()
}

#[test]
fn a_repeat_holds_its_permit_until_it_is_answered() {
    let (mut desk, phone, room) = decided();
    push(&mut desk, Origin::Conn(phone), &room, &[1]);
    assert_eq!(room.available_permits(), ROOM - 1);
    desk.settle();
    assert_eq!(room.available_permits(), ROOM);
    assert_eq!(desk.take_of(phone, "verdicts").len(), 1);
}

#[test]
fn a_flood_of_repeats_is_one_read_of_the_store_at_a_time() {
    let (mut desk, phone, room) = decided();
    for _ in 0..500 {
        push(&mut desk, Origin::Conn(phone), &room, &[1]);
    }
    assert_eq!(verdict_reads(&desk), 1);
    assert_eq!(room.available_permits(), ROOM - 500);
    let mut reads = 0;
    while !desk.asked.is_empty() {
        assert_eq!(verdict_reads(&desk), 1);
        reads += 1;
        desk.serve_one(None);
    }
    // The first was read alone; the others together, as many as one read may ask for.
    assert_eq!(reads, 3);
    assert_eq!(room.available_permits(), ROOM);
    let told: usize = desk
        .take_of(phone, "verdicts")
        .iter()
        .map(|verdicts| verdicts["results"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, 500);
}

#[test]
fn repeats_of_many_clients_are_each_answered_from_their_own_mark() {
    let (mut desk, phone, room) = decided();
    let laptop = desk.hello(2, "laptop", None);
    desk.push(laptop, &[insert(1, "l1", &json!({}))]);
    desk.take(laptop);
    for _ in 0..3 {
        push(&mut desk, Origin::Conn(phone), &room, &[2, 3]);
        desk.start_push(laptop, &[insert(1, "l1", &json!({}))]);
    }
    desk.settle();
    for (conn, results) in [(phone, 6), (laptop, 3)] {
        let verdicts = desk.take_of(conn, "verdicts");
        let all = verdicts
            .iter()
            .flat_map(|v| v["results"].as_array().unwrap());
        let applied = all.filter(|result| result["status"] == "applied");
        assert_eq!(applied.count(), results);
    }
    assert_eq!(room.available_permits(), ROOM);
}

#[test]
fn repeats_that_waited_for_a_failed_read_are_read_by_the_next() {
    let (mut desk, phone, room) = decided();
    push(&mut desk, Origin::Conn(phone), &room, &[1]);
    push(&mut desk, Origin::Conn(phone), &room, &[2]);
    desk.serve_one(Some(Fate::Fails));
    assert_eq!(desk.take_of(phone, "error").len(), 1);
    assert_eq!(room.available_permits(), ROOM - 1);
    desk.settle();
    assert_eq!(desk.take_of(phone, "verdicts").len(), 1);
    assert_eq!(room.available_permits(), ROOM);
}

#[test]
fn repeats_that_waited_while_the_history_changed_are_not_answered_from_the_new_one() {
    let (mut desk, phone, room) = decided();
    push(&mut desk, Origin::Conn(phone), &room, &[1]);
    push(&mut desk, Origin::Conn(phone), &room, &[2]);
    let epoch = desk.state.view().epoch;
    desk.store
        .new_epoch(&super::desk::space(), epoch, desk.now_ms)
        .unwrap();
    desk.settle();
    let told = desk.take(phone);
    let of = |t: &str| told.iter().filter(|message| message["t"] == t).count();
    assert_eq!((of("verdicts"), of("error")), (0, 2));
    assert_eq!(room.available_permits(), ROOM);
}

#[test]
fn a_call_that_waits_for_what_another_pushed_holds_its_permit() {
    let (mut desk, phone, room) = decided();
    desk.start_push(phone, &[insert(4, "k4", &json!({}))]);
    let origin = Origin::Call(CallId(7), client("phone").into());
    push(&mut desk, origin, &room, &[4]);
    assert_eq!(room.available_permits(), ROOM - 1);
    desk.settle();
    assert!(desk.replies.contains_key(&CallId(7)));
    assert_eq!(room.available_permits(), ROOM);
}

/// In the history that the session has learnt of meanwhile, the number may be another client's.
#[test]
fn a_repeat_is_not_answered_by_a_number_of_the_history_before() {
    let (mut desk, phone, _) = decided();
    desk.start_push(phone, &[insert(1, "k1", &json!({}))]);
    assert_eq!(verdict_reads(&desk), 1);
    let asked = std::mem::take(&mut desk.asked);
    let epoch = desk.state.view().epoch;
    desk.store
        .new_epoch(&super::desk::space(), epoch, desk.now_ms)
        .unwrap();
    desk.step(Event::Missed);
    desk.settle();
    assert_ne!(desk.state.view().epoch, epoch);
    desk.take(phone);
    for effect in asked {
        let answer = desk.answer(effect, None);
        desk.step(Event::Store(answer));
    }
    let told = desk.take(phone);
    let of = |t: &str| told.iter().filter(|message| message["t"] == t).count();
    assert_eq!((of("verdicts"), of("error")), (0, 1));
}
