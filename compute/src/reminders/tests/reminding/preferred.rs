//! How the user wants to be told.

use syncline_protocol::stamp::wall_text;

use super::*;

#[tokio::test]
async fn quiet_hours_are_waited_for() {
    let mut world = World::open().await;
    world
        .prefer(json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "12:00"}}))
        .await;
    world.remind("r1", NOW + HOUR).await;
    world.remind("r2", NOW + 80 * MINUTE).await;
    world.remind("r3", NOW + 2 * HOUR).await;
    assert_eq!(world.until(NOW + HOUR).await, Some(NOW + 80 * MINUTE));
    assert_eq!(world.heard().later, 1);
    assert_eq!(world.told().await, []);
    let put_off = world.state("r1").await.unwrap();
    assert_eq!(put_off.put_off_ms, Some(NOW + HOUR));
    assert_eq!(
        world.state("r3").await,
        None,
        "what is not due yet costs no write"
    );
    assert_eq!(world.until(NOW + 3 * HOUR).await, None);
    let told = world.told().await.into_iter();
    let mut told: Vec<(u64, bool, usize)> = told
        .map(|told| (told.at, told.late, told.items.len()))
        .collect();
    // Two of one moment are in no order.
    told.sort_unstable();
    let at_ms = NOW + 2 * HOUR;
    assert_eq!(told, [(at_ms, false, 1), (at_ms, true, 2)]);
}

/// Who writes it again with its old time while it is put off, as clients do that write whole records, or has
/// its task done and undone, has not set it in the past.
#[tokio::test]
async fn what_is_put_off_is_told_whatever_is_written_meanwhile() {
    for (preferences, at_ms) in [
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "13:00"}}),
            NOW + 3 * HOUR,
        ),
        (
            json!({"limit": {"count": 1, "minutes": 120}}),
            NOW + 3 * HOUR - MINUTE,
        ),
    ] {
        let mut world = World::open().await;
        world.prefer(preferences).await;
        world.remind("r0", NOW + HOUR - MINUTE).await;
        let task = json!({"title": "Buy milk", "due": wall_text(NOW + 90 * MINUTE), "done": false});
        world.insert("tasks", "k1", task).await;
        let reminder = json!({"taskId": "k1", "minutesBefore": 30});
        world.insert("reminders", "r1", reminder).await;
        world.until(NOW + 70 * MINUTE).await;
        for done in [true, false] {
            world.update("tasks", "k1", json!({"done": done})).await;
            world.until(NOW + 80 * MINUTE).await;
        }
        world.until(NOW + 4 * HOUR).await;
        let told = world.told().await;
        let of_task = told
            .iter()
            .filter(|told| told.items.iter().any(|item| item.id == "r1"));
        let of_task: Vec<u64> = of_task.map(|told| told.at).collect();
        assert_eq!(of_task, [at_ms]);
        assert_eq!(world.state("r1").await.unwrap().put_off_ms, None);
    }
}

#[tokio::test]
async fn what_quiet_hours_swallow_is_over() {
    for (preferences, told, in_quiet) in [
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "22:59"}}),
            1,
            0,
        ),
        // Until then it is of no use any more.
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "23:00"}}),
            0,
            1,
        ),
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "12:00"},
                "kinds": {"reminder": {"inQuiet": "drop"}}}),
            0,
            1,
        ),
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "12:00"},
                "kinds": {"reminder": {"inQuiet": "now"}}}),
            1,
            0,
        ),
    ] {
        let mut world = World::open().await;
        world.prefer(preferences.clone()).await;
        world.remind("r1", NOW + HOUR).await;
        world.settle().await;
        world.now_ms = NOW + HOUR;
        world.settle().await;
        assert_eq!(world.heard().in_quiet, in_quiet, "{preferences}");
        let state = world.state("r1").await.unwrap();
        assert_eq!(!state.fired_ms.is_empty(), world.job_ms.is_none());
        assert_eq!(state.put_off_ms.is_some(), world.job_ms.is_some());
        assert_eq!(world.until(NOW + 2 * DAY).await, None);
        assert_eq!(world.told().await.len(), told, "{preferences}");
        let state = world.state("r1").await.unwrap();
        assert_eq!(state.fired_ms, [NOW + HOUR], "it is not looked at again");
    }
}

#[tokio::test]
async fn preferences_that_change_hold_at_once() {
    let mut world = World::open().await;
    world
        .prefer(json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "12:00"}}))
        .await;
    world.remind("r1", NOW + HOUR).await;
    assert_eq!(world.until(NOW + HOUR).await, Some(NOW + 2 * HOUR));
    world.now_ms += 10 * MINUTE;
    let none = json!({"preferences": {"timezone": "UTC"}});
    world.update("@preferences", "own", none).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.told_of().await, [of(70, &["r1"])]);
}

#[tokio::test]
async fn so_many_are_told_in_so_long_and_the_rest_when_there_is_room() {
    let mut world = World::open().await;
    world
        .prefer(json!({"limit": {"count": 2, "minutes": 60}}))
        .await;
    for n in 1..=4 {
        world.remind(&format!("r{n}"), NOW + n * 10 * MINUTE).await;
    }
    assert_eq!(
        world.until(NOW + 30 * MINUTE).await,
        Some(NOW + 40 * MINUTE)
    );
    assert_eq!(
        world.until(NOW + 40 * MINUTE).await,
        Some(NOW + 70 * MINUTE)
    );
    assert_eq!(world.heard().later, 2);
    assert_eq!(world.until(NOW + DAY).await, None);
    let expected = [of(10, &["r1"]), of(20, &["r2"]), of(70, &["r3", "r4"])];
    assert_eq!(world.told_of().await, expected);
}

