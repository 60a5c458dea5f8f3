//! The store fails, conflicts, loses answers and loses commits.

use serde_json::json;

use syncline_protocol::error::Code;
use syncline_protocol::ids::Seq;

use super::desk::{Desk, Fate, client, insert, mutation, update};
use crate::session::event::{CallId, CallReply, ConnId, Effect, Event, Note, Origin, Push};

fn one_record() -> (Desk, ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"a": 0, "b": 0}))]);
    desk.take(phone);
    (desk, phone)
}

/// Another node commits what its device pushes.
fn elsewhere(desk: &mut Desk, edit: serde_json::Value) {
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let tablet = other.hello(1, "tablet", None);
    other.push(tablet, &[edit]);
    desk.store = other.store;
}

fn serve_until_commit(desk: &mut Desk) {
    while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
        desk.serve_one(None);
    }
}

#[test]
fn a_conflict_merges_again_onto_what_the_other_node_wrote() {
    let (mut desk, phone) = one_record();
    elsewhere(&mut desk, update(1, "k1", "b", &json!("other"), 5));
    desk.push(phone, &[update(2, "k1", "a", &json!("mine"), 6)]);
    assert_eq!(desk.stored("k1"), Some(json!({"a": "mine", "b": "other"})));
    assert!(desk.notes.contains(&Note::Conflict));
    assert_eq!(desk.heads_told, []);
    let deltas = desk.take_of(phone, "delta");
    let steps: Vec<_> = deltas
        .iter()
        .map(|d| (d["from"].clone(), d["to"].clone()))
        .collect();
    assert_eq!(steps, [(json!(1), json!(2)), (json!(2), json!(3))]);
}

#[test]
fn a_commit_whose_answer_was_lost_is_answered_from_the_mark_and_not_repeated() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    serve_until_commit(&mut desk);
    desk.serve_one(Some(Fate::AnswerLost));
    assert_eq!(desk.take_of(phone, "verdicts").len(), 0);
    desk.settle();
    let results = desk.take_of(phone, "verdicts")[0]["results"].clone();
    assert_eq!(results, json!([{"m": 2, "status": "applied", "seq": 2}]));
    assert_eq!((desk.head(), desk.commits), (2, 2));
    // Nobody told the other nodes when it was made.
    let epoch = desk.state.view().epoch;
    assert_eq!(desk.heads_told, [(epoch, Seq(2))]);
}

#[test]
fn a_commit_that_failed_is_made_again() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    serve_until_commit(&mut desk);
    desk.serve_one(Some(Fate::Fails));
    desk.settle();
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"][0]["status"],
        "applied"
    );
    assert_eq!(desk.stored("k1").unwrap()["a"], 1);
}

#[test]
fn the_time_of_a_clamp_is_kept_through_retries() {
    let (mut desk, phone) = one_record();
    let taken_at = desk.now_ms;
    desk.start_push(phone, &[update(2, "k1", "a", &json!(1), 86_400_000)]);
    serve_until_commit(&mut desk);
    desk.serve_one(Some(Fate::Fails));
    desk.now_ms += 600_000;
    desk.settle();
    let records = desk.store.all(&super::desk::space());
    let stamp = records.values().next().unwrap().field("a").unwrap().stamp;
    assert_eq!(stamp.at.wall_ms(), taken_at);
}

#[test]
fn records_read_at_another_head_are_thrown_away() {
    let (mut desk, phone) = one_record();
    elsewhere(&mut desk, insert(1, "k2", &json!({"a": 0})));
    // k2 is read at head 2 while the session stands at 1.
    desk.start_push(phone, &[update(2, "k2", "b", &json!(1), 6)]);
    assert!(matches!(desk.asked[0], Effect::ReadRecords(..)));
    desk.settle();
    assert_eq!(desk.stored("k2"), Some(json!({"a": 0, "b": 1})));
    assert_eq!(
        desk.notes
            .iter()
            .filter(|note| **note == Note::Conflict)
            .count(),
        0
    );
}

