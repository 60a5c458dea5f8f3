//! Reminders that are changed before, while and after they are told.

use super::*;

/// What a try that was not committed would have told.
fn keys(worked: &Worked) -> Vec<String> {
    let (Worked::Done(Some(Changes(text)))
    | Worked::Again {
        changes: Some(Changes(text)),
        ..
    }) = worked
    else {
        panic!("nothing is written: {worked:?}");
    };
    let changes: Vec<Value> = serde_json::from_str(text).unwrap();
    let told = changes
        .iter()
        .filter(|change| change["table"] == "@notifications");
    let items = told.flat_map(|change| change["data"]["items"].as_array().unwrap());
    items
        .map(|item| item["key"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_edit_before_its_time_moves_it() {
    let mut world = World::open().await;
    world.remind("r1", NOW + HOUR).await;
    world.settle().await;
    for (at, due_ms) in [
        ("2026-11-24T12:00:00Z", NOW + 2 * HOUR),
        ("2026-11-24T10:30:00Z", NOW + 30 * MINUTE),
    ] {
        world
            .update("reminders", "r1", json!({"remindAt": at}))
            .await;
        assert_eq!(world.settle().await, Some(due_ms));
    }
    assert_eq!(world.until(NOW + 3 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(30, &["r1"])]);
}

/// The try has looked, and its lease is lost to the edit: nothing of it is written.
#[tokio::test]
async fn an_edit_while_it_is_planned_is_what_counts() {
    let mut world = World::open().await;
    world.remind("r1", NOW).await;
    let lost = world.tried().await;
    assert_eq!(keys(&lost), [format!("reminders/r1@{NOW}")]);
    let moved = json!({"remindAt": "2026-11-24T11:00:00Z"});
    world.update("reminders", "r1", moved).await;
    assert_eq!(world.settle().await, Some(NOW + HOUR));
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_try_whose_lease_was_lost_is_made_again_with_the_same_keys() {
    let mut world = World::open().await;
    for n in 0..30 {
        world.remind(&format!("r{n}"), NOW + n).await;
    }
    world.now_ms = NOW + MINUTE;
    let lost = keys(&world.tried().await);
    world.now_ms += 30 * MINUTE;
    let again = world.tried().await;
    assert_eq!(keys(&again), lost);
    assert_eq!(lost.len(), 20);
    world.settle().await;
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn an_edit_after_it_was_told_has_it_told_for_its_new_time_only() {
    let mut world = World::open().await;
    world.remind("r1", NOW).await;
    world.settle().await;
    let data = |at: &str| json!({"remindAt": at});
    world
        .update("reminders", "r1", data("2026-11-24T11:00:00Z"))
        .await;
    assert_eq!(world.settle().await, Some(NOW + HOUR));
    // There and back.
    world
        .update("reminders", "r1", data("2026-11-24T10:00:00Z"))
        .await;
    assert_eq!(world.settle().await, None);
    world
        .update("reminders", "r1", data("2026-11-24T11:00:00Z"))
        .await;
    world
        .update("reminders", "r1", json!({"title": "Another"}))
        .await;
    assert_eq!(world.until(NOW + 2 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(0, &["r1"]), of(60, &["r1"])]);
    assert_eq!(world.told().await[1].items[0].title, "Another");
    let state = world.state("r1").await.unwrap();
    assert_eq!(state.fired_ms, [NOW, NOW + HOUR]);
}

#[tokio::test]
async fn who_sets_it_for_a_time_that_has_passed_is_told_nothing() {
    for (ago, is_told) in [(MINUTE, true), (MINUTE + 1, false)] {
        let mut world = World::open().await;
        world.remind("r1", NOW - ago).await;
        assert_eq!(world.settle().await, None);
        assert_eq!(world.told().await.len(), usize::from(is_told));
        assert_eq!(world.state("r1").await.is_some(), is_told);
    }
}

/// A device was offline, or the hub away: it was set in time.
#[tokio::test]
async fn what_is_heard_of_after_its_time_is_told_late() {
    let mut world = World::open().await;
    let data = json!({"remindAt": "2026-11-24T10:00:00Z"});
    let set = "2026-11-24T08:00:00.000Z";
    let change = json!([{"table": "reminders", "id": "r1", "op": "insert", "data": data, "insertedAt": set}]);
    world.now_ms = NOW + HOUR;
    world.write(&change).await;
    world.settle().await;
    let told = world.told().await;
    assert_eq!((told.len(), told[0].late), (1, true));
}

#[tokio::test]
async fn a_reminder_that_is_deleted_before_its_time_tells_nothing() {
    let mut world = World::open().await;
    world.remind("r1", NOW + HOUR).await;
    world.settle().await;
    world.delete("reminders", "r1").await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.until(NOW + 2 * HOUR).await, None);
    assert_eq!(world.told().await, []);
    // It is made anew.
    world.remind("r1", NOW + 3 * HOUR).await;
    assert_eq!(world.until(NOW + 4 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(180, &["r1"])]);
}

/// Somebody takes back that it was deleted, while it would still be in time.
#[tokio::test]
async fn one_that_was_told_deleted_and_made_again_is_not_told_again() {
    let mut world = World::open().await;
    world.remind("r1", NOW).await;
    world.settle().await;
    world.now_ms += 20_000;
    world.delete("reminders", "r1").await;
    world.settle().await;
    world.now_ms += 20_000;
    world.remind("r1", NOW).await;
    assert_eq!(world.settle().await, None);
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn what_is_kept_of_one_that_is_gone_goes_once_it_can_matter_no_more() {
    let mut world = World::open().await;
    for id in ["r1", "r3", "r5"] {
        world.remind(id, NOW).await;
    }
    world.remind("r4", NOW + 30 * DAY).await;
    world.settle().await;
    for id in ["r1", "r5"] {
        world.delete("reminders", id).await;
    }
    let kept_ms = NOW + 12 * HOUR + GONE_KEPT_MS;
    for (at_ms, is_kept) in [(kept_ms, true), (kept_ms + 1, false)] {
        world.now_ms = at_ms;
        assert_eq!(world.work().await, Some(NOW + 30 * DAY));
        for id in ["r1", "r5"] {
            assert_eq!(world.state(id).await.is_some(), is_kept, "{id} {at_ms}");
        }
        assert!(world.state("r3").await.is_some(), "its reminder is there");
    }
}
