//! How much is kept of what the user was told.

use super::*;
use crate::notify::NotificationId;

/// A space whose user was told so much before, every five minutes until an hour ago.
async fn with_told(count: usize) -> World {
    let mut world = World::open().await;
    let told = |n: usize| {
        let at_ms = NOW - HOUR - (count - n) as u64 * 5 * MINUTE;
        told_at(at_ms)
    };
    let all: Vec<Value> = (0..count).map(told).collect();
    world.store(&Value::from(all).to_string()).await;
    world
}

fn told_at(at_ms: u64) -> Value {
    let id = format!("{}-0123456789abcdef", NotificationId::from(at_ms));
    json!({"table": "@notifications", "id": id, "op": "insert", "data": {}})
}

async fn kept(world: &World) -> Vec<String> {
    let kept = world.space.table("@notifications").await.into_iter();
    kept.map(|(id, _)| id).collect()
}

#[tokio::test]
async fn five_hundred_are_kept_the_newest() {
    for (before, gone) in [(498, 0), (499, 0), (500, 1), (520, 21)] {
        let mut world = with_told(before).await;
        let first = kept(&world).await;
        world.remind("r1", NOW).await;
        assert_eq!(world.settle().await, None);
        let left = kept(&world).await;
        assert_eq!(left.len(), before + 1 - gone);
        assert_eq!(left[..left.len() - 1], first[gone..]);
    }
}

#[tokio::test]
async fn they_are_kept_for_thirty_days() {
    let mut world = World::open().await;
    let old = [HISTORY_MS + DAY, HISTORY_MS + 1, HISTORY_MS, DAY].map(|ago| told_at(NOW - ago));
    world.store(&Value::from(old.to_vec()).to_string()).await;
    world.remind("r1", NOW + MINUTE).await;
    world.settle().await;
    assert_eq!(kept(&world).await.len(), 4, "nothing is told");
    world.remind("r0", NOW).await;
    world.settle().await;
    let left = kept(&world).await;
    assert_eq!(left.len(), 3);
    assert!(left[0].starts_with(&NotificationId::from(NOW - HISTORY_MS).to_string()));
}

/// A limit counts what is there.
#[tokio::test]
async fn as_many_are_kept_as_a_limit_counts() {
    let mut world = World::open().await;
    world.config.daily_max = 600;
    // The first of them 21 hours ago.
    let told = |n: u64| told_at(NOW - HOUR - (600 - n) * 2 * MINUTE);
    let all: Vec<Value> = (0..600).map(told).collect();
    world.store(&Value::from(all).to_string()).await;
    world
        .prefer(json!({"limit": {"count": 600, "minutes": 1_440}}))
        .await;
    world.remind("r1", NOW).await;
    assert_eq!(world.settle().await, Some(NOW + 3 * HOUR));
    assert_eq!(world.until(NOW + 3 * HOUR).await, None);
    assert_eq!(kept(&world).await.len(), 600);
    assert_eq!(world.heard().told, 1);
}

/// Clocks that were ahead have told later than now.
#[tokio::test]
async fn what_was_told_by_a_clock_that_was_ahead_is_the_newest() {
    let mut world = World::open().await;
    world
        .store(&Value::from(vec![told_at(NOW + DAY)]).to_string())
        .await;
    world
        .prefer(json!({"limit": {"count": 1, "minutes": 60}}))
        .await;
    world.remind("r1", NOW).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(kept(&world).await.len(), 2);
}
