//! What one write may hold, what a window may, and how the rest follows.

use super::occurrences::{args, with_event};
use super::*;

/// Many at once come in parts, each under a due time of its own.
#[tokio::test]
async fn what_is_too_much_for_one_write_goes_on_at_once() {
    let mut space = with_event(json!({"repeat": "FREQ=HOURLY"})).await;
    let with = json!({"days": 50});
    let mut task = space.task(("events", "e1"), &args(with.clone()));
    let mut counts = Vec::new();
    loop {
        let due_at_ms = space.run(&task).await.unwrap();
        counts.push(space.starts().await.len());
        assert!(counts.len() < 10, "it never ends");
        assert!(due_at_ms > task.job.due_at_ms);
        if due_at_ms >= task.now_ms + ROLL_MS {
            break;
        }
        task.job.due_at_ms = due_at_ms;
    }
    assert_eq!(counts, [500, 1_000, 1_224]);
    // So do deletes.
    space.delete("events", "e1").await;
    let mut task = space.task(("events", "e1"), &args(with));
    let mut left = Vec::new();
    while let Some(due_at_ms) = space.run(&task).await {
        left.push(space.starts().await.len());
        assert!(left.len() < 10, "it never ends");
        task.job.due_at_ms = due_at_ms;
    }
    assert_eq!(left, [724, 224]);
    assert!(space.starts().await.is_empty());
}

#[tokio::test]
async fn a_write_of_500_may_not_be_all_and_one_of_499_is() {
    for (count, expected) in [(499, &[true][..]), (500, &[false, true])] {
        let rule = format!("FREQ=MINUTELY;COUNT={count}");
        let begins = json!({"repeat": rule, "startsAt": "2026-11-24T10:00:00.000Z"});
        let mut space = with_event(begins).await;
        let mut task = space.task(("events", "e1"), &args(json!({})));
        for is_whole in expected {
            let due_at_ms = space.run(&task).await.unwrap();
            assert_eq!(space.starts().await.len(), count);
            assert_eq!(due_at_ms >= task.now_ms + ROLL_MS, *is_whole, "{count}");
            task.job.due_at_ms = due_at_ms;
        }
    }
}

#[tokio::test]
async fn a_window_holds_5000_and_not_one_more() {
    for (count, is_taken) in [(5_000, true), (5_001, false)] {
        let rule = format!("FREQ=MINUTELY;COUNT={count}");
        let begins = json!({"repeat": rule, "startsAt": "2026-11-24T10:00:00.000Z"});
        let space = with_event(begins).await;
        let task = space.task(("events", "e1"), &args(json!({})));
        match space.work(&task).await {
            Worked::Again { .. } => assert!(is_taken, "{count}"),
            Worked::Done(None) => {
                assert!(!is_taken, "{count}");
                assert_eq!(space.refusals(), ["too_many_occurrences"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_has_10000_occurrences_that_are_there_and_not_one_more() {
    let mut space = with_event(json!({"repeat": "FREQ=YEARLY"})).await;
    space.keep(json!({"days": 366})).await;
    let (id, _) = space.table("occurrences").await.remove(0);
    let prefix = id.split_once('.').unwrap().0.to_owned();
    let edited = |n: usize| {
        let id = format!("{prefix}.x{n}");
        json!({"table": "occurrences", "id": id, "op": "insert", "data": {"edited": true}})
    };
    let task = space.task(("events", "e1"), &args(json!({"days": 366})));
    // With the one that is there, 10,000 in all.
    for part in [0..4_999, 4_999..9_999] {
        let changes: Vec<Value> = part.map(edited).collect();
        space.write(&Value::from(changes).to_string()).await;
    }
    assert!(matches!(space.work(&task).await, Worked::Again { .. }));
    space
        .write(&Value::from(vec![edited(9_999)]).to_string())
        .await;
    assert_eq!(space.refused(&task).await, "too_many_occurrences");
    assert_eq!(space.table("occurrences").await.len(), 10_001, "they stay");
}

/// Large fields: a write is bounded in bytes too.
#[tokio::test]
async fn what_is_copied_bounds_a_write_by_its_bytes() {
    let title = "x".repeat(200 << 10);
    let mut space = with_event(json!({"title": title})).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 20})));
    space.run(&task).await;
    // The sixth brings it above 1 MiB.
    assert_eq!(space.starts().await.len(), 6);
}

/// A store takes whole records: what is little to say may be much to store.
#[tokio::test]
async fn what_is_there_bounds_a_write_by_its_bytes() {
    let title = "x".repeat(200 << 10);
    let mut space = with_event(json!({"title": title})).await;
    let mut task = space.task(("events", "e1"), &args(json!({"days": 49})));
    while let Some(due_at_ms) = space.run(&task).await
        && due_at_ms < task.now_ms + ROLL_MS
    {
        task.job.due_at_ms = due_at_ms;
    }
    let mut left = vec![space.starts().await.len()];
    assert_eq!(left, [50]);
    space.delete("events", "e1").await;
    while let Some(due_at_ms) = space.run(&task).await {
        left.push(space.starts().await.len());
        assert!(left.len() < 10, "it never ends");
        task.job.due_at_ms = due_at_ms;
    }
    // The twenty-first brings it above 4 MiB.
    assert_eq!(left, [50, 29, 8]);
    assert!(space.starts().await.is_empty());
}

/// A hub may allow less in a push than a try writes.
#[tokio::test]
async fn a_write_holds_no_more_than_a_push_may() {
    for (push_max, expected) in [(1, 1), (7, 7), (499, 499), (500, 500), (501, 500), (0, 1)] {
        let space = with_event(json!({"repeat": "FREQ=HOURLY"})).await;
        let with = args(json!({"days": 50}));
        let task = space.task(("events", "e1"), &with);
        let triggers = [trigger("events", &with)];
        let worked = space.work_with(&triggers, push_max, &task).await;
        let Worked::Again { due_at_ms, changes } = worked else {
            panic!("it goes on: {worked:?}");
        };
        let changes: Vec<Value> = serde_json::from_str(&changes.unwrap().0).unwrap();
        assert_eq!(changes.len(), expected);
        assert!(due_at_ms < task.now_ms + ROLL_MS, "the rest is due at once");
    }
}

/// What a config is checked by is what is written.
#[tokio::test]
async fn what_a_trigger_needs_is_what_its_jobs_write() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({})).await;
    let occurrences = trigger("events", &args(json!({})));
    let (id, _) = space.table("occurrences").await.remove(0);
    assert_eq!(needs(&occurrences).unwrap().name_bytes, id.len());
    let done = json!({"done": true, "due": "2026-11-24", "repeat": "FREQ=DAILY"});
    space.insert("tasks", "k1", done).await;
    for (with, changes) in [
        (json!({"do": "next"}), 1),
        (json!({"do": "next", "old": {"repeat": null}}), 2),
    ] {
        let task = space.task(("tasks", "k1"), &with);
        let Worked::Done(Some(Changes(text))) = space.work(&task).await else {
            panic!("it makes the next");
        };
        let written: Vec<Value> = serde_json::from_str(&text).unwrap();
        let name_bytes = written[0]["id"].as_str().unwrap().len();
        let found = needs(&trigger("tasks", &with));
        assert_eq!(
            found,
            Some(Needs {
                changes,
                name_bytes
            })
        );
        assert_eq!(written.len(), changes);
    }
    let long = json!({"into": "o".repeat(100)});
    let long = trigger("events", &args(long));
    assert_eq!(needs(&long).unwrap().name_bytes, 100);
    assert_eq!(needs(&trigger("tasks", &json!({"do": "later"}))), None);
}
