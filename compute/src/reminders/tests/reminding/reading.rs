//! What a try reads, by how often it asks the store.

use syncline_storage::faulty::{Fault, FaultyStore, Operation};
use syncline_storage::sqlite::SqliteStore;

use super::*;

/// Shares a store with the counting one.
type Counted = FaultyStore<SqliteStore>;

/// Calls of one try.
async fn calls(world: &World, store: &Arc<Counted>) -> u64 {
    let before = store.calls();
    let worked = world.worker(store.clone()).work(&world.task()).await;
    assert!(!matches!(worked, Worked::Failed { .. }), "{worked:?}");
    store.calls() - before
}

fn counted(world: &World) -> Arc<Counted> {
    Arc::new(FaultyStore::scripted(world.space.reopened()))
}

async fn fill(world: &mut World, table: &str, count: usize, data: impl Fn(usize) -> Value) {
    let change = |n: usize| json!({"table": table, "id": format!("r{n:05}"), "op": "insert", "data": data(n)});
    let all: Vec<Value> = (0..count).map(change).collect();
    for part in all.chunks(5_000) {
        world.write(&Value::from(part)).await;
    }
}

#[tokio::test]
async fn what_is_read_follows_the_pages_of_reminders() {
    let mut world = World::open().await;
    let store = counted(&world);
    // The preferences, the reminders, and what was done about them.
    assert_eq!(calls(&world, &store).await, 3);
    fill(
        &mut world,
        "reminders",
        2_500,
        |_| json!({"remindAt": "2026-11-25T10:00:00Z"}),
    )
    .await;
    assert_eq!(calls(&world, &store).await, 1 + 3 + 1);
}

#[tokio::test]
async fn tasks_are_read_a_page_of_reminders_at_once_and_of_what_is_over_not_at_all() {
    let mut world = World::open().await;
    let store = counted(&world);
    fill(
        &mut world,
        "tasks",
        1_500,
        |_| json!({"due": "2026-11-24T12:00:00Z"}),
    )
    .await;
    fill(
        &mut world,
        "reminders",
        1_500,
        |n| json!({"taskId": format!("r{n:05}"), "remindAt": "2026-11-24T11:00:00Z"}),
    )
    .await;
    assert_eq!(calls(&world, &store).await, 1 + 2 + 1 + 2);
    world.until(NOW + HOUR).await;
    assert_eq!(world.space.table("@@reminders").await.len(), 1_500);
    // Two pages of what was done about them.
    assert_eq!(calls(&world, &store).await, 1 + 2 + 2);
}

#[tokio::test]
async fn what_was_told_is_read_only_if_something_is_to_be_told() {
    let mut world = World::open().await;
    let store = counted(&world);
    world
        .prefer(json!({"limit": {"count": 1, "minutes": 60}}))
        .await;
    world.remind("r1", NOW + HOUR).await;
    assert_eq!(calls(&world, &store).await, 3);
    world.now_ms = NOW + HOUR;
    // What was told before, and the devices.
    assert_eq!(calls(&world, &store).await, 3 + 1 + 1);
    let without = json!({"preferences": {}});
    world.update("@preferences", "own", without).await;
    assert_eq!(calls(&world, &store).await, 3 + 1 + 1);
}

#[tokio::test]
async fn a_store_that_does_not_answer_fails_the_try() {
    let mut world = World::open().await;
    world
        .prefer(json!({"limit": {"count": 1, "minutes": 60}}))
        .await;
    let task = json!({"due": "2026-11-24T10:00:00Z"});
    world.insert("tasks", "k1", task).await;
    let reminder = json!({"taskId": "k1", "minutesBefore": 0});
    world.insert("reminders", "r1", reminder).await;
    let store = counted(&world);
    // The first reads of records are preferences and tasks; of snapshots, reminders, what was done
    // about them, what was told before, and the devices.
    for (operation, reads) in [(Operation::Records, 2), (Operation::Snapshot, 4)] {
        for good in 0..reads {
            for _ in 0..good {
                store.script(operation, None);
            }
            store.script(operation, Some(Fault::Refused));
            let worked = world.worker(store.clone()).work(&world.task()).await;
            assert!(
                matches!(worked, Worked::Failed { .. }),
                "{operation:?} {good}: {worked:?}"
            );
        }
    }
    let worked = world.worker(store.clone()).work(&world.task()).await;
    assert!(matches!(worked, Worked::Done(Some(_))), "{worked:?}");
}
