//! Numbers, verdicts, batches.

use serde_json::json;
use syncline_protocol::wire::hub::Answer;

use super::desk::{Desk, NOW_MS, delete, insert, insertion, stamp, update};
use crate::session::event::{CallReply, Note};
use crate::telemetry::labels::VerdictStatus;

pub(super) fn pushed_once() -> (Desk, crate::session::event::ConnId) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(
        phone,
        &[insert(1, "k1", &json!({"title": "a", "done": false}))],
    );
    desk.take(phone);
    (desk, phone)
}

#[test]
fn a_mutation_is_applied_and_answered_with_its_seq() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.take(phone);
    desk.push(phone, &[insert(1, "k1", &json!({"title": "a"}))]);
    let verdicts = &desk.take_of(phone, "verdicts")[0];
    assert_eq!(verdicts["through"], 1);
    assert_eq!(
        verdicts["results"],
        json!([{"m": 1, "status": "applied", "seq": 1}])
    );
    assert_eq!(desk.stored("k1"), Some(json!({"title": "a"})));
}

#[test]
fn nothing_is_answered_before_the_commit_is_durable() {
    let (mut desk, phone) = pushed_once();
    desk.start_push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    assert_eq!(desk.take(phone), Vec::<serde_json::Value>::new());
    desk.settle();
    assert_eq!(desk.take_of(phone, "verdicts").len(), 1);
}

#[test]
fn a_repeat_gets_the_same_verdict_and_has_no_second_effect() {
    let (mut desk, phone) = pushed_once();
    let again = insert(1, "k1", &json!({"done": false, "title": "a"}));
    desk.push(phone, &[again]);
    let verdicts = &desk.take_of(phone, "verdicts")[0];
    assert_eq!(
        verdicts["results"],
        json!([{"m": 1, "status": "applied", "seq": 1}])
    );
    assert_eq!((desk.head(), desk.commits), (1, 1));
}

#[test]
fn a_repeat_with_another_payload_is_refused() {
    let (mut desk, phone) = pushed_once();
    desk.push(phone, &[insert(1, "k1", &json!({"title": "b"}))]);
    let verdicts = &desk.take_of(phone, "verdicts")[0];
    assert_eq!(verdicts["results"][0]["code"], "number_reused");
    assert_eq!(desk.stored("k1").unwrap()["title"], "a");
}

#[test]
fn a_number_older_than_the_marks_is_known() {
    let (mut desk, phone) = pushed_once();
    for m in 2..=257 {
        desk.push(phone, &[update(m, "k1", "n", &json!(m), m)]);
    }
    desk.take(phone);
    desk.push(
        phone,
        &[insert(1, "k1", &json!({"title": "a", "done": false}))],
    );
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"],
        json!([{"m": 1, "status": "known"}])
    );
    desk.push(phone, &[update(2, "k1", "n", &json!(2), 2)]);
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"][0]["status"],
        "applied"
    );
}

#[test]
fn a_gap_is_refused_with_the_last_number_and_takes_nothing() {
    let (mut desk, phone) = pushed_once();
    desk.push(phone, &[update(3, "k1", "done", &json!(true), 5)]);
    let error = &desk.take_of(phone, "error")[0];
    assert_eq!(
        (error["code"].as_str(), &error["acked"]),
        (Some("gap"), &json!(1))
    );
    assert_eq!(desk.head(), 1);
}

