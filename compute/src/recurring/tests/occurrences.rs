//! Occurrences of an event in a window that rolls.

use super::*;

pub(super) fn args(members: Value) -> Value {
    let mut whole = json!({"do": "occurrences", "into": "occurrences", "days": 7});
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    whole.as_object_mut().unwrap().extend(members);
    whole
}

/// Every day at 9:00 in Berlin, for half an hour, since the beginning of the month.
fn event(members: Value) -> Value {
    let mut whole = json!({
        "calendar": "c1", "title": "Stand-up", "startsAt": "2026-11-01T08:00:00.000Z",
        "endsAt": "2026-11-01T08:30:00.000Z", "isAllDay": false, "timezone": "Europe/Berlin",
        "repeat": "FREQ=DAILY", "status": "confirmed",
    });
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    whole.as_object_mut().unwrap().extend(members);
    whole
}

pub(super) async fn with_event(members: Value) -> Space {
    let mut space = Space::open().await;
    space.insert("events", "e1", event(members)).await;
    space
}

impl Space {
    /// The starts of an event's occurrences.
    pub(super) async fn starts(&self) -> Vec<String> {
        let all = self.table("occurrences").await;
        let start = |(_, data): (String, Value)| data["startsAt"].as_str().unwrap().to_owned();
        all.into_iter().map(start).collect()
    }

    pub(super) async fn keep(&mut self, members: Value) -> Option<u64> {
        let task = self.task(("events", "e1"), &args(members));
        self.run(&task).await
    }
}

/// Days of November at eight.
fn days(days: std::ops::RangeInclusive<u32>) -> Vec<String> {
    days.map(|day| format!("2026-11-{day:02}T08:00:00.000Z"))
        .collect()
}

#[tokio::test]
async fn an_event_has_its_occurrences_from_a_day_ago_to_days_ahead() {
    let mut space = with_event(json!({})).await;
    let now_ms = space.now_ms;
    assert_eq!(space.keep(json!({})).await, Some(now_ms + ROLL_MS));
    let mut expected = days(24..=30);
    expected.push("2026-12-01T08:00:00.000Z".to_owned());
    assert_eq!(space.starts().await, expected);
    let (id, data) = space.table("occurrences").await.remove(0);
    assert!(id.ends_with(".20261124T080000Z") && id.len() <= 128, "{id}");
    let expected = json!({
        "event": "e1", "occursAt": "2026-11-24T08:00:00.000Z", "calendar": "c1",
        "title": "Stand-up", "startsAt": "2026-11-24T08:00:00.000Z",
        "endsAt": "2026-11-24T08:30:00.000Z", "isAllDay": false, "timezone": "Europe/Berlin",
        "status": "confirmed",
    });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn a_job_that_is_done_twice_says_the_same_and_then_nothing() {
    let mut space = with_event(json!({})).await;
    let task = space.task(("events", "e1"), &args(json!({})));
    assert_eq!(space.work(&task).await, space.work(&task).await);
    let due_at_ms = space.run(&task).await.unwrap();
    let again = space.work(&task).await;
    let changes = None;
    assert_eq!(again, Worked::Again { due_at_ms, changes });
}

#[tokio::test]
async fn the_window_rolls_on_day_by_day() {
    let mut space = with_event(json!({})).await;
    let mut task = space.task(("events", "e1"), &args(json!({"days": 3})));
    for day in 24..=27 {
        let due_at_ms = space.run(&task).await.unwrap();
        let expected = days(day..=day + 3);
        assert_eq!(space.starts().await, expected, "on the {day}th");
        task.job.due_at_ms = due_at_ms;
        task.now_ms = due_at_ms;
        space.now_ms = due_at_ms;
    }
}

/// An outage of three days: one job puts all of it right.
#[tokio::test]
async fn a_late_job_makes_up_for_what_was_missed() {
    let mut space = with_event(json!({})).await;
    let mut task = space.task(("events", "e1"), &args(json!({"days": 3})));
    space.run(&task).await;
    space.now_ms = NOW + 3 * DAY;
    task.now_ms = space.now_ms;
    assert_eq!(space.run(&task).await, Some(NOW + 4 * DAY));
    assert_eq!(space.starts().await, days(27..=30)[..].to_vec());
}

/// Clocks in Berlin go back on 25 October 2026.
#[tokio::test]
async fn occurrences_keep_what_the_clock_shows() {
    let begins =
        json!({"startsAt": "2026-10-20T07:00:00.000Z", "endsAt": "2026-10-20T07:30:00.000Z"});
    let mut space = Space::open().await;
    // 2026-10-24T10:00:00Z.
    space.now_ms = NOW - 31 * DAY;
    space.insert("events", "e1", event(begins)).await;
    space.keep(json!({"days": 2})).await;
    let expected = [
        "2026-10-24T07:00:00.000Z",
        "2026-10-25T08:00:00.000Z",
        "2026-10-26T08:00:00.000Z",
    ];
    assert_eq!(space.starts().await, expected);
}

#[tokio::test]
async fn days_stay_days_and_times_of_the_clock_stay_those() {
    let all_day = json!({"startsAt": "2026-11-01", "endsAt": "2026-11-02"});
    let mut space = with_event(all_day).await;
    space.keep(json!({"days": 2})).await;
    let (id, data) = space.table("occurrences").await.remove(0);
    assert!(id.ends_with(".20261124"), "{id}");
    assert_eq!(
        (&data["startsAt"], &data["endsAt"]),
        (&json!("2026-11-24"), &json!("2026-11-25"))
    );
    let local = json!({"startsAt": "2026-11-01T09:00", "endsAt": "2026-11-01T10:00"});
    let mut space = with_event(local).await;
    space.keep(json!({"days": 2})).await;
    let (_, data) = space.table("occurrences").await.remove(0);
    assert_eq!(data["startsAt"], "2026-11-24T09:00:00");
    assert_eq!(data["endsAt"], "2026-11-24T10:00:00");
}

#[tokio::test]
async fn exceptions_have_no_record() {
    let mut space = with_event(json!({
        "repeat": "FREQ=DAILY;UNTIL=20261128\nEXDATE:20261125T080000Z",
        "except": ["2026-11-26T08:00:00.000Z", "2026-11-27"],
    }))
    .await;
    space.keep(json!({})).await;
    let expected = ["2026-11-24T08:00:00.000Z", "2026-11-28T08:00:00.000Z"];
    assert_eq!(space.starts().await, expected);
}

#[tokio::test]
async fn an_event_that_moved_takes_its_occurrences_along() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({"days": 2})).await;
    let moved =
        json!({"startsAt": "2026-11-01T09:00:00.000Z", "endsAt": "2026-11-01T10:00:00.000Z"});
    space.update("events", "e1", moved).await;
    space.keep(json!({"days": 2})).await;
    let expected = [24, 25, 26].map(|day| format!("2026-11-{day}T09:00:00.000Z"));
    assert_eq!(space.starts().await, expected);
    let rule = json!({"repeat": "FREQ=WEEKLY;BYDAY=WE"});
    space.update("events", "e1", rule).await;
    space.keep(json!({"days": 2})).await;
    assert_eq!(space.starts().await, ["2026-11-25T09:00:00.000Z"]);
}

