//! What a config may say, and the words of notifications.

use super::*;

fn config(of: Value) -> RemindersConfig {
    serde_json::from_value(of).unwrap()
}

fn wrong(of: Value) -> Vec<String> {
    config(of).check().unwrap_err()
}

#[test]
fn defaults_are_right_and_are_read_as_they_are_written() {
    let defaults = RemindersConfig::default();
    assert_eq!(defaults.check(), Ok(()));
    assert_eq!(config(json!({})), defaults);
    let written = serde_json::to_value(&defaults).unwrap();
    assert_eq!(config(written.clone()), defaults);
    assert_eq!(
        written["remind_at"], "remindAt",
        "fields stand beside the rest"
    );
    let some = json!({
        "table": "alarms", "rest": true, "due": "when", "done_is": "finished", "late_s": 5,
        "templates": {"reminder": {"fr": {"title": "{title}"}}},
    });
    let some = config(some);
    assert_eq!((some.fields.due.as_str(), some.rest), ("when", true));
    assert_eq!(config(serde_json::to_value(&some).unwrap()), some);
}

#[test]
fn what_is_unknown_or_of_another_type_is_refused() {
    for of in [
        json!({"tabel": "x"}),
        json!({"fields": {}}),
        json!({"due": 1}),
        json!({"due": ""}),
        json!({"late_s": -1}),
        json!({"rest": "yes"}),
        json!({"templates": {"reminder": {"en": {"subject": "x"}}}}),
    ] {
        let read = serde_json::from_value::<RemindersConfig>(of.clone());
        assert!(read.is_err(), "{of}");
    }
}

#[test]
fn all_that_is_wrong_is_said() {
    let said = wrong(json!({
        "table": "@notifications", "tasks": "", "zone": "Mars/Base", "day_at": "noon",
        "cut_off_s": 604_801, "hourly_max": 0, "daily_max": 1_001, "late_s": 604_802, "past_s": 604_802, "batch_window_ms": 3_600_001,
        "language": "fr", "templates": {"reminder": {"en": {"title": "{titel}"}}, "digest": {}},
    }));
    for why in [
        "table \"@notifications\": names that begin with @ are the hub's",
        "tasks \"\": table is empty",
        "zone \"Mars/Base\": not in the tz database",
        "day_at \"noon\": a time such as 09:00",
        "cut_off_s: between 1 and 604800",
        "late_s: at most cut_off_s",
        "past_s: at most cut_off_s",
        "batch_window_ms: at most 3600000",
        "hourly_max: between 1 and 1000",
        "daily_max: between 1 and 1000",
        "template \"digest\": only reminder, reminders, untitled, missed and over_limit are there",
        "template \"reminder\" \"en\": title: there is no {titel}, only title, count, due, titles",
        "template \"reminder\": there is none in \"fr\"",
        "template \"reminders\": there is none in \"fr\"",
        "template \"untitled\": there is none in \"fr\"",
    ] {
        assert!(said.contains(&why.to_owned()), "{why}: {said:#?}");
    }
    assert_eq!(said.len(), 15, "{said:#?}");
    let private = wrong(json!({"tasks": "@@reminders"}));
    assert_eq!(private.len(), 1);
    assert_eq!(
        wrong(json!({"tasks": "reminders"})),
        ["tasks: the reminders' own table"]
    );
    assert_eq!(
        wrong(json!({"cut_off_s": 0, "late_s": 0, "past_s": 0})).len(),
        1
    );
    let most = json!({
        "cut_off_s": 604_800, "late_s": 604_800, "past_s": 604_800, "batch_window_ms": 3_600_000,
    });
    assert_eq!(config(most).check(), Ok(()));
    let least = json!({"cut_off_s": 1, "late_s": 0, "past_s": 0, "batch_window_ms": 0});
    assert_eq!(config(least).check(), Ok(()));
}

#[tokio::test]
async fn a_worker_is_not_made_of_a_config_that_is_wrong() {
    let world = World::open().await;
    let bad = config(json!({"table": "@x"}));
    let app = AppId::trusted("todo");
    let hears: Hears = Arc::new(|_, _| {});
    let made = Reminding::of(world.space.store.clone(), [(&app, &bad)], 500, hears);
    let said = made.unwrap_err();
    assert_eq!(
        said,
        ["todo: table \"@x\": names that begin with @ are the hub's"]
    );
}