/// Several batches of one try count one after the other.
#[tokio::test]
async fn the_limit_holds_within_one_try() {
    let mut world = World::open().await;
    world.config.batch_window_ms = 0;
    world
        .prefer(json!({"limit": {"count": 2, "minutes": 60}}))
        .await;
    for n in 0..4 {
        world.remind(&format!("r{n}"), NOW + n).await;
    }
    world.now_ms = NOW + 10;
    assert_eq!(world.settle().await, Some(NOW + 10 + HOUR));
    let mut told = world.told_of().await;
    told.sort_unstable();
    assert_eq!(told, [of(0, &["r0"]), of(0, &["r1"])]);
    assert_eq!(world.until(NOW + DAY).await, None);
    let told = world.told().await;
    assert_eq!(
        (told.len(), told[2].items.len(), told[2].late),
        (3, 2, true)
    );
}

#[tokio::test]
async fn what_is_of_no_use_before_there_is_room_is_not_told() {
    let mut world = World::open().await;
    world.config = serde_json::from_value(json!({"cut_off_s": 1_800})).unwrap();
    world
        .prefer(json!({"limit": {"count": 1, "minutes": 60}}))
        .await;
    for (id, minutes) in [("r1", 0), ("r2", 30), ("r3", 31)] {
        world.remind(id, NOW + minutes * MINUTE).await;
    }
    assert_eq!(
        world.until(NOW + 30 * MINUTE).await,
        Some(NOW + 31 * MINUTE)
    );
    assert_eq!(world.heard().over_limit, 1);
    assert_eq!(world.until(NOW + DAY).await, None);
    assert_eq!(world.told_of().await, [of(0, &["r1"]), of(60, &["r3"])]);
    assert_eq!(
        world.state("r2").await.unwrap().fired_ms,
        [NOW + 30 * MINUTE]
    );
}

#[tokio::test]
async fn reminders_are_told_by_their_channels_one_notification_for_each_set() {
    let mut world = World::open().await;
    world
        .prefer(json!({"kinds": {"reminder": {"channels": ["push", "mail", "notice"]}}}))
        .await;
    for (id, by) in [
        ("a", json!("push")),
        ("b", json!("email")),
        ("c", json!("both")),
        ("d", Value::Null),
        ("e", json!("push")),
    ] {
        let data = json!({"remindAt": "2026-11-24T10:00:00Z", "type": by});
        world.insert("reminders", id, data).await;
    }
    assert_eq!(world.settle().await, None);
    let told = world.told().await.into_iter();
    let told: BTreeMap<Vec<Channel>, Vec<String>> = told
        .map(|told| {
            let ids = told.items.iter().map(|item| item.id.clone()).collect();
            (told.channels, ids)
        })
        .collect();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    use Channel::{Mail, Notice, Push};
    let expected = BTreeMap::from([
        (vec![Notice, Push], ids(&["a", "e"])),
        (vec![Mail], ids(&["b"])),
        // Whoever says nothing of it is told as one who says both.
        (vec![Notice, Push, Mail], ids(&["c", "d"])),
    ]);
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_no_channel_is_left_for_is_over() {
    let mut world = World::open().await;
    world
        .prefer(json!({"kinds": {"reminder": {"channels": ["webhook", "push"]}}}))
        .await;
    let data = json!({"remindAt": "2026-11-24T10:00:00Z", "type": "email"});
    world.insert("reminders", "r1", data).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.heard().without_channel, 1);
    assert_eq!(world.told().await, []);
    assert_eq!(world.state("r1").await.unwrap().fired_ms, [NOW]);
    // Later preferences do not bring it back.
    let all = json!({"preferences": {}});
    world.update("@preferences", "own", all).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.told().await, []);
}

/// Nobody is left without reminders by preferences of a newer hub.
#[tokio::test]
async fn preferences_that_cannot_be_read_are_none_and_said() {
    let mut world = World::open().await;
    world.prefer(json!({"mute": true})).await;
    world.remind("r1", NOW).await;
    world.settle().await;
    assert_eq!(world.told().await.len(), 1);
    let problems: Vec<&str> = world.heard().problems().collect();
    assert_eq!(problems, ["preferences_invalid"]);
    world.delete("@preferences", "own").await;
    world.settle().await;
    assert_eq!(world.heard().problems().count(), 0);
}

#[tokio::test]
async fn words_are_in_the_users_language_and_times_in_the_users_zone() {
    for (preferences, title, body, language) in [
        (
            json!({"language": "de-AT", "timezone": "Europe/Vienna"}),
            "Milch",
            "Erinnerung für 11:00",
            "de",
        ),
        (
            json!({"language": "fr"}),
            "Milch",
            "Reminder for 10:00",
            "en",
        ),
        (json!({}), "Milch", "Reminder for 10:00", "en"),
    ] {
        let mut world = World::open().await;
        world.prefer(preferences).await;
        let data = json!({"remindAt": "2026-11-24T10:00:00Z", "title": "Milch"});
        world.insert("reminders", "r1", data).await;
        world.settle().await;
        let told = world.told().await.remove(0);
        assert_eq!(
            (&*told.title, &*told.body, &*told.language),
            (title, body, language)
        );
    }
}
