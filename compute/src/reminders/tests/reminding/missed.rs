//! What was missed, and what the user is told of it.

use super::*;

/// A user who was told of `r0` and missed others, a day later.
async fn world(preferences: Value, others: &[Value]) -> World {
    let mut world = World::open().await;
    world.prefer(preferences).await;
    world.remind("r0", NOW).await;
    world.settle().await;
    for (n, reminder) in others.iter().enumerate() {
        let id = format!("r{}", n + 1);
        world.insert("reminders", &id, reminder.clone()).await;
    }
    world.settle().await;
    world.now_ms = NOW + DAY;
    world
}

fn at(hour: &str) -> Value {
    json!({"remindAt": format!("2026-11-24T{hour}:00:00Z"), "title": format!("at {hour}")})
}

#[tokio::test]
async fn what_was_missed_is_told_in_one_notice() {
    let mut world = world(json!({}), &[at("11"), at("12")]).await;
    assert_eq!(world.settle().await, None);
    assert_eq!((world.heard().missed, world.heard().told), (2, 0));
    let told = world.told_of_kind(MISSED).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].title, "Missed reminders: 2");
    assert_eq!(told[0].body, "at 11, at 12");
    assert_eq!(told[0].channels, Channel::ALL);
    assert_eq!(
        (told[0].late, told[0].expires),
        (true, NOW + DAY + 12 * HOUR)
    );
    let keys: Vec<&str> = told[0].items.iter().map(|item| &*item.key).collect();
    let due_ms = NOW + HOUR;
    assert_eq!(keys[0], format!("reminders/r1@{due_ms}/missed"));
    assert_eq!(world.state("r1").await.unwrap().missed_ms, Some(due_ms));
    world.work().await;
    assert_eq!(world.told_of_kind(MISSED).await.len(), 1, "it is told once");
}

#[tokio::test]
async fn the_notice_waits_for_the_end_of_quiet_hours() {
    let quiet = json!({"timezone": "UTC", "quiet": {"from": "09:30", "to": "12:00"},
        "kinds": {"reminder": {"inQuiet": "now"}}});
    let mut world = world(quiet, &[at("11"), at("12")]).await;
    assert_eq!(world.settle().await, Some(NOW + DAY + 2 * HOUR));
    assert_eq!(world.told_of_kind(MISSED).await.len(), 0);
    // One that is moved meanwhile is not missed.
    let moved = json!({"remindAt": "2026-11-26T10:00:00Z"});
    world.update("reminders", "r2", moved).await;
    world.until(NOW + DAY + 2 * HOUR).await;
    let told = world.told_of_kind(MISSED).await;
    assert_eq!((told.len(), told[0].items.len()), (1, 1));
    assert_eq!(told[0].at, NOW + DAY + 2 * HOUR);
}

/// It stands in the history all the same.
#[tokio::test]
async fn who_wants_no_notice_is_told_nothing() {
    let preferences = json!({"kinds": {"missed": {"channels": []}}});
    let mut world = world(preferences, &[at("11")]).await;
    assert_eq!(world.settle().await, None);
    let noted = world.told_of_kind(MISSED).await;
    assert_eq!((noted.len(), noted[0].channels.len()), (1, 0));
    assert_eq!((world.heard().missed, world.heard().nobody), (1, 0));
}

#[tokio::test]
async fn the_notice_is_told_by_what_its_reminders_are_told_by() {
    let mail = json!({"remindAt": "2026-11-24T11:00:00Z", "type": "email"});
    let push = json!({"remindAt": "2026-11-24T12:00:00Z", "type": "push"});
    use Channel::{Mail, Notice, Push};
    for (reminders, expected) in [
        (vec![mail.clone()], vec![Mail]),
        (vec![mail, push], vec![Notice, Push, Mail]),
    ] {
        let mut world = world(json!({}), &reminders).await;
        world.settle().await;
        let told = world.told_of_kind(MISSED).await;
        assert_eq!((told.len(), &told[0].channels), (1, &expected));
    }
}

/// An app whose reminders were told by somebody else before, or by nobody.
#[tokio::test]
async fn nobody_is_told_of_what_was_due_before_reminders_were_turned_on() {
    let mut world = World::open().await;
    world.remind("r1", NOW + HOUR).await;
    world.now_ms = NOW + DAY;
    world.remind("r2", NOW + 2 * DAY).await;
    assert_eq!(world.settle().await, Some(NOW + 2 * DAY));
    assert_eq!(world.heard().missed, 1);
    assert_eq!(world.told_of_kind(MISSED).await.len(), 0);
    assert_eq!(world.state("r1").await.unwrap().missed_ms, Some(NOW + HOUR));
}

/// A job that waited for it is as good as something that was told.
#[tokio::test]
async fn the_first_reminder_of_a_user_may_be_missed_too() {
    let mut world = World::open().await;
    world.remind("r1", NOW + HOUR).await;
    assert_eq!(world.settle().await, Some(NOW + HOUR));
    world.now_ms = NOW + DAY;
    world.settle().await;
    assert_eq!(world.told_of_kind(MISSED).await.len(), 1);
}

#[tokio::test]
async fn a_limit_counts_the_notice() {
    let limit = json!({"limit": {"count": 1, "minutes": 1_440}});
    let mut world = world(limit, &[at("11")]).await;
    world.remind("r9", NOW + DAY).await;
    world.now_ms = NOW + DAY + 1;
    world.settle().await;
    let told = world.told_of_kind(MISSED).await.len() + world.told().await.len();
    assert_eq!(told, 2, "that of yesterday, and one of today");
}