#[test]
fn a_gap_inside_a_push_takes_nothing_of_it() {
    let (mut desk, phone) = pushed_once();
    let one = insert(1, "k1", &json!({"title": "a", "done": false}));
    let (next, far) = (
        update(2, "k1", "done", &json!(1), 5),
        insert(4, "k4", &json!({})),
    );
    desk.push(phone, &[one, next, far.clone()]);
    let sent = desk.take(phone);
    let error = sent.iter().find(|message| message["t"] == "error").unwrap();
    assert_eq!(
        (&error["code"], &error["acked"]),
        (&json!("gap"), &json!(1))
    );
    // What was decided before is answered all the same.
    let told = sent.iter().find(|message| message["t"] == "verdicts");
    assert_eq!(
        told.unwrap()["results"],
        json!([{"m": 1, "status": "applied", "seq": 1}])
    );
    assert_eq!(desk.head(), 1);
    // Its numbers are free for another payload.
    let (second, third) = (
        update(2, "k1", "done", &json!(2), 6),
        insert(3, "k3", &json!({})),
    );
    desk.push(phone, &[second, third, far]);
    let results = &desk.take_of(phone, "verdicts")[0]["results"];
    let statuses: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["status"])
        .collect();
    assert_eq!(statuses, ["applied"; 3]);
}

#[test]
fn a_gap_inside_a_call_takes_nothing_of_it() {
    let mut desk = Desk::new();
    let (first, third) = (insert(1, "k1", &json!({})), insert(3, "k3", &json!({})));
    let CallReply::Gap(None) = desk.call(1, "server", &[first, third]) else {
        panic!("no gap")
    };
    assert_eq!(desk.head(), 0);
    let CallReply::Results { results, .. } = desk.call(2, "server", &[insert(1, "k9", &json!({}))])
    else {
        panic!("no results")
    };
    assert!(matches!(&results[..], [(1, Answer::Verdict(_))]));
    assert!(desk.stored("k9").is_some() && desk.stored("k1").is_none());
}

#[test]
fn numbers_that_go_back_inside_a_push_are_a_gap() {
    let mut desk = Desk::new();
    let (second, first) = (insert(2, "k2", &json!({})), insert(1, "k1", &json!({})));
    let CallReply::Gap(None) = desk.call(1, "server", &[second, first]) else {
        panic!("no gap")
    };
    assert_eq!(desk.head(), 0);
}

#[test]
fn an_unknown_client_begins_at_one() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(7, "k1", &json!({}))]);
    let error = &desk.take_of(phone, "error")[0];
    assert_eq!(
        (error["code"].as_str(), &error["acked"]),
        (Some("gap"), &json!(null))
    );
}

#[test]
fn what_arrives_during_a_commit_forms_the_next_one() {
    let (mut desk, phone) = pushed_once();
    let laptop = desk.hello(2, "laptop", None);
    desk.start_push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    for m in 3..=9 {
        desk.start_push(phone, &[update(m, "k1", "done", &json!(m), 5 + m)]);
    }
    desk.start_push(laptop, &[insert(1, "k2", &json!({}))]);
    desk.settle();
    assert_eq!((desk.head(), desk.commits), (3, 3));
    assert_eq!(desk.stored("k1").unwrap()["done"], 9);
}

#[test]
fn a_commit_takes_mutations_up_to_its_limit() {
    let limits = crate::session::state::SessionLimits {
        commit_mutations_max: 3,
        ..Default::default()
    };
    let mut desk = Desk::on(syncline_storage::model::ModelStore::new(1), limits);
    let phone = desk.hello(1, "phone", None);
    let muts: Vec<_> = (1..=7)
        .map(|m| insert(m, &m.to_string(), &json!({})))
        .collect();
    desk.push(phone, &muts);
    assert_eq!((desk.head(), desk.commits), (3, 3));
}

#[test]
fn one_bad_change_rejects_its_whole_mutation_and_blocks_nothing() {
    let (mut desk, phone) = pushed_once();
    let mixed = json!({"m": 2, "changes": [
        insertion("tasks", "k2", &json!({"title": "b"})),
        {"table": "tasks", "id": "k9", "op": "update", "fields": {"x": {"value": 1}}},
    ]});
    desk.push(phone, &[mixed, insert(3, "k3", &json!({}))]);
    let results = desk.take_of(phone, "verdicts")[0]["results"].clone();
    assert_eq!(results[0]["code"], "record_unknown");
    assert_eq!(results[1]["status"], "applied");
    assert_eq!(desk.stored("k2"), None);
    assert!(desk.stored("k3").is_some());
}

