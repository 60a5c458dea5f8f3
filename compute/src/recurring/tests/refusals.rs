//! What cannot be done, and what is said of it: a record that is refused is its user's affair, a
//! config that cannot be done is for whoever runs the hub.

use super::occurrences::{args, with_event};
use super::*;
use crate::triggers::Per;

const OCCURRENCES: &str = r#"{"do":"occurrences","into":"occurrences","days":366}"#;

async fn both(data: Value) -> [&'static str; 2] {
    let mut space = Space::open().await;
    let mut whole =
        json!({"done": true, "due": "2026-11-24T10:00", "startsAt": "2026-11-24T10:00"});
    let Value::Object(data) = data else {
        panic!("members are an object");
    };
    whole.as_object_mut().unwrap().extend(data);
    space.insert("tasks", "k1", whole).await;
    let next = space.task(("tasks", "k1"), &json!({"do": "next"}));
    let occurrences = serde_json::from_str(OCCURRENCES).unwrap();
    let occurrences = space.task(("tasks", "k1"), &occurrences);
    [
        space.refused(&next).await,
        space.refused(&occurrences).await,
    ]
}

#[tokio::test]
async fn a_record_whose_rule_or_zone_is_none_is_refused_and_nothing_is_given_up() {
    let dates: Vec<String> = (0..501)
        .map(|n| format!("2027-01-01T00:{:02}:{:02}Z", n / 60, n % 60))
        .collect();
    for (data, code) in [
        (json!({"repeat": "FREQ=SOMETIMES"}), "rule_invalid"),
        (json!({"repeat": "every day"}), "rule_invalid"),
        (
            json!({"repeat": format!("FREQ=DAILY;BYMONTH={}", "1,".repeat(3_000))}),
            "rule_too_long",
        ),
        (
            json!({"repeat": "FREQ=DAILY", "timezone": "Mars/Olympus"}),
            "zone_unknown",
        ),
        (
            json!({"repeat": "FREQ=DAILY", "except": dates}),
            "too_many_dates",
        ),
    ] {
        assert_eq!(both(data.clone()).await, [code, code], "{data}");
    }
}

/// A weekly task with a date in between would be due on that date's weekday from then on.
#[tokio::test]
async fn a_task_repeats_by_its_rule_alone() {
    let mut space = Space::open().await;
    let repeat = "FREQ=WEEKLY\nRDATE:20261127";
    let data = json!({"done": true, "due": "2026-11-24", "repeat": repeat});
    space.insert("tasks", "k1", data).await;
    let task = space.task(("tasks", "k1"), &json!({"do": "next"}));
    assert_eq!(space.refused(&task).await, "rule_invalid");
}

/// Rules that would hold up a core, or fill a space.
#[tokio::test]
async fn a_hostile_rule_is_refused() {
    let old = json!({
        "due": "1900-01-01T00:00", "startsAt": "1900-01-01T00:00",
        "repeat": "FREQ=SECONDLY;INTERVAL=7;COUNT=400000000",
    });
    assert_eq!(both(old).await, ["too_much_work", "too_much_work"]);
    let mut space = Space::open().await;
    let data = json!({"startsAt": "2026-11-24T10:00:00Z", "repeat": "FREQ=HOURLY"});
    space.insert("events", "e1", data).await;
    let task = space.task(
        ("events", "e1"),
        &serde_json::from_str(OCCURRENCES).unwrap(),
    );
    assert_eq!(space.refused(&task).await, "too_many_occurrences");
}

/// What there is of an earlier rule is not the event's any more.
#[tokio::test]
async fn an_event_that_is_refused_has_no_occurrences_until_it_is_mended() {
    for (change, mended, code) in [
        (
            json!({"repeat": "FREQ=SOMETIMES"}),
            json!({"repeat": "FREQ=DAILY"}),
            "rule_invalid",
        ),
        (
            json!({"timezone": "Mars/Olympus"}),
            json!({"timezone": "Europe/Berlin"}),
            "zone_unknown",
        ),
        (
            json!({"repeat": "FREQ=MINUTELY"}),
            json!({"repeat": "FREQ=DAILY"}),
            "too_many_occurrences",
        ),
    ] {
        let mut space = with_event(json!({})).await;
        assert!(space.keep(json!({})).await.is_some());
        let before = space.starts().await;
        let (edited, _) = space.table("occurrences").await.remove(0);
        let edit = json!({"edited": true, "title": "Longer"});
        space.update("occurrences", &edited, edit).await;
        space.update("events", "e1", change).await;
        assert_eq!(space.keep(json!({})).await, None, "it does not roll");
        assert_eq!(space.starts().await, before[..1], "what was edited stays");
        assert_eq!(space.refusals(), [code]);
        space.update("events", "e1", mended).await;
        assert!(space.keep(json!({})).await.is_some());
        assert_eq!(space.starts().await, before);
        assert!(space.refusals().is_empty());
    }
}

