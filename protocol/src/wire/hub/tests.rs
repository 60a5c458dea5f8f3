//! The texts, letter by letter against the examples of the design (§7).

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ids::FieldName;
use crate::samples::{BASE_MS, cases, key};
use crate::stamp::Hlc;
use crate::verdict::WonField;
use crate::wire::cursor::{Selection, SnapshotSum};

const NOW_MS: WallMs = BASE_MS + 42;

fn verdict(status: Status) -> Verdict {
    Verdict {
        status,
        seq: Seq(131),
        winners: vec![],
        clamped: false,
    }
}

fn winner() -> Winner {
    let won = |name: &str, value: Option<&str>| WonField {
        name: FieldName::trusted(name),
        at: Hlc::new(BASE_MS + 123, 255),
        value: value.map(Json::trusted),
    };
    Winner {
        key: key("k1"),
        fields: vec![won("done", Some("true")), won("note", None)],
        deleted_at: None,
        inserted_at: None,
    }
}

fn result(answer: Answer) -> String {
    let mut out = String::new();
    write_results(&mut out, &[(812, answer)]);
    out
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a message is JSON")
}

#[test]
fn welcome() {
    let welcome = Welcome {
        node: "n2",
        epoch: Epoch(0xe1),
        head: Seq(131),
        gc_seq: Seq(0),
        now_ms: NOW_MS,
        token_expires_in_s: 3_500,
        acked: Some(811),
        message_bytes: 1_048_576,
        changes_per_push: 5_000,
    };
    assert_eq!(
        welcome.to_text(),
        r#"{"t":"welcome","v":1,"node":"n2","epoch":"00000000000000e1","head":131,"gc_seq":0,"now":"2026-11-24T10:00:00.042Z","token_expires_in":3500,"acked":811,"limits":{"message_bytes":1048576,"changes_per_push":5000}}"#
    );
}

#[test]
fn welcome_of_an_unknown_client_says_null() {
    let welcome = Welcome {
        node: "n\"2",
        epoch: Epoch(1),
        head: Seq(0),
        gc_seq: Seq(0),
        now_ms: NOW_MS,
        token_expires_in_s: 0,
        acked: None,
        message_bytes: 1_048_576,
        changes_per_push: 5_000,
    };
    let read = json(&welcome.to_text());
    assert_eq!(
        (&read["acked"], &read["node"]),
        (&Value::Null, &Value::from("n\"2"))
    );
}