#[test]
fn an_unreadable_mutation_is_rejected_once_and_for_all() {
    let (mut desk, phone) = pushed_once();
    let bad = json!({"m": 2, "changes": [{"table": "tasks", "id": "k1", "op": "upsert"}]});
    for _ in 0..2 {
        desk.push(phone, std::slice::from_ref(&bad));
        let results = desk.take_of(phone, "verdicts")[0]["results"].clone();
        assert_eq!(
            (&results[0]["code"], &results[0]["seq"]),
            (&json!("op_unknown"), &json!(1))
        );
    }
    assert_eq!((desk.head(), desk.commits), (1, 2));
}

#[test]
fn a_later_change_of_a_mutation_sees_the_earlier_ones() {
    let (mut desk, phone) = pushed_once();
    let both = json!({"m": 2, "changes": [
        insertion("tasks", "k2", &json!({"title": "b"})),
        {"table": "tasks", "id": "k2", "op": "update",
         "fields": {"title": {"value": "c", "updatedAt": stamp(1)}}},
    ]});
    desk.push(phone, &[both]);
    assert_eq!(desk.stored("k2"), Some(json!({"title": "c"})));
}

#[test]
fn a_loser_is_superseded_and_told_the_winner() {
    let (mut desk, phone) = pushed_once();
    desk.push(phone, &[update(2, "k1", "done", &json!(true), 50)]);
    desk.take(phone);
    desk.push(phone, &[update(3, "k1", "done", &json!(false), 40)]);
    let result = &desk.take_of(phone, "verdicts")[0]["results"][0];
    assert_eq!(
        (&result["status"], &result["seq"]),
        (&json!("superseded"), &json!(2))
    );
    let fields = json!({"done": {"value": true, "updatedAt": stamp(50)}});
    assert_eq!(
        result["winners"],
        json!([{"table": "tasks", "id": "k1", "fields": fields}])
    );
    assert_eq!(desk.head(), 2);
}

#[test]
fn an_edit_older_than_the_delete_is_told_of_it() {
    let (mut desk, phone) = pushed_once();
    desk.push(phone, &[delete(2, "k1", 50)]);
    desk.take(phone);
    desk.push(phone, &[update(3, "k1", "done", &json!(true), 40)]);
    let result = &desk.take_of(phone, "verdicts")[0]["results"][0];
    assert_eq!(result["winners"][0]["deletedAt"], stamp(50));
    assert_eq!(desk.stored("k1"), None);
}

#[test]
fn a_clock_far_ahead_is_clamped_and_the_later_edit_still_wins() {
    let (mut desk, phone) = pushed_once();
    let year = 365 * 86_400_000;
    desk.push(phone, &[update(2, "k1", "done", &json!("first"), year)]);
    let result = &desk.take_of(phone, "verdicts")[0]["results"][0];
    assert_eq!(result["clamped"], true);
    desk.push(
        phone,
        &[update(3, "k1", "done", &json!("second"), year + 1)],
    );
    assert_eq!(desk.stored("k1").unwrap()["done"], "second");
    let records = desk.store.all(&super::desk::space());
    let done = records
        .values()
        .next()
        .unwrap()
        .field("done")
        .unwrap()
        .stamp
        .at;
    assert!(done.wall_ms() == NOW_MS && done.counter() > 0, "{done}");
}

#[test]
fn too_many_in_flight_are_refused_without_using_a_number() {
    let (mut desk, phone) = pushed_once();
    let muts: Vec<_> = (2..=257)
        .map(|m| insert(m, &m.to_string(), &json!({})))
        .collect();
    desk.start_push(phone, &muts);
    desk.start_push(phone, &[insert(258, "x", &json!({}))]);
    assert_eq!(
        desk.take_of(phone, "error")[0]["code"],
        "too_many_in_flight"
    );
    desk.settle();
    desk.push(phone, &[insert(258, "x", &json!({}))]);
    assert!(desk.stored("x").is_some());
}