#[test]
fn records_read_at_an_older_head_are_thrown_away() {
    let (mut desk, _) = one_record();
    let older = desk.store.clone();
    elsewhere(&mut desk, update(1, "k1", "b", &json!("other"), 5));
    // A session whose cache is empty, at head 2, and a read that a replica answers as of head 1.
    let mut desk = Desk::on(desk.store, Default::default());
    let phone = desk.hello(1, "phone", None);
    desk.start_push(phone, &[update(2, "k1", "a", &json!("mine"), 6)]);
    assert!(matches!(desk.asked[0], Effect::ReadRecords(..)));
    let newer = std::mem::replace(&mut desk.store, older);
    desk.serve_one(None);
    desk.store = newer;
    // Nothing is merged onto them: it looks where the store is, and reads them again.
    assert!(
        matches!(desk.asked[0], Effect::ReadView { .. }),
        "{:?}",
        desk.asked
    );
    desk.settle();
    // At the head that was expected, the store itself could not have told.
    assert_eq!(desk.stored("k1"), Some(json!({"a": "mine", "b": "other"})));
    assert_eq!(desk.commits, 1);
}

#[test]
fn waits_grow_with_failures_and_begin_anew_after_a_success() {
    let (mut desk, phone) = one_record();
    for round in 0..2_u64 {
        desk.start_push(
            phone,
            &[update(2 + round, "k1", "a", &json!(round), 5 + round)],
        );
        for _ in 0..12 {
            serve_until_commit(&mut desk);
            desk.serve_one(Some(Fate::Fails));
            desk.retry();
        }
        desk.settle();
        let waits = std::mem::take(&mut desk.waits);
        for (failures, ms) in waits.into_iter().enumerate() {
            let longest = (10 << failures).min(2_000);
            assert!(
                (longest / 2..=longest).contains(&ms),
                "wait {failures}: {ms}"
            );
        }
    }
}

#[test]
fn reads_that_fail_are_tried_again() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[insert(2, "k2", &json!({}))]);
    desk.serve_one(Some(Fate::Fails)); // its record
    desk.settle();
    assert!(desk.stored("k2").is_some());
    elsewhere(&mut desk, insert(1, "k3", &json!({})));
    desk.step(Event::Missed);
    desk.serve_one(Some(Fate::Fails)); // what was missed
    desk.settle();
    assert_eq!(desk.take_of(phone, "delta").last().unwrap()["to"], 3);
}

#[test]
fn a_mutation_decided_by_another_node_is_answered_once() {
    let (mut desk, phone) = one_record();
    // The phone's mutation 2 got through on another node, whose answer it never saw.
    let edit = update(2, "k1", "a", &json!(1), 5);
    let mut other = Desk::on(desk.store.clone(), Default::default());
    let moved = other.hello(1, "phone", None);
    other.push(moved, std::slice::from_ref(&edit));
    desk.store = other.store;
    desk.push(phone, &[edit, update(3, "k1", "a", &json!(2), 6)]);
    let results: Vec<_> = desk
        .take_of(phone, "verdicts")
        .iter()
        .flat_map(|verdicts| verdicts["results"].as_array().unwrap().clone())
        .map(|result| (result["m"].clone(), result["status"].clone()))
        .collect();
    assert_eq!(results.len(), 2, "{results:?}");
    assert!(results.contains(&(json!(2), json!("applied"))));
    assert!(results.contains(&(json!(3), json!("applied"))));
    assert_eq!(desk.head(), 3);
}

#[test]
fn a_store_that_lost_commits_gets_a_new_epoch_and_devices_begin_again() {
    let (mut desk, phone) = one_record();
    let backup = desk.store.clone();
    desk.push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    desk.take(phone);
    desk.store = backup;
    desk.push(phone, &[update(3, "k1", "b", &json!(1), 6)]);
    let sent = desk.take(phone);
    let resets: Vec<_> = sent.iter().filter(|m| m["t"] == "reset").collect();
    assert_eq!(resets[0]["why"], "epoch");
    // Number 3 does not follow the restored mark: the client must take a new id.
    let gaps: Vec<_> = sent.iter().filter(|m| m["code"] == "gap").collect();
    assert_eq!(gaps[0]["acked"], 1);
    assert_eq!(desk.stored("k1"), Some(json!({"a": 0, "b": 0})));
}

