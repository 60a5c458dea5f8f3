//! What is done one after the other.

use super::*;

fn lane_of(job: &Job) -> Option<String> {
    job.lane.as_ref().map(|lane| lane.as_str().to_owned())
}

fn lane(config: Value) -> Option<String> {
    let made = jobs(fired(
        &triggers(&[config]),
        None,
        &live(json!({"to": "mail"})),
    ));
    lane_of(&made[0])
}

#[test]
fn webhooks_of_a_record_are_in_a_lane_and_what_else_says_so() {
    let to_llm = |more: Value| {
        let mut config = json!({"args": {"to": "llm"}});
        let members = config.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        config
    };
    assert_eq!(lane(to_llm(json!({}))).unwrap(), "llm/tasks/k1");
    assert_eq!(lane(to_llm(json!({"ordered": false}))), None);
    assert_eq!(lane(json!({"job": "mail"})), None);
    let mail = json!({"job": "mail", "ordered": true, "args": {"to": "llm"}});
    assert_eq!(lane(mail).unwrap(), "t/tasks/k1");
}

/// The endpoint hears of a record in its order, whichever triggers say so.
#[test]
fn two_triggers_that_post_a_record_to_one_endpoint_share_its_lane() {
    let all = triggers(&[
        json!({"id": "made", "when": "insert", "args": {"to": "llm"}}),
        json!({"id": "any", "when": "any", "args": {"to": "llm", "data": "$id"}}),
        json!({"id": "named", "when": "any", "args": {"to": "$after.to"}}),
        json!({"id": "other", "when": "any", "args": {"to": "mail"}}),
    ]);
    let (before, after) = (
        live(json!({"to": "llm"})),
        live(json!({"to": "llm", "x": 1})),
    );
    let lanes = |before, after| {
        let made = jobs(fired(&all, before, after));
        made.iter()
            .map(|job| lane_of(job).unwrap())
            .collect::<Vec<_>>()
    };
    let (llm, mail) = ("llm/tasks/k1", "mail/tasks/k1");
    assert_eq!(lanes(None, &before), [llm, llm, llm, mail]);
    assert_eq!(lanes(Some(&before), &after), [llm, llm, mail]);
    let gone = lanes(Some(&after), &dead(json!({})));
    assert_eq!(
        gone,
        [llm, "named/tasks/k1", mail],
        "a field of nothing names nobody"
    );
}

#[test]
fn an_endpoint_begins_with_a_dollar_if_it_is_written_with_two() {
    assert_eq!(
        lane(json!({"args": {"to": "$$to"}})).unwrap(),
        "$to/tasks/k1"
    );
    assert_eq!(
        lane(json!({"args": {"to": "$after.to"}})).unwrap(),
        "mail/tasks/k1"
    );
}

/// Its job is given up, and must have a lane until then.
#[test]
fn what_names_no_endpoint_is_in_its_triggers_lane() {
    for to in [
        json!(7),
        json!(""),
        json!("x".repeat(65)),
        json!("a\nb"),
        json!(null),
    ] {
        let record = live(json!({"to": to}));
        let made = jobs(fired(
            &triggers(&[json!({"args": {"to": "$after.to"}})]),
            None,
            &record,
        ));
        assert_eq!(lane_of(&made[0]).unwrap(), "t/tasks/k1", "{to}");
    }
    assert_eq!(lane(json!({})).unwrap(), "t/tasks/k1");
}

#[test]
fn a_lane_of_long_names_is_short_and_still_its_own() {
    let ids = ["a", "b"].map(|end| format!("{}{end}", "x".repeat(1_000)));
    let record = live(json!({}));
    let lanes = ids.map(|id| {
        let change = Changed {
            key: &key("tasks", &id),
            before: None,
            after: &record,
            who: "ada",
            depth: 0,
        };
        let to = "e".repeat(64);
        let made = jobs(fired_by(
            &triggers(&[json!({"args": {"to": to}})]),
            &[change],
        ));
        lane_of(&made[0]).unwrap()
    });
    assert_ne!(lanes[0], lanes[1]);
    assert!(lanes.iter().all(|lane| lane.len() <= JOB_LANE_BYTES_MAX));
}
