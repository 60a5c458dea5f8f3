//! For when reminders are.

mod clocks;

use super::*;

/// When records were written.
const SET: u64 = NOW - DAY;

fn due_in(user: Option<&str>, reminder: Value, task: Option<&Record>) -> Result<u64, NoDue> {
    let fields = ReminderFields::default();
    let asks = Asks::of(Some(&record(SET, reminder)), &fields)?;
    let user = user.map(zone);
    Ok(asks.due(task, user.as_ref(), &fields)?.at_ms)
}

fn at(reminder: Value) -> Result<u64, NoDue> {
    due_in(None, reminder, None)
}

fn before(minutes: &Value, task: Value) -> Result<u64, NoDue> {
    let reminder = json!({"taskId": "k1", "minutesBefore": minutes});
    due_in(None, reminder, Some(&record(SET, task)))
}

#[test]
fn a_reminder_with_a_time_is_due_then() {
    for (text, expected) in [
        ("2026-11-24T10:00:00.123Z", "2026-11-24T10:00:00.123Z"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T11:00:00+01:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00.1230001Z", "2026-11-24T10:00:00.124Z"),
        ("2026-11-24T10:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:30", "2026-11-24T10:00:30Z"),
        ("2026-11-24", "2026-11-24T09:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(at(json!({"remindAt": text})), Ok(ms(expected)), "{text}");
    }
}

#[test]
fn a_reminder_of_a_task_is_so_many_minutes_before_it() {
    for (task, minutes, expected) in [
        (
            json!({"due": "2026-11-24T10:00:00Z"}),
            0,
            "2026-11-24T10:00:00Z",
        ),
        (
            json!({"due": "2026-11-24T10:00:00Z"}),
            15,
            "2026-11-24T09:45:00Z",
        ),
        (json!({"due": "2026-11-24"}), 30, "2026-11-24T08:30:00Z"),
        (
            json!({"due": "2026-11-24", "dueTime": "18:30"}),
            30,
            "2026-11-24T18:00:00Z",
        ),
        (
            json!({"due": "2026-11-24", "dueTime": ""}),
            0,
            "2026-11-24T09:00:00Z",
        ),
        (
            json!({"due": "2026-11-24", "dueTime": null, "done": false}),
            0,
            "2026-11-24T09:00:00Z",
        ),
        (
            json!({"due": "2026-11-24", "timezone": "Europe/Berlin"}),
            1_440,
            "2026-11-23T08:00:00Z",
        ),
        (
            json!({"due": "2026-11-24T23:30:00Z", "isAllDay": true, "timezone": "Europe/Berlin"}),
            0,
            "2026-11-25T08:00:00Z",
        ),
        (
            json!({"due": "2026-11-24T23:30:00Z", "isAllDay": false, "timezone": "Europe/Berlin"}),
            0,
            "2026-11-24T23:30:00Z",
        ),
        // A leap year before, and the fields of a time that is none.
        (
            json!({"due": "2026-11-24T10:00:00Z", "dueTime": "18:30"}),
            527_040,
            "2025-11-23T10:00:00Z",
        ),
    ] {
        assert_eq!(
            before(&json!(minutes), task.clone()),
            Ok(ms(expected)),
            "{task}"
        );
    }
    let whole = before(&json!(10.0), json!({"due": "2026-11-24T10:00:00Z"}));
    assert_eq!(whole, Ok(ms("2026-11-24T09:50:00Z")));
}

/// Minutes are minutes: a day before is not the same time of the day before, if the clock is changed.
#[test]
fn clocks_that_are_changed_do_not_change_minutes() {
    let task = json!({"due": "2026-03-29", "timezone": "Europe/Berlin"});
    assert_eq!(
        before(&json!(0), task.clone()),
        Ok(ms("2026-03-29T07:00:00Z"))
    );
    assert_eq!(before(&json!(1_440), task), Ok(ms("2026-03-28T07:00:00Z")));
}

#[test]
fn a_time_of_a_zone_is_in_the_zone_of_its_record() {
    let (tokyo, berlin, new_york) = ("Asia/Tokyo", "Europe/Berlin", "America/New_York");
    let local = "2026-11-24T10:00";
    for (reminder, task, user, expected) in [
        (
            Some(tokyo),
            Some(berlin),
            Some(new_york),
            "2026-11-24T01:00:00Z",
        ),
        (None, Some(berlin), Some(new_york), "2026-11-24T09:00:00Z"),
        (None, None, Some(new_york), "2026-11-24T15:00:00Z"),
        (None, None, None, "2026-11-24T10:00:00Z"),
    ] {
        let of = json!({"remindAt": local, "taskId": "k1", "timezone": reminder});
        let task = record(SET, json!({"timezone": task}));
        assert_eq!(due_in(user, of, Some(&task)), Ok(ms(expected)));
    }
    for (reminder, task, user, expected) in [
        (
            Some(tokyo),
            Some(berlin),
            Some(new_york),
            "2026-11-24T09:00:00Z",
        ),
        (Some(tokyo), None, Some(new_york), "2026-11-24T01:00:00Z"),
        (None, None, Some(new_york), "2026-11-24T15:00:00Z"),
    ] {
        let of = json!({"taskId": "k1", "minutesBefore": 0, "timezone": reminder});
        let task = record(SET, json!({"due": local, "timezone": task}));
        assert_eq!(due_in(user, of, Some(&task)), Ok(ms(expected)));
    }
}

#[test]
fn what_is_for_no_time_says_why() {
    let task = |task: Value| before(&json!(5), task);
    let remind_at = json!({"remindAt": "2026-11-24T10:00:00Z", "taskId": "k1"});
    let done = record(SET, json!({"done": true, "due": "2026-11-24"}));
    let gone = deleted(record(SET, json!({"due": "2026-11-24"})));
    let hidden = Record {
        inserted: None,
        ..record(SET, json!({"due": "2026-11-24"}))
    };
    let of_task = json!({"taskId": "k1", "minutesBefore": 5});
    for (found, why) in [
        (at(json!({})), NoDue::WithoutTime),
        (at(json!({"remindAt": null})), NoDue::WithoutTime),
        (at(json!({"remindAt": ""})), NoDue::WithoutTime),
        (at(json!({"taskId": "k1"})), NoDue::WithoutTime),
        (at(json!({"minutesBefore": 5})), NoDue::WithoutTime),
        (at(of_task.clone()), NoDue::TaskUnknown),
        (
            due_in(None, of_task.clone(), Some(&hidden)),
            NoDue::TaskUnknown,
        ),
        (
            due_in(None, of_task.clone(), Some(&gone)),
            NoDue::TaskDeleted,
        ),
        (due_in(None, of_task, Some(&done)), NoDue::TaskDone),
        (
            due_in(None, remind_at.clone(), Some(&gone)),
            NoDue::TaskDeleted,
        ),
        (due_in(None, remind_at, Some(&done)), NoDue::TaskDone),
        (task(json!({})), NoDue::TaskWithoutTime),
        (task(json!({"due": null})), NoDue::TaskWithoutTime),
        (task(json!({"due": ""})), NoDue::TaskWithoutTime),
        (task(json!({"dueTime": "10:00"})), NoDue::TaskWithoutTime),
    ] {
        assert_eq!(found, Err(why));
    }
    let fields = ReminderFields::default();
    assert_eq!(Asks::of(None, &fields), Err(NoDue::Deleted));
    let gone = deleted(record(SET, json!({"remindAt": "2026-11-24"})));
    assert_eq!(Asks::of(Some(&gone), &fields), Err(NoDue::Deleted));
}

#[test]
fn what_is_no_value_is_said_by_its_field() {
    for remind_at in [
        json!(1_795_514_400_000_u64),
        json!(true),
        json!({}),
        json!("soon"),
        json!("2026-11-31"),
        json!("2026-13-01T00:00"),
        json!("1969-12-31T23:59:59Z"),
        json!("10:00"),
    ] {
        let found = at(json!({"remindAt": remind_at}));
        assert_eq!(found, Err(NoDue::Invalid("remind_at")), "{remind_at}");
    }
    for minutes in [
        json!(-1),
        json!(527_041),
        json!(0.5),
        json!("5"),
        json!(true),
        json!(1e300),
    ] {
        let found = before(&minutes, json!({"due": "2026-11-24"}));
        assert_eq!(found, Err(NoDue::Invalid("minutes_before")), "{minutes}");
    }
    for (task, field) in [
        (json!({"due": 7}), "due"),
        (json!({"due": "tomorrow"}), "due"),
        (json!({"due": "1969-12-31T00:00:00Z"}), "due"),
        (json!({"due": "2026-11-24", "dueTime": "25:00"}), "due_time"),
        (json!({"due": "2026-11-24", "dueTime": 9}), "due_time"),
        (
            json!({"due": "2026-11-24", "timezone": "Mars/Base"}),
            "timezone",
        ),
        (json!({"due": "2026-11-24", "timezone": 1}), "timezone"),
    ] {
        assert_eq!(
            before(&json!(0), task.clone()),
            Err(NoDue::Invalid(field)),
            "{task}"
        );
    }
    let early = before(&json!(1), json!({"due": "1970-01-01T00:00:30Z"}));
    assert_eq!(early, Err(NoDue::Invalid("minutes_before")));
    for id in [json!(7), json!("a\n"), json!("x".repeat(2_000))] {
        let found = at(json!({"taskId": id, "minutesBefore": 1}));
        assert_eq!(found, Err(NoDue::Invalid("task")));
    }
}

/// A device may write a reminder before the task it is of has come from another.
#[test]
fn a_time_of_its_own_waits_for_no_task() {
    let reminder = json!({"remindAt": "2026-11-24T10:00:00Z", "taskId": "k1"});
    assert_eq!(due_in(None, reminder, None), Ok(NOW));
}

#[test]
fn what_it_follows_from_was_set_when_the_last_of_it_was() {
    let fields = ReminderFields::default();
    let mut task = record(
        NOW - 5,
        json!({"due": "2026-11-24", "title": "x", "done": false}),
    );
    let reminder = record(NOW - 9, json!({"taskId": "k1", "minutesBefore": 5}));
    let set_ms = |task: &Record| {
        let asks = Asks::of(Some(&reminder), &fields).unwrap();
        asks.due(Some(task), None, &fields).unwrap().set_ms
    };
    assert_eq!(set_ms(&task), NOW - 5);
    // Fields are by name: done, due, title.
    for (field, expected) in [(2, NOW - 5), (1, NOW - 2), (0, NOW - 1)] {
        task.fields[field].stamp = stamp(NOW - 1 - field as u64);
        assert_eq!(set_ms(&task), expected, "{field}");
    }
    let own = record(NOW - 9, json!({"remindAt": "2026-11-24"}));
    let asks = Asks::of(Some(&own), &fields).unwrap();
    assert_eq!(asks.due(None, None, &fields).unwrap().set_ms, NOW - 9);
}

#[test]
fn a_reminder_is_told_by_what_it_says() {
    let fields = ReminderFields::default();
    let told_by = |said: Value| {
        let reminder = record(SET, json!({"remindAt": "2026-11-24", "type": said}));
        Asks::of(Some(&reminder), &fields).unwrap().told_by
    };
    let [notice, push, mail] = [Channel::Notice, Channel::Push, Channel::Mail];
    assert_eq!(told_by(json!("push")), Some(&[notice, push][..]));
    assert_eq!(told_by(json!("email")), Some(&[mail][..]));
    assert_eq!(told_by(json!("both")), Some(&[notice, push, mail][..]));
    for nothing in [json!(null), json!(""), json!("pigeon"), json!(7)] {
        assert_eq!(told_by(nothing), None);
    }
}

#[test]
fn fields_have_other_names_where_a_config_says_so() {
    let config = json!({
        "remind_at": "at", "task": "todo", "minutes_before": "lead", "due": "dueDate",
        "due_time": "clock", "done": "status", "done_is": "closed", "timezone": "tz",
        "zone": "Asia/Tokyo", "day_at": "08:00",
    });
    let fields: ReminderFields = serde_json::from_value(config).unwrap();
    assert_eq!(fields.check(), Ok(()));
    let reminder = record(SET, json!({"todo": "k1", "lead": 60}));
    let asks = Asks::of(Some(&reminder), &fields).unwrap();
    assert_eq!(asks.task, Some(RecordId::trusted("k1")));
    let task = |status: &str| record(SET, json!({"dueDate": "2026-11-24", "status": status}));
    let due = asks.due(Some(&task("open")), None, &fields).unwrap();
    assert_eq!(due.at_ms, ms("2026-11-23T22:00:00Z"));
    let done = asks.due(Some(&task("closed")), None, &fields);
    assert_eq!(done, Err(NoDue::TaskDone));
}

#[test]
fn what_is_wrong_with_a_config_is_said_at_once() {
    let config = json!({"zone": "Mars/Base", "day_at": "late"});
    let fields: ReminderFields = serde_json::from_value(config).unwrap();
    assert_eq!(fields.check().unwrap_err().len(), 2);
    assert!(serde_json::from_value::<ReminderFields>(json!({"remind": "at"})).is_err());
    assert!(serde_json::from_value::<ReminderFields>(json!({"due": ""})).is_err());
}