#[test]
fn the_fields_that_matter_are_those_by_which_a_reminder_is_due() {
    let defaults = RemindersConfig::default();
    let names = |watched: &Watched| -> Vec<String> {
        watched.fields.iter().map(FieldName::to_string).collect()
    };
    let reminders = defaults.fields_that_matter_of_reminders().unwrap();
    assert_eq!(reminders.table.as_str(), "reminders");
    assert_eq!(
        names(&reminders),
        ["minutesBefore", "remindAt", "taskId", "timezone"]
    );
    let tasks = defaults.fields_that_matter_of_tasks().unwrap();
    assert_eq!(tasks.table.as_str(), "tasks");
    assert_eq!(
        names(&tasks),
        ["done", "due", "dueTime", "isAllDay", "timezone"]
    );
    let same = config(json!({"due": "at", "due_time": "at"}));
    assert_eq!(names(&same.fields_that_matter_of_tasks().unwrap()).len(), 4);
    let bad = config(json!({"table": "@x", "tasks": ""}));
    assert!(bad.fields_that_matter_of_reminders().is_err());
    assert!(bad.fields_that_matter_of_tasks().is_err());
}

/// The title and body of what is told of reminders with these titles.
async fn said(of: Value, titles: &[Value]) -> (String, String) {
    let mut world = World::open().await;
    world.config = config(of);
    for (n, title) in titles.iter().enumerate() {
        let data = json!({"remindAt": "2026-11-24T10:00:00Z", "title": title});
        world.insert("reminders", &format!("r{n:02}"), data).await;
    }
    world.settle().await;
    let told = world.told().await.remove(0);
    assert_eq!(told.values["count"], titles.len().to_string());
    (told.title, told.body)
}

#[tokio::test]
async fn words_are_those_of_the_config_where_it_has_some() {
    let german = json!({"language": "de"});
    let of = |title: &str, body: &str| (title.to_owned(), body.to_owned());
    let milk = [json!("Milch")];
    let both = [json!("Milch"), json!("Brot")];
    assert_eq!(
        said(german.clone(), &milk).await,
        of("Milch", "Erinnerung für 10:00")
    );
    assert_eq!(
        said(german, &both).await,
        of("2 Erinnerungen", "Milch, Brot")
    );
    let own = json!({"templates": {"reminder": {"EN": {"title": "⏰ {title}"}}}});
    assert_eq!(said(own.clone(), &milk).await, of("⏰ Milch", ""));
    assert_eq!(said(own, &both).await, of("2 reminders", "Milch, Brot"));
}

#[tokio::test]
async fn titles_are_one_line_of_some_length_and_what_has_none_is_a_reminder() {
    for (title, expected) in [
        (json!("a\r\nBcc: x\u{202e}y"), "a Bcc: xy".to_owned()),
        (json!("é".repeat(121)), format!("{}…", "é".repeat(119))),
        (json!("{title}"), "{title}".to_owned()),
        (json!(" "), "Reminder".to_owned()),
        (json!(7), "Reminder".to_owned()),
        (Value::Null, "Reminder".to_owned()),
    ] {
        let (told, _) = said(json!({}), std::slice::from_ref(&title)).await;
        assert_eq!(told, expected, "{title}");
    }
    let long = vec![json!("é".repeat(120)); 20];
    let (_, body) = said(json!({}), &long).await;
    assert_eq!(body.chars().count(), 600);
}

#[tokio::test]
async fn twenty_are_named_and_of_more_how_many() {
    for (count, more) in [(20, 0), (21, 1)] {
        let mut world = World::open().await;
        for n in 0..count {
            world.remind(&format!("r{n:02}"), NOW).await;
        }
        world.settle().await;
        let told = world.told().await.remove(0);
        assert_eq!((told.items.len(), told.more), (20, more));
        assert_eq!(told.values["titles"].split(", ").count(), 20);
    }
}

#[tokio::test]
async fn a_time_of_another_day_is_told_with_its_day() {
    let mut world = World::open().await;
    world.prefer(json!({"timezone": "Asia/Kathmandu"})).await;
    // 23:30 there.
    world.remind("r1", ms("2026-11-24T17:45:00Z")).await;
    world.settle().await;
    world.now_ms = ms("2026-11-24T19:00:00Z");
    world.settle().await;
    let told = world.told().await.remove(0);
    assert_eq!(told.body, "Reminder for 2026-11-24 23:30");
}

#[test]
fn one_and_several_have_words_of_their_own() {
    assert_eq!(
        [0, 1, 2, 20].map(|count| words_of(KIND, count)),
        ["reminder", "reminder", "reminders", "reminders"]
    );
}