#[test]
fn delta_carries_the_changes_as_they_stand() {
    assert_eq!(
        delta(Seq(104), Seq(131), r#"{"seq":131}"#, false),
        r#"{"t":"delta","from":104,"to":131,"changes":[{"seq":131}]}"#
    );
}

#[test]
fn delta_that_is_not_the_last_says_more() {
    assert_eq!(
        delta(Seq(104), Seq(110), "", true),
        r#"{"t":"delta","from":104,"to":110,"changes":[],"more":true}"#
    );
}

fn place() -> SnapshotPlace {
    SnapshotPlace {
        epoch: Epoch(7),
        at: Seq(131),
        after: key("k1"),
        done: 3_000,
        sum: SnapshotSum(0x82c2_8250),
        selection: Selection::ALL,
    }
}

#[test]
fn snapshot_part() {
    let next = place().to_text();
    assert_eq!(
        snapshot(&place(), Some(12_000), r#"{"id":"k1"}"#),
        format!(
            r#"{{"t":"snapshot","at":131,"done":3000,"of":12000,"changes":[{{"id":"k1"}}],"next":"{next}"}}"#
        )
    );
}

#[test]
fn a_snapshots_estimate_is_never_below_what_is_done() {
    assert_eq!(json(&snapshot(&place(), Some(0), ""))["of"], 3_000);
    assert!(json(&snapshot(&place(), None, "")).get("of").is_none());
}

#[test]
fn snapshot_ends_with_count_and_sum() {
    assert_eq!(
        snapshot_end(Seq(131), 11_873, SnapshotSum(0x0a)),
        r#"{"t":"snapshot_end","at":131,"count":11873,"sum":"0000000a"}"#
    );
}

#[test]
fn verdicts_of_all_kinds() {
    let refusal = Refusal::new(Code::RecordTooLarge, "more than 262144 bytes");
    let mut superseded = verdict(Status::Superseded);
    superseded.winners.push(Winner {
        fields: vec![winner().fields.remove(0)],
        ..winner()
    });
    let results = [
        (812, Answer::Verdict(verdict(Status::Applied))),
        (813, Answer::Verdict(superseded)),
        (814, Answer::Verdict(verdict(Status::Rejected(refusal)))),
    ];
    assert_eq!(
        verdicts(814, NOW_MS, &results),
        concat!(
            r#"{"t":"verdicts","through":814,"now":"2026-11-24T10:00:00.042Z","results":["#,
            r#"{"m":812,"status":"applied","seq":131},"#,
            r#"{"m":813,"status":"superseded","seq":131,"winners":[{"table":"tasks","id":"k1","fields":{"done":{"value":true,"updatedAt":"2026-11-24T10:00:00.123Z-00ff"}}}]},"#,
            r#"{"m":814,"status":"rejected","code":"record_too_large","message":"more than 262144 bytes","seq":131}]}"#
        )
    );
}

#[test]
fn no_verdicts_are_an_empty_list() {
    assert_eq!(
        verdicts(0, NOW_MS, &[]),
        r#"{"t":"verdicts","through":0,"now":"2026-11-24T10:00:00.042Z","results":[]}"#
    );
}

#[test]
fn a_clamped_verdict_says_so() {
    let clamped = Verdict {
        clamped: true,
        ..verdict(Status::Applied)
    };
    assert_eq!(
        result(Answer::Verdict(clamped)),
        r#"[{"m":812,"status":"applied","seq":131,"clamped":true}]"#
    );
}

#[test]
fn a_winner_past_the_budget_is_only_named() {
    let applied = Verdict {
        winners: vec![winner()],
        ..verdict(Status::Applied)
    };
    assert!(
        result(Answer::Verdict(applied))
            .contains(r#""note":{"updatedAt":"2026-11-24T10:00:00.123Z-00ff"}"#)
    );
}

#[test]
fn a_winning_delete_and_a_winning_insert_give_their_times() {
    let at = Some(Hlc::new(BASE_MS, 0));
    let bare = Winner {
        fields: vec![],
        ..winner()
    };
    let winners = vec![
        Winner {
            deleted_at: at,
            ..bare.clone()
        },
        Winner {
            inserted_at: at,
            ..bare
        },
    ];
    let superseded = Verdict {
        winners,
        ..verdict(Status::Superseded)
    };
    let text = result(Answer::Verdict(superseded));
    assert!(text.contains(
        r#"{"table":"tasks","id":"k1","fields":{},"deletedAt":"2026-11-24T10:00:00.000Z"}"#
    ));
    assert!(text.contains(
        r#"{"table":"tasks","id":"k1","fields":{},"insertedAt":"2026-11-24T10:00:00.000Z"}"#
    ));
}

#[test]
fn an_old_number_is_known_and_a_reused_one_rejected() {
    assert_eq!(result(Answer::Known), r#"[{"m":812,"status":"known"}]"#);
    let refusal = Refusal::new(Code::NumberReused, "another \"payload\"");
    assert_eq!(
        result(Answer::Refused(refusal)),
        r#"[{"m":812,"status":"rejected","code":"number_reused","message":"another \"payload\""}]"#
    );
}

#[test]
fn the_small_messages() {
    let is = |why, name: &str| {
        let text = format!(r#"{{"t":"reset","why":"{name}","epoch":"00000000000000ab"}}"#);
        assert_eq!(reset(why, Epoch(0xab)), text);
    };
    is(ResetWhy::Epoch, "epoch");
    is(ResetWhy::Gc, "gc");
    is(ResetWhy::Cursor, "cursor");
    is(ResetWhy::Erased, "erased");
    assert_eq!(auth_due(60), r#"{"t":"auth_due","in":60}"#);
    assert_eq!(
        slow("user", 800),
        r#"{"t":"slow","scope":"user","retry_ms":800}"#
    );
    assert_eq!(reconnect(4_213), r#"{"t":"reconnect","after_ms":4213}"#);
    assert_eq!(PONG, r#"{"t":"pong"}"#);
}

#[test]
fn presence_of_another_client_and_its_end() {
    let state = Json::trusted(r#"{"at":"k1"}"#);
    assert_eq!(
        presence("c-77", Some(&state)),
        r#"{"t":"presence","client":"c-77","state":{"at":"k1"}}"#
    );
    assert_eq!(
        presence("c-77", None),
        r#"{"t":"presence","client":"c-77","state":null}"#
    );
}

#[test]
fn broadcast_from_another_client() {
    assert_eq!(
        broadcast("r1", "c-77", &Json::trusted("{}")),
        r#"{"t":"broadcast","room":"r1","from":"c-77","data":{}}"#
    );
}

#[test]
fn an_error_carries_code_message_and_retry() {
    let refusal = Refusal::new(Code::TokenExpired, "the token is over");
    assert_eq!(
        error(&refusal),
        r#"{"t":"error","code":"token_expired","message":"the token is over","retry":"reauth"}"#
    );
    assert_eq!(
        http_error(&refusal),
        r#"{"code":"token_expired","message":"the token is over","retry":"reauth"}"#
    );
}

#[test]
fn a_gap_says_where_to_go_on() {
    let text = r#"{"t":"error","code":"gap","message":"mutation numbers must be consecutive","retry":"now","acked":"#;
    assert_eq!(gap(Some(811)), format!("{text}811}}"));
    assert_eq!(gap(None), format!("{text}null}}"));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_text_of_people_stays_json(text in any::<String>(), client in "[^\u{0}-\u{1f}]{1,9}") {
        let refusal = Refusal::new(Code::Internal, text.clone());
        prop_assert_eq!(&json(&error(&refusal))["message"], &Value::from(text.clone()));
        prop_assert_eq!(&json(&http_error(&refusal))["message"], &Value::from(text.clone()));
        prop_assert_eq!(&json(&result(Answer::Refused(refusal)))[0]["message"], &Value::from(text));
        prop_assert_eq!(&json(&presence(&client, None))["client"], &Value::from(client));
    }
}

#[test]
fn a_delta_that_is_followed_asks_for_an_ack_and_says_which_trace() {
    let step = (Seq(1), Seq(2));
    let text = followed_delta(step, "", false, None);
    assert_eq!(
        text,
        r#"{"t":"delta","from":1,"to":2,"changes":[],"ack":true}"#
    );
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let text = followed_delta(step, "", true, TraceParent::parse(trace));
    let after = format!(r#"[],"more":true,"ack":true,"traceparent":"{trace}"}}"#);
    assert!(text.ends_with(&after), "{text}");
}
