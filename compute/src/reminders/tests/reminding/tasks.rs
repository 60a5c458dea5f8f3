//! Reminders of tasks.

use super::*;

/// A task at 12:00 and a reminder an hour before.
async fn with_task() -> World {
    let mut world = World::open().await;
    let task = json!({"title": "Buy milk", "due": "2026-11-24T12:00:00Z"});
    world.insert("tasks", "k1", task).await;
    let reminder = json!({"taskId": "k1", "minutesBefore": 60});
    world.insert("reminders", "r1", reminder).await;
    assert_eq!(world.settle().await, Some(NOW + HOUR));
    world
}

#[tokio::test]
async fn a_reminder_is_so_long_before_its_task_and_called_as_it() {
    let mut world = with_task().await;
    assert_eq!(world.until(NOW + HOUR).await, None);
    let told = world.told().await.remove(0);
    assert_eq!(told.items[0].task.as_deref(), Some("k1"));
    assert_eq!(told.items[0].title, "Buy milk");
    assert_eq!(told.title, "Buy milk");
}

#[tokio::test]
async fn it_goes_with_its_task() {
    let mut world = with_task().await;
    let moved = json!({"due": "2026-11-24T14:00:00Z"});
    world.update("tasks", "k1", moved).await;
    assert_eq!(world.settle().await, Some(NOW + 3 * HOUR));
    world
        .update("tasks", "k1", json!({"due": "2026-11-24T11:10:00Z"}))
        .await;
    assert_eq!(world.until(NOW + 4 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(10, &["r1"])]);
}

#[tokio::test]
async fn a_task_that_is_done_or_deleted_before_is_not_told_of() {
    for is_deleted in [false, true] {
        let mut world = with_task().await;
        world.now_ms = NOW + 30 * MINUTE;
        match is_deleted {
            true => world.delete("tasks", "k1").await,
            false => world.update("tasks", "k1", json!({"done": true})).await,
        }
        assert_eq!(world.settle().await, None);
        world.now_ms = NOW + 2 * HOUR;
        assert_eq!(world.work().await, None);
        assert_eq!(world.told().await, []);
    }
}

#[tokio::test]
async fn a_task_that_is_not_done_after_all_or_made_again_is_told_of() {
    for is_deleted in [false, true] {
        let mut world = with_task().await;
        match is_deleted {
            true => world.delete("tasks", "k1").await,
            false => world.update("tasks", "k1", json!({"done": true})).await,
        }
        assert_eq!(world.settle().await, None);
        let task = json!({"title": "Buy milk", "due": "2026-11-24T12:00:00Z", "done": false});
        match is_deleted {
            true => world.insert("tasks", "k1", task).await,
            false => world.update("tasks", "k1", json!({"done": false})).await,
        }
        assert_eq!(world.until(NOW + 2 * HOUR).await, None);
        assert_eq!(world.told_of().await, [of(60, &["r1"])]);
    }
}

#[tokio::test]
async fn a_task_that_comes_after_its_reminder_is_waited_for() {
    let mut world = World::open().await;
    let reminder = json!({"taskId": "k1", "minutesBefore": 60});
    world.insert("reminders", "r1", reminder).await;
    // One that has a time of its own needs no task.
    let own = json!({"taskId": "k1", "remindAt": "2026-11-24T10:20:00Z"});
    world.insert("reminders", "r2", own).await;
    assert_eq!(world.settle().await, Some(NOW + 20 * MINUTE));
    let task = json!({"due": "2026-11-24T11:10:00Z"});
    world.insert("tasks", "k1", task).await;
    assert_eq!(world.until(NOW + HOUR).await, None);
    assert_eq!(world.told_of().await, [of(10, &["r1"]), of(20, &["r2"])]);
}

#[tokio::test]
async fn a_task_that_repeats_is_told_of_each_time() {
    let mut world = with_task().await;
    for day in 24..29 {
        let at_ms = ms(&format!("2026-11-{day}T11:00:00Z"));
        world.until(at_ms + 2 * HOUR).await;
        // What was told is done, and its day moves on.
        let next = format!("2026-11-{}T12:00:00Z", day + 1);
        world.update("tasks", "k1", json!({"due": next})).await;
        assert_eq!(world.settle().await, Some(at_ms + DAY));
    }
    let told: Vec<u64> = world
        .told()
        .await
        .iter()
        .map(|told| told.items[0].due)
        .collect();
    let expected: Vec<u64> = (0..5).map(|days| NOW + HOUR + days * DAY).collect();
    assert_eq!(told, expected);
    assert_eq!(world.state("r1").await.unwrap().fired_ms, expected);
}

#[tokio::test]
async fn fields_and_tables_are_called_as_the_config_says() {
    let mut world = World::open().await;
    world.config = serde_json::from_value(json!({
        "table": "alarms", "tasks": "todos", "title": "label", "task_title": "name",
        "task": "todo", "minutes_before": "before", "due": "when", "done": "status",
        "done_is": "finished",
    }))
    .unwrap();
    for (id, status) in [("k1", "open"), ("k2", "finished")] {
        let todo = json!({"name": id, "when": "2026-11-24T10:30:00Z", "status": status});
        world.insert("todos", id, todo).await;
        let alarm = json!({"todo": id, "before": 10});
        world.insert("alarms", &format!("of-{id}"), alarm).await;
    }
    let alarm = json!({"todo": "k1", "before": 20, "label": "Early"});
    world.insert("alarms", "early", alarm).await;
    world.until(NOW + HOUR).await;
    assert_eq!(
        world.told_of().await,
        [of(10, &["early"]), of(20, &["of-k1"])]
    );
    let told = world.told().await;
    let titles: Vec<&str> = told.iter().map(|told| told.title.as_str()).collect();
    assert_eq!(titles, ["Early", "k1"]);
    assert_eq!(
        told[0].items[0].key,
        format!("alarms/early@{}", NOW + 10 * MINUTE)
    );
}