/// As many as go in three writes.
#[tokio::test]
async fn it_is_told_once_however_much_there_was_of_an_event_that_is_refused() {
    let mut space = with_event(json!({"repeat": "FREQ=HOURLY"})).await;
    let mut task = space.task(("events", "e1"), &args(json!({"days": 50})));
    for _ in 0..3 {
        task.job.due_at_ms = space.run(&task).await.unwrap();
    }
    assert_eq!(space.starts().await.len(), 1_224);
    let rule = json!({"repeat": "FREQ=SOMETIMES"});
    space.update("events", "e1", rule).await;
    let mut writes = 1;
    while let Some(due_at_ms) = space.run(&task).await {
        task.job.due_at_ms = due_at_ms;
        writes += 1;
        assert!(writes < 10, "it never ends");
    }
    assert_eq!((writes, space.starts().await.len()), (3, 0));
    assert_eq!(space.refusals(), ["rule_invalid"]);
}

/// Of several jobs of an event none would know whether it is the one that rolls the window.
#[test]
fn occurrences_are_kept_by_one_job_of_each_event() {
    let occurrences = trigger("events", &serde_json::from_str(OCCURRENCES).unwrap());
    let each = TriggerConfig {
        per: Per::Commit,
        ..occurrences
    };
    let said = check_trigger(&each).unwrap_err();
    assert!(said.starts_with("per: occurrences are kept"), "{said}");
    let next = TriggerConfig {
        args: json!({"do": "next"}),
        ..each
    };
    assert_eq!(check_trigger(&next), Ok(()));
}

#[tokio::test]
async fn args_that_say_something_else_are_hopeless() {
    let space = Space::open().await;
    for args in [
        json!({}),
        json!(null),
        json!({"do": "later"}),
        json!({"do": "next", "field": "x"}),
        json!({"do": "next", "rule": ""}),
        json!({"do": "next", "zone": "Mars/Olympus"}),
        json!({"do": "next", "set": {}}),
        json!({"do": "next", "set": {"done": true}}),
        json!({"do": "next", "set": {"title": "Again"}}),
        json!({"do": "next", "done_is": "yes"}),
        json!({"do": "next", "done": "status", "done_is": "finished", "set": {"status": "finished"}}),
        json!({"do": "occurrences", "days": 7}),
        json!({"do": "occurrences", "into": "o", "days": 7, "fields": ["title"]}),
        json!({"do": "occurrences", "into": "", "days": 7}),
        json!({"do": "occurrences", "into": "o", "days": 0}),
        json!({"do": "occurrences", "into": "o", "days": 367}),
        json!({"do": "occurrences", "into": "o", "days": 7, "past_days": 0}),
        json!({"do": "occurrences", "into": "o", "days": 7, "past_days": 367}),
        json!({"do": "occurrences", "into": "o", "days": 7, "copy": vec!["x"; 65]}),
    ] {
        assert!(check_trigger(&trigger("events", &args)).is_err(), "{args}");
        let said = space.hopeless(&space.task(("tasks", "k1"), &args)).await;
        assert!(said.starts_with("args_invalid: "), "{said}");
    }
    for args in [
        json!({"do": "next"}),
        json!({"do": "next", "set": {"done": null}}),
        json!({"do": "next", "set": {}, "leave_out": ["done"]}),
        json!({"do": "next", "done": "status", "done_is": "finished", "leave_out": ["status"]}),
        json!({"do": "next", "done": "isOpen", "done_is": false}),
        json!({"do": "occurrences", "into": "o", "days": 366, "past_days": 366, "copy": vec!["x"; 64]}),
        json!({"do": "occurrences", "into": "o", "days": 1}),
    ] {
        assert_eq!(check_trigger(&trigger("events", &args)), Ok(()));
    }
    let own = json!({"do": "occurrences", "into": "events", "days": 7});
    let said = space.hopeless(&space.task(("events", "e1"), &own)).await;
    assert!(said.contains("into: the events' own table"), "{said}");
    let said = check_trigger(&trigger("events", &own)).unwrap_err();
    assert_eq!(said, "args: into: the events' own table");
}

#[tokio::test]
async fn a_schedules_job_is_about_no_record() {
    let space = Space::open().await;
    let mut task = space.task(("tasks", "k1"), &json!({}));
    task.job.args = JobArgs::trusted(r#"{"args":{"do":"next"}}"#);
    let said = space.hopeless(&task).await;
    assert!(said.ends_with("there is no record"), "{said}");
}

/// A space that is not there is a store that cannot say.
#[tokio::test]
async fn a_store_that_does_not_answer_is_asked_again() {
    let mut space = Space::open().await;
    space.key.space = SpaceId::trusted("nobody");
    for args in [
        json!({"do": "next"}),
        serde_json::from_str(OCCURRENCES).unwrap(),
    ] {
        let worked = space.work(&space.task(("tasks", "k1"), &args)).await;
        let Worked::Failed { error, .. } = worked else {
            panic!("{worked:?}");
        };
        assert!(error.as_str().starts_with("store unavailable"));
    }
}
