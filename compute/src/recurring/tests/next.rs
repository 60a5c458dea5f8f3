//! A task that is done comes again.

use super::*;

fn args(members: Value) -> Value {
    let mut whole = json!({"do": "next"});
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    whole.as_object_mut().unwrap().extend(members);
    whole
}

/// A done task of the first user, completed at 10:00 UTC on 24 November 2026.
async fn done(members: Value) -> Space {
    let mut space = Space::open().await;
    let mut data = json!({
        "title": "Water", "done": true, "doneAt": "2026-11-24T10:00:00.000Z",
        "due": "2026-11-24", "repeat": "FREQ=WEEKLY", "order": 1.5,
    });
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    data.as_object_mut().unwrap().extend(members);
    space.insert("tasks", "k1", data).await;
    space
}

/// The tasks but for the first, once its job was done.
async fn others(space: &mut Space, with: Value) -> Vec<(String, Value)> {
    let task = space.task(("tasks", "k1"), &args(with));
    assert_eq!(space.run(&task).await, None, "it is done");
    let mut all = space.table("tasks").await;
    all.retain(|(id, _)| id != "k1");
    all
}

/// When the next one is due, and its rule.
async fn next_of(members: Value, with: Value) -> Option<(String, String)> {
    let mut space = done(members).await;
    let mut all = others(&mut space, with).await;
    assert!(all.len() <= 1, "{all:?}");
    let (_, next) = all.pop()?;
    let text = |name: &str| next[name].as_str().unwrap_or_default().to_owned();
    Some((text("due"), text("repeat")))
}

#[tokio::test]
async fn what_is_done_comes_again_with_its_fields() {
    let mut space = done(json!({})).await;
    let all = others(&mut space, json!({})).await;
    let expected = json!({
        "title": "Water", "done": false, "doneAt": null, "due": "2026-12-01",
        "repeat": "FREQ=WEEKLY", "order": 1.5,
    });
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].1, expected);
    let old = space
        .table("tasks")
        .await
        .into_iter()
        .find(|(id, _)| id == "k1");
    assert_eq!(old.unwrap().1["done"], json!(true), "the old one stays");
}