#[test]
fn a_resend_counts_only_what_is_new() {
    let (mut desk, phone) = pushed_once();
    let muts: Vec<_> = (2..=257)
        .map(|m| insert(m, &m.to_string(), &json!({})))
        .collect();
    desk.start_push(phone, &muts[..255]);
    desk.start_push(phone, &muts);
    assert_eq!(
        desk.take_of(phone, "error"),
        Vec::<serde_json::Value>::new()
    );
    desk.settle();
    assert!(desk.stored("257").is_some());
}

#[test]
fn a_resend_of_what_is_in_flight_waits_for_the_one_verdict() {
    let (mut desk, phone) = pushed_once();
    let edit = update(2, "k1", "done", &json!(true), 5);
    desk.start_push(phone, std::slice::from_ref(&edit));
    desk.start_push(phone, &[edit]);
    desk.settle();
    let verdicts = desk.take_of(phone, "verdicts");
    assert_eq!((verdicts.len(), desk.head()), (1, 2));
}

#[test]
fn a_reused_number_is_counted_be_it_decided_or_not() {
    let (mut desk, phone) = pushed_once();
    desk.start_push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    for number in [2, 1] {
        desk.notes.clear();
        desk.start_push(phone, &[update(number, "k1", "done", &json!("other"), 5)]);
        desk.settle();
        let refused = Note::Verdict(VerdictStatus::Refused);
        let count = desk.notes.iter().filter(|note| **note == refused).count();
        assert_eq!(count, 1, "{number}");
    }
}

#[test]
fn a_call_of_a_client_that_is_not_attached_is_answered() {
    let (mut desk, _) = pushed_once();
    let CallReply::Results { head, results, .. } = desk.call(
        1,
        "server",
        &[insert(1, "k2", &json!({})), insert(2, "k3", &json!({}))],
    ) else {
        panic!("no results")
    };
    assert_eq!(head.0, 2);
    assert!(matches!(
        &results[..],
        [(1, Answer::Verdict(_)), (2, Answer::Verdict(_))]
    ));
    let CallReply::Gap(acked) = desk.call(2, "server", &[insert(9, "k4", &json!({}))]) else {
        panic!("no gap")
    };
    assert_eq!(acked, Some(2));
}

#[test]
fn a_call_without_mutations_is_answered_at_once() {
    let mut desk = Desk::new();
    let CallReply::Results { results, .. } = desk.call(1, "server", &[]) else {
        panic!()
    };
    assert_eq!(results, vec![]);
}

#[test]
fn equal_client_ids_of_two_users_share_nothing() {
    let (mut desk, _) = pushed_once();
    let mut other = super::desk::client("phone");
    other.user = syncline_protocol::ids::UserId::trusted("bob");
    let mutation = super::desk::mutation(&insert(1, "k2", &json!({})));
    let origin =
        crate::session::event::Origin::Call(crate::session::event::CallId(9), other.into());
    desk.step(crate::session::event::Event::Push(
        crate::session::event::Push {
            origin,
            muts: vec![mutation],
            permit: None,
            trace: None,
        },
    ));
    desk.settle();
    assert!(desk.stored("k2").is_some());
}

#[test]
fn equal_stamps_with_other_values_are_counted_and_end_the_same() {
    let (mut desk, phone) = pushed_once();
    desk.push(phone, &[update(2, "k1", "done", &json!("b"), 5)]);
    desk.push(phone, &[update(3, "k1", "done", &json!("a"), 5)]);
    assert_eq!(desk.stored("k1").unwrap()["done"], "b");
    assert!(desk.notes.contains(&Note::Tie));
}

#[test]
fn a_warm_cache_needs_no_read() {
    let (mut desk, phone) = pushed_once();
    let reads = desk.record_reads;
    desk.push(phone, &[update(2, "k1", "done", &json!(true), 5)]);
    assert_eq!(desk.record_reads, reads);
}
