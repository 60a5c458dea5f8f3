//! How often anybody is told at most, whatever the user prefers.

use super::*;

/// So many that are due at once, each a notification of its own.
async fn due_at_once(count: u64, config: Value, preferences: Value) -> World {
    let mut world = World::open().await;
    world.config = serde_json::from_value(config).unwrap();
    world.config.batch_window_ms = 0;
    world.prefer(preferences).await;
    for n in 0..count {
        world.remind(&format!("r{n}"), NOW + n).await;
    }
    world.now_ms = NOW + 10;
    world
}

#[tokio::test]
async fn so_many_are_told_within_an_hour_and_not_one_more() {
    let config = json!({"hourly_max": 3});
    let mut world = due_at_once(3, config.clone(), json!({})).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.told().await.len(), 3);
    let mut world = due_at_once(4, config, json!({})).await;
    assert_eq!(world.settle().await, Some(NOW + 10 + HOUR));
    assert_eq!((world.told().await.len(), world.heard().later), (3, 1));
    assert_eq!(world.until(NOW + DAY).await, None);
    let told = world.told().await;
    assert_eq!((told.len(), told[3].late), (4, true));
}

/// Neither by a limit of more nor by none; one of less holds.
#[tokio::test]
async fn no_preference_exceeds_it() {
    for (limit, told) in [
        (json!(null), 2),
        (json!({"count": 1_000, "minutes": 1}), 2),
        (json!({"count": 1, "minutes": 60}), 1),
    ] {
        let preferences = match limit {
            Value::Null => json!({}),
            limit => json!({"limit": limit}),
        };
        let mut world = due_at_once(4, json!({"hourly_max": 2}), preferences).await;
        world.settle().await;
        assert_eq!(world.told().await.len(), told);
    }
}

/// What is of no use before there is room stands in the history, and nobody is told of it.
#[tokio::test]
async fn what_is_over_the_limit_of_a_day_stands_in_the_history() {
    for (daily_max, told, over) in [(3, 3, 0), (2, 2, 1)] {
        let mut world = World::open().await;
        world.config = serde_json::from_value(json!({"daily_max": daily_max})).unwrap();
        for n in 0..3 {
            world.remind(&format!("r{n}"), NOW + n * 3 * HOUR).await;
        }
        assert_eq!(world.until(NOW + 7 * HOUR).await, None);
        assert_eq!(world.told().await.len(), told);
        let noted = world.told_of_kind(OVER_LIMIT).await;
        assert_eq!(noted.len(), over);
        if let Some(noted) = noted.first() {
            assert_eq!((noted.channels.len(), &*noted.items[0].id), (0, "r2"));
            assert_eq!(noted.title, "Reminders over the limit: 1");
            assert_eq!(noted.receipts, None);
            assert_eq!(world.heard().over_limit, 1);
            assert_eq!(world.heard().nobody, 0);
        }
    }
}

/// Else a user who was over it once would be for ever.
#[tokio::test]
async fn what_only_stands_in_the_history_does_not_count() {
    let mut world = World::open().await;
    world.config = serde_json::from_value(json!({"daily_max": 1})).unwrap();
    world.remind("r0", NOW).await;
    world.remind("r1", NOW + 6 * HOUR).await;
    world.until(NOW + 7 * HOUR).await;
    assert_eq!(world.told_of_kind(OVER_LIMIT).await.len(), 1);
    world.remind("r2", NOW + DAY).await;
    assert_eq!(world.until(NOW + DAY).await, None);
    assert_eq!(world.told().await.len(), 2);
}