/// The days the first user's app would give; its rules by name, and others.
#[tokio::test]
async fn it_is_due_on_the_first_day_after_both() {
    for (rule, due, expected) in [
        ("FREQ=DAILY", "2026-11-24", "2026-11-25"),
        ("FREQ=DAILY", "2026-11-01", "2026-11-25"),
        ("FREQ=DAILY", "2026-12-24", "2026-12-25"),
        (
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
            "2026-11-27",
            "2026-11-30",
        ),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-11-02", "2026-11-30"),
        ("FREQ=MONTHLY", "2026-10-31", "2026-12-31"),
        ("FREQ=YEARLY", "2024-02-29", "2028-02-29"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-11-24", "2026-11-27"),
        ("RRULE:FREQ=DAILY", "2026-11-24", "2026-11-25"),
        (
            "DTSTART:20200101\nRRULE:FREQ=DAILY;INTERVAL=7",
            "2026-11-24",
            "2026-12-01",
        ),
    ] {
        let found = next_of(json!({"repeat": rule, "due": due}), json!({})).await;
        assert_eq!(
            found,
            Some((expected.to_owned(), rule.to_owned())),
            "{rule} {due}"
        );
    }
}

/// What is no day is none, and then the rule starts when it was done.
#[tokio::test]
async fn without_a_day_it_starts_when_it_was_done() {
    for due in [json!(null), json!("soon"), json!(7), json!("2026-02-30")] {
        let found = next_of(json!({"due": due}), json!({})).await;
        assert_eq!(found.unwrap().0, "2026-12-01", "{due}");
    }
}

/// It is the 25th there already.
#[tokio::test]
async fn which_day_it_was_done_on_is_said_by_its_zone() {
    let (rule, zone) = (
        json!({"repeat": "FREQ=DAILY"}),
        json!({"zone": "Pacific/Kiritimati"}),
    );
    assert_eq!(next_of(rule, zone).await.unwrap().0, "2026-11-26");
    let own = json!({"repeat": "FREQ=DAILY", "timezone": "Pacific/Kiritimati"});
    assert_eq!(next_of(own, json!({})).await.unwrap().0, "2026-11-26");
}

/// Clocks there go back on 25 October: a moment is an hour later then, a time of the clock is not.
#[tokio::test]
async fn times_keep_what_the_clock_shows() {
    for (due, expected) in [
        ("2026-10-22T07:00:00.000Z", "2026-11-26T08:00:00.000Z"),
        ("2026-10-22T07:00:00.9Z", "2026-11-26T08:00:00.000Z"),
        ("2026-10-22T09:00:00", "2026-11-26T09:00:00"),
        ("2026-10-22T09:00", "2026-11-26T09:00:00"),
    ] {
        let members = json!({"due": due, "timezone": "Europe/Berlin"});
        assert_eq!(
            next_of(members, json!({})).await.unwrap().0,
            expected,
            "{due}"
        );
    }
}

#[tokio::test]
async fn a_count_goes_down_and_ends() {
    let rule = |rule: &str| json!({"repeat": rule});
    let found = next_of(rule("FREQ=WEEKLY;COUNT=2"), json!({})).await;
    assert_eq!(found.unwrap().1, "FREQ=WEEKLY;COUNT=1");
    assert_eq!(next_of(rule("FREQ=WEEKLY;COUNT=1"), json!({})).await, None);
    assert_eq!(
        next_of(rule("FREQ=WEEKLY;UNTIL=20261130"), json!({})).await,
        None
    );
    let found = next_of(rule("FREQ=WEEKLY;UNTIL=20261201"), json!({})).await;
    assert_eq!(found.unwrap().0, "2026-12-01");
}

#[tokio::test]
async fn blank_lines_of_a_rule_say_nothing() {
    for blank in [
        "FREQ=DAILY;COUNT=5\n\n",
        "\n \nFREQ=DAILY;COUNT=5\r\n\r\n\t\n",
    ] {
        let members = json!({"repeat": blank, "except": ["2026-11-25"]});
        let found = next_of(members, json!({})).await;
        let expected = ("2026-11-26".to_owned(), "FREQ=DAILY;COUNT=3".to_owned());
        assert_eq!(found, Some(expected), "{blank:?}");
    }
}

#[tokio::test]
async fn exceptions_are_passed_over_and_counted_and_stay_where_they_were() {
    let members = json!({
        "repeat": "FREQ=DAILY;COUNT=9\nEXDATE:20261125",
        "except": ["2026-11-26", "2026-11-27T12:00:00Z", "2026-11-28T09:00", "nonsense"],
    });
    let mut space = done(members).await;
    let all = others(&mut space, json!({})).await;
    assert_eq!(all[0].1["due"], "2026-11-29");
    assert_eq!(all[0].1["repeat"], "FREQ=DAILY;COUNT=4\nEXDATE:20261125");
    assert_eq!(all[0].1["except"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_not_done_or_does_not_repeat_makes_nothing() {
    for members in [
        json!({"done": false}),
        json!({"done": null}),
        json!({"done": "true"}),
        json!({"repeat": null}),
        json!({"repeat": ""}),
        json!({"repeat": " "}),
        json!({"repeat": 7}),
    ] {
        let found = next_of(members.clone(), json!({})).await;
        assert_eq!(found, None, "{members}");
    }
    let mut space = done(json!({})).await;
    space.delete("tasks", "k1").await;
    assert!(others(&mut space, json!({})).await.is_empty());
    let nobody = space.task(("tasks", "k9"), &args(json!({})));
    assert_eq!(space.work(&nobody).await, Worked::Done(None));
}

#[tokio::test]
async fn undone_before_the_job_ran_makes_nothing() {
    let mut space = done(json!({})).await;
    let task = space.task(("tasks", "k1"), &args(json!({})));
    space.update("tasks", "k1", json!({"done": false})).await;
    assert_eq!(space.work(&task).await, Worked::Done(None));
}

#[tokio::test]
async fn a_job_that_is_done_twice_says_the_same_and_then_nothing() {
    let mut space = done(json!({})).await;
    let task = space.task(("tasks", "k1"), &args(json!({})));
    let first = space.work(&task).await;
    let late = Task {
        attempt: 3,
        now_ms: task.now_ms + 40 * DAY,
        ..task.clone()
    };
    assert_eq!(space.work(&late).await, first, "whenever it is done");
    space.run(&task).await;
    assert_eq!(space.work(&task).await, Worked::Done(None));
}

/// Two devices that were offline each say that it was done, days apart.
#[tokio::test]
async fn two_devices_make_one_instance() {
    let mut space = done(json!({"repeat": "FREQ=DAILY"})).await;
    let task = space.task(("tasks", "k1"), &args(json!({})));
    let Worked::Done(Some(first)) = space.work(&task).await else {
        panic!("the first makes one");
    };
    space.now_ms += 3 * DAY;
    space.update("tasks", "k1", json!({"done": true})).await;
    let Worked::Done(Some(second)) = space.work(&task).await else {
        panic!("so does the second, as long as none is there");
    };
    space.write(&first.0).await;
    let edited = space
        .table("tasks")
        .await
        .into_iter()
        .find(|(id, _)| id != "k1")
        .unwrap();
    space.now_ms += 2 * DAY;
    space
        .update("tasks", &edited.0, json!({"title": "Edited"}))
        .await;
    space.write(&second.0).await;
    let all = space.table("tasks").await;
    assert_eq!(all.len(), 2, "{all:?}");
    let next = all.iter().find(|(id, _)| id != "k1").unwrap();
    assert_eq!(
        next.1["title"], "Edited",
        "an edit since is newer than both"
    );
}

#[tokio::test]
async fn an_instance_that_was_deleted_does_not_return() {
    let mut space = done(json!({})).await;
    let all = others(&mut space, json!({})).await;
    space.delete("tasks", &all[0].0).await;
    assert!(others(&mut space, json!({})).await.is_empty());
}

/// Instance by instance to the end of the series.
#[tokio::test]
async fn a_series_is_as_long_as_its_count() {
    let mut space = done(json!({"repeat": "FREQ=DAILY;COUNT=4"})).await;
    let mut id = "k1".to_owned();
    let mut days = vec!["2026-11-24".to_owned()];
    while days.len() < 10 {
        let task = space.task(("tasks", &id), &args(json!({})));
        space.run(&task).await;
        let all = space.table("tasks").await;
        let Some((next, data)) = all.iter().find(|(_, data)| data["done"] == json!(false)) else {
            break;
        };
        days.push(data["due"].as_str().unwrap().to_owned());
        id.clone_from(next);
        space.now_ms += DAY;
        space.update("tasks", &id, json!({"done": true})).await;
    }
    assert_eq!(
        days,
        ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"]
    );
}

/// Else each instance would be done as it is made, and make the next.
#[tokio::test]
async fn the_next_one_is_not_done_whatever_says_so() {
    let mut space = Space::open().await;
    let data = json!({"isOpen": false, "due": "2026-11-24", "repeat": "FREQ=DAILY"});
    space.insert("tasks", "k1", data).await;
    let all = others(&mut space, json!({"done": "isOpen", "done_is": false})).await;
    let expected = json!({"isOpen": true, "due": "2026-11-25", "repeat": "FREQ=DAILY"});
    assert_eq!(all[0].1, expected);
}

#[tokio::test]
async fn fields_are_what_the_args_call_them() {
    let mut space = Space::open().await;
    let data = json!({
        "status": "finished", "rrule": "FREQ=DAILY", "begins": "2026-11-24T10:00:00.000Z",
        "ends": "2026-11-24T11:30:00.000Z", "note": "x", "secret": 1,
    });
    space.insert("tasks", "k1", data).await;
    let with = json!({
        "rule": "rrule", "start": "begins", "shift": ["ends", "none"], "done": "status",
        "done_is": "finished", "set": {"status": "open", "n": [1]}, "leave_out": ["secret"],
        "old": {"rrule": null},
    });
    let all = others(&mut space, with).await;
    let expected = json!({
        "status": "open", "rrule": "FREQ=DAILY", "begins": "2026-11-25T10:00:00.000Z",
        "ends": "2026-11-25T11:30:00.000Z", "note": "x", "n": [1],
    });
    assert_eq!(all[0].1, expected);
    let old = space
        .table("tasks")
        .await
        .into_iter()
        .find(|(id, _)| id == "k1");
    assert_eq!(old.unwrap().1["rrule"], Value::Null, "the rule moved on");
}

/// Its trigger fires for whatever happens to a record.
#[tokio::test]
async fn what_was_deleted_does_not_come_again() {
    let mut space = done(json!({})).await;
    space.delete("tasks", "k1").await;
    let mut task = space.task(("tasks", "k1"), &args(json!({})));
    let about = json!({"table": "tasks", "id": "k1", "when": "delete", "who": "ada",
        "args": args(json!({}))});
    task.job.args = JobArgs::trusted(&about.to_string());
    assert_eq!(space.work(&task).await, Worked::Done(None));
}

/// A push holds the instance and what becomes of the old task besides.
#[tokio::test]
async fn it_gets_twenty_reminders_and_not_one_more() {
    for (reminders, changes, copied) in [
        (20, 500, 20),
        (21, 500, 20),
        (5, 7, 5),
        (5, 6, 4),
        (1, 2, 0),
    ] {
        let mut space = done(json!({})).await;
        for n in 0..reminders {
            let reminder = json!({"taskId": "k1", "minutesBefore": n});
            space
                .insert("reminders", &format!("r{n:02}"), reminder)
                .await;
        }
        let task = space.task(("tasks", "k1"), &args(json!({})));
        let triggers = [trigger("tasks", &args(json!({})))];
        let Worked::Done(Some(Changes(text))) = space.work_with(&triggers, changes, &task).await
        else {
            panic!("it has a next instance");
        };
        space.write(&text).await;
        let mut all = space.table("reminders").await;
        all.retain(|(_, reminder)| reminder["taskId"] != "k1");
        assert_eq!(all.len(), copied, "{reminders} of {changes}");
    }
}