/// Only what changed is written.
#[tokio::test]
async fn what_was_copied_follows_the_event() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({"days": 2})).await;
    let change = json!({"title": "Daily", "endsAt": "2026-11-01T08:15:00.000Z", "color": "red"});
    space.update("events", "e1", change).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 2})));
    let Worked::Again { changes, .. } = space.work(&task).await else {
        panic!("it goes on");
    };
    let changes: Value = serde_json::from_str(&changes.unwrap().0).unwrap();
    let first = &changes.as_array().unwrap()[0];
    assert_eq!(first["op"], "update");
    let expected = json!({
        "title": {"value": "Daily"}, "endsAt": {"value": "2026-11-24T08:15:00.000Z"},
    });
    assert_eq!(first["fields"], expected);
    assert_eq!(changes.as_array().unwrap().len(), 3);
    space.run(&task).await;
    let Worked::Again { changes, .. } = space.work(&task).await else {
        panic!("it goes on");
    };
    assert_eq!(changes, None);
}

/// An end that is gone, or is no time, is none of an occurrence that was made before.
#[tokio::test]
async fn an_end_that_is_cleared_is_cleared_of_what_is_there() {
    for end in [json!(null), json!("late"), json!("2026-11-01")] {
        let mut space = with_event(json!({})).await;
        space.keep(json!({"days": 1})).await;
        space.update("events", "e1", json!({"endsAt": end})).await;
        space.now_ms += DAY;
        let mut task = space.task(("events", "e1"), &args(json!({"days": 1})));
        task.now_ms = space.now_ms;
        space.run(&task).await;
        let all = space.table("occurrences").await;
        let ends: Vec<Option<&Value>> = all.iter().map(|(_, data)| data.get("endsAt")).collect();
        // The first was there; the other is new, and has none.
        assert_eq!(ends, [Some(&Value::Null), None], "{end}");
        let Worked::Again { changes, .. } = space.work(&task).await else {
            panic!("it goes on");
        };
        assert_eq!(changes, None, "it is written once");
        let again = json!({"endsAt": "2026-11-01T08:45:00.000Z"});
        space.update("events", "e1", again).await;
        space.run(&task).await;
        let (_, data) = space.table("occurrences").await.remove(0);
        assert_eq!(data["endsAt"], "2026-11-25T08:45:00.000Z");
    }
}