#[test]
fn a_gap_whose_mark_cannot_be_read_is_not_called_one() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[insert(7, "k7", &json!({}))]);
    desk.serve_one(Some(Fate::Fails));
    let errors = desk.take_of(phone, "error");
    let codes: Vec<_> = errors.iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, ["unavailable"]);

    desk.step(Event::Push(Push {
        origin: Origin::Call(CallId(1), client("phone").into()),
        muts: vec![mutation(&insert(7, "k7", &json!({})))],
        permit: None,
        trace: None,
    }));
    desk.serve_one(Some(Fate::Fails));
    let reply = desk.replies.remove(&CallId(1));
    let Some(CallReply::Refused(refusal)) = reply else {
        panic!("answered {reply:?}");
    };
    assert_eq!(refusal.code, Code::Unavailable);
}

#[test]
fn a_drain_answers_repeats() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[insert(1, "k1", &json!({"a": 0, "b": 0}))]);
    desk.step(Event::Drain);
    assert_eq!(desk.drained, 0);
    desk.serve_one(None);
    assert_eq!(desk.take_of(phone, "verdicts").len(), 1);
    assert_eq!(desk.drained, 1);
}

#[test]
fn a_drain_waits_for_what_another_node_may_have_decided() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[insert(7, "k7", &json!({}))]);
    desk.step(Event::Drain);
    assert_eq!(desk.drained, 0);
    desk.serve_one(None);
    assert_eq!(desk.take_of(phone, "error")[0]["code"], "gap");
    assert_eq!(desk.drained, 1);
}

#[test]
fn a_drain_ends_once() {
    let (mut desk, phone) = one_record();
    desk.step(Event::Drain);
    desk.start_push(phone, &[insert(2, "k2", &json!({}))]);
    desk.step(Event::Missed);
    desk.settle();
    assert_eq!(desk.drained, 1);
    // Whoever asks again is answered again.
    desk.step(Event::Drain);
    assert_eq!(desk.drained, 2);
}

#[test]
fn draining_finishes_what_was_taken_and_takes_nothing_more() {
    let (mut desk, phone) = one_record();
    desk.start_push(phone, &[update(2, "k1", "a", &json!(1), 5)]);
    desk.step(Event::Drain);
    assert_eq!(desk.drained, 0);
    desk.start_push(phone, &[update(3, "k1", "a", &json!(2), 6)]);
    // It is told to come back elsewhere, and sends it there.
    assert_eq!(desk.take(phone), [] as [serde_json::Value; 0]);
    desk.settle();
    assert_eq!(desk.drained, 1);
    assert_eq!(desk.stored("k1").unwrap()["a"], 1);
    assert!(matches!(desk.call(1, "server", &[]), CallReply::Refused(_)));
}

#[test]
fn a_record_cached_before_commits_were_lost_is_not_merged_onto() {
    let (mut desk, phone) = one_record();
    let backup = desk.store.clone();
    desk.push(phone, &[update(2, "k1", "a", &json!("lost"), 5)]);
    desk.store = backup;
    desk.step(Event::Missed);
    desk.settle();
    let laptop = desk.hello(2, "laptop", None);
    desk.push(laptop, &[update(1, "k1", "b", &json!(2), 6)]);
    assert_eq!(desk.stored("k1"), Some(json!({"a": 0, "b": 2})));
}

#[test]
fn a_rejected_mutation_does_not_move_the_clock() {
    let (mut desk, phone) = one_record();
    let clock = desk.state.view().clock;
    desk.push(phone, &[update(2, "unknown", "a", &json!(1), 86_400_000)]);
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"][0]["code"],
        "record_unknown"
    );
    assert_eq!(desk.state.view().clock, clock);
}
