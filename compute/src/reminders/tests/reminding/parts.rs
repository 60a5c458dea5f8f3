//! What one write may hold, and how the rest follows.

use super::*;

/// Many that are due at one time.
async fn with_many(count: usize) -> World {
    let mut world = World::open().await;
    let reminder = |n: usize| {
        let data = json!({"remindAt": "2026-11-24T10:00:00Z", "title": format!("r{n}")});
        json!({"table": "reminders", "id": format!("r{n:05}"), "op": "insert", "data": data})
    };
    let all: Vec<Value> = (0..count).map(reminder).collect();
    for part in all.chunks(5_000) {
        world.write(&Value::from(part)).await;
    }
    world
}

#[tokio::test]
async fn ten_thousand_at_once_are_told_in_parts_each_once() {
    let mut world = with_many(10_000).await;
    let mut parts = 0;
    let mut due_at_ms = world.job_ms;
    while let Some(due_ms) = due_at_ms {
        assert!(due_ms <= world.now_ms + 100, "the rest is due at once");
        due_at_ms = world.work().await;
        parts += 1;
        let kept = world.space.table("@@reminders").await.len();
        assert_eq!(kept, (parts * 499).min(10_000));
        let told: usize = world
            .told()
            .await
            .iter()
            .map(|told| told.items.len() + told.more)
            .sum();
        assert_eq!(told, kept, "each part stands alone");
    }
    assert_eq!(parts, 21);
    let told = world.told().await;
    assert_eq!(told.len(), 21);
    assert!(told.iter().all(|told| told.title.ends_with(" reminders")));
    let fired: Vec<State> = world
        .space
        .table("@@reminders")
        .await
        .into_iter()
        .map(|(_, data)| serde_json::from_value(data).unwrap())
        .collect();
    assert!(fired.iter().all(|state| state.fired_ms == [NOW]));
}

#[tokio::test]
async fn a_try_of_499_is_whole_and_one_of_500_is_not() {
    for (count, expected) in [(499, vec![500]), (500, vec![500, 2])] {
        let mut world = with_many(count).await;
        let mut parts = Vec::new();
        while world.job_ms.is_some() {
            let (Worked::Done(changes) | Worked::Again { changes, .. }) = world.tried().await
            else {
                panic!("it works");
            };
            let changes: Vec<Value> = serde_json::from_str(&changes.unwrap().0).unwrap();
            parts.push(changes.len());
            world.work().await;
        }
        assert_eq!(parts, expected);
    }
}

/// A hub may allow less in a push than a try writes.
#[tokio::test]
async fn a_write_holds_no_more_than_a_push_may() {
    for (push_max, expected) in [(0, 2), (2, 2), (3, 3), (499, 499), (500, 500), (501, 500)] {
        let mut world = with_many(600).await;
        world.changes_max = push_max;
        let Worked::Again { due_at_ms, changes } = world.tried().await else {
            panic!("it goes on");
        };
        let changes: Vec<Value> = serde_json::from_str(&changes.unwrap().0).unwrap();
        assert_eq!(changes.len(), expected);
        assert_eq!(due_at_ms, world.now_ms + 1);
    }
}

#[tokio::test]
async fn what_is_missed_or_dropped_comes_in_parts_too() {
    for preferences in [json!({}), json!({"kinds": {"reminder": {"channels": []}}})] {
        let mut world = with_many(7).await;
        world.prefer(preferences.clone()).await;
        world.changes_max = 3;
        // The user was told something before.
        let told = json!({"fired": [NOW - DAY], "missed": null, "putOff": null});
        world.insert("@@reminders", "old", told).await;
        if preferences == json!({}) {
            world.now_ms = NOW + DAY;
        }
        assert_eq!(world.settle().await, None);
        let said: usize = {
            let heard = world.heard.lock().unwrap();
            heard
                .iter()
                .map(|heard| heard.missed + heard.without_channel)
                .sum()
        };
        assert_eq!(said, 7);
        assert_eq!(world.space.table("@@reminders").await.len(), 8);
        assert_eq!(world.told().await, []);
        let notices = world.told_of_kind(MISSED).await.len();
        assert_eq!(notices, if preferences == json!({}) { 4 } else { 0 });
    }
}

/// What a write may hold in bytes is met by no names that are allowed by default.
#[tokio::test]
async fn a_full_write_of_the_longest_names_is_small() {
    let mut world = World::open().await;
    let reminder = |n: usize| {
        let id = format!("{}{n:08}", "x".repeat(120));
        let data = json!({"remindAt": "2026-11-24T10:00:00Z", "title": "t".repeat(200)});
        json!({"table": "reminders", "id": id, "op": "insert", "data": data})
    };
    let all: Vec<Value> = (0..499).map(reminder).collect();
    world.write(&Value::from(all)).await;
    let Worked::Done(Some(Changes(text))) = world.tried().await else {
        panic!("it fits");
    };
    let changes: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(changes.len(), 500);
    assert!(text.len() < 256 << 10, "{}", text.len());
}

#[tokio::test]
async fn twenty_thousand_reminders_are_looked_at_and_not_one_more() {
    let mut world = World::open().await;
    let reminder = |n: usize| {
        let data = json!({"remindAt": "2026-11-25T10:00:00Z"});
        json!({"table": "reminders", "id": format!("r{n:05}"), "op": "insert", "data": data})
    };
    let all: Vec<Value> = (0..REMINDERS_MAX - 1).map(reminder).collect();
    for part in all.chunks(5_000) {
        world.write(&Value::from(part)).await;
    }
    world.remind("r_last", NOW).await;
    assert_eq!(world.settle().await, Some(NOW + DAY));
    assert_eq!(world.told_of().await, [of(0, &["r_last"])]);
    assert!(!world.heard().is_cut);
    // One more, of a lower id.
    world.remind("a", NOW).await;
    world.remind("r_last2", NOW).await;
    assert_eq!(world.settle().await, Some(NOW + DAY));
    let told = world.told().await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().any(|told| told.items[0].id == "a"));
    assert!(world.heard().is_cut);
    assert!(world.heard().problems().eq(["too_many_reminders"]));
    // What was done about one that is not looked at is kept.
    world.now_ms += 10 * DAY;
    world.work().await;
    assert!(world.state("r_last").await.is_some());
}

#[tokio::test]
async fn what_is_kept_of_many_that_are_gone_goes_in_parts() {
    let mut world = with_many(10).await;
    world.settle().await;
    for n in 0..10 {
        world.delete("reminders", &format!("r{n:05}")).await;
    }
    world.changes_max = 4;
    world.now_ms += 4 * DAY;
    let mut left = Vec::new();
    loop {
        let due_at_ms = world.work().await;
        left.push(world.space.table("@@reminders").await.len());
        if due_at_ms.is_none() {
            break;
        }
    }
    assert_eq!(left, [6, 2, 0]);
}