#[tokio::test]
async fn an_event_that_went_takes_its_occurrences_with_it() {
    let ends: [(&str, Value); 4] = [
        ("deleted", Value::Null),
        ("without a rule", json!({"repeat": null})),
        ("without a start", json!({"startsAt": null})),
        ("ended", json!({"repeat": "FREQ=DAILY;UNTIL=20261110"})),
    ];
    for (how, change) in ends {
        let mut space = with_event(json!({})).await;
        space.insert("events", "e2", event(json!({}))).await;
        let other = space.task(("events", "e2"), &args(json!({"days": 1})));
        space.run(&other).await;
        space.keep(json!({})).await;
        match change {
            Value::Null => space.delete("events", "e1").await,
            change => space.update("events", "e1", change).await,
        }
        assert_eq!(space.keep(json!({})).await, None, "{how}");
        assert_eq!(
            space.starts().await,
            days(24..=25),
            "the other's stay: {how}"
        );
        let done = space
            .work(&space.task(("events", "e1"), &args(json!({}))))
            .await;
        assert_eq!(done, Worked::Done(None), "{how}");
    }
}

/// One that ends is kept until the last is behind the window.
#[tokio::test]
async fn a_series_that_ends_is_done_when_the_last_is_behind() {
    let mut space = with_event(json!({"repeat": "FREQ=DAILY;COUNT=25"})).await;
    let mut task = space.task(("events", "e1"), &args(json!({})));
    let mut seen = Vec::new();
    while let Some(due_at_ms) = space.run(&task).await {
        seen.push(space.starts().await.len());
        assert!(seen.len() < 10, "it never ends");
        (task.now_ms, task.job.due_at_ms, space.now_ms) = (due_at_ms, due_at_ms, due_at_ms);
    }
    // The 24th and 25th, then the 25th, then none.
    assert_eq!(seen, [2, 1]);
    assert!(space.starts().await.is_empty());
}

#[tokio::test]
async fn what_somebody_edited_is_left_alone() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({"days": 2})).await;
    let ids: Vec<String> = space
        .table("occurrences")
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let edit = json!({"edited": true, "title": "Longer", "startsAt": "2026-11-25T07:00:00.000Z"});
    space.update("occurrences", &ids[1], edit).await;
    let edited = space.table("occurrences").await[1].clone();
    space
        .update("events", "e1", json!({"title": "Daily"}))
        .await;
    space.keep(json!({"days": 2})).await;
    assert_eq!(space.table("occurrences").await[1], edited);
    space
        .update("events", "e1", json!({"repeat": "FREQ=MONTHLY"}))
        .await;
    space.keep(json!({"days": 2})).await;
    assert_eq!(
        space.table("occurrences").await,
        std::slice::from_ref(&edited)
    );
    space.delete("events", "e1").await;
    space.keep(json!({"days": 2})).await;
    assert_eq!(space.table("occurrences").await, [edited]);
}

/// To leave one out is for the event.
#[tokio::test]
async fn an_occurrence_that_somebody_deletes_comes_back_unless_its_event_excepts_it() {
    let mut space = with_event(json!({})).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 3})));
    space.run(&task).await;
    let (id, _) = space.table("occurrences").await.remove(1);
    space.delete("occurrences", &id).await;
    assert_eq!(space.starts().await.len(), 3);
    space.run(&task).await;
    assert_eq!(space.starts().await, days(24..=27));
    let except = json!({"except": ["2026-11-25T08:00:00.000Z"]});
    space.update("events", "e1", except).await;
    space.run(&task).await;
    let left = [days(24..=24), days(26..=27)].concat();
    assert_eq!(space.starts().await, left);
    space.run(&task).await;
    assert_eq!(space.starts().await, left);
}

/// Nobody knows of the table of before.
#[tokio::test]
async fn what_was_written_into_another_table_stays_there() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({"days": 3})).await;
    space.keep(json!({"days": 3, "into": "dates"})).await;
    assert_eq!(space.table("dates").await.len(), 4);
    assert_eq!(space.starts().await, days(24..=27));
}

/// What puts no job, or one that is cut, leaves the event's job as the one that rolls.
#[tokio::test]
async fn a_window_rolls_on_whatever_came_after_its_job() {
    let mut space = with_event(json!({})).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 2})));
    space
        .update("events", "e1", json!({"title": "Daily"}))
        .await;
    assert!(space.run(&task).await.is_some());
    assert_eq!(space.table("occurrences").await[0].1["title"], "Daily");
    space.delete("events", "e1").await;
    space.insert("events", "e1", event(json!({}))).await;
    assert!(space.run(&task).await.is_some(), "deleted and made again");
}

#[tokio::test]
async fn a_longer_past_is_kept_where_it_is_wanted() {
    let mut space = with_event(json!({})).await;
    space.keep(json!({"days": 1, "past_days": 3})).await;
    assert_eq!(space.starts().await, days(22..=25));
}
