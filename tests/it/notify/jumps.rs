//! Clocks that are an hour or a day wrong, and hubs that were away: no reminder is lost, none is told
//! twice, and what is late is told at once.
//!
//! Each world ends with a reminder for a time that is still to come. A look is of all reminders of the
//! user, so whatever would be told twice is told by then.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_hub::config::AppConfig;
use syncline_protocol::ids::AppId;
use syncline_protocol::stamp::{WallMs, wall_text};
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};

use super::firing::{reminder, told};
use super::jumping::{DAY, HOUR, Jumping, MINUTE, connect, start};
use super::setup;

struct World {
    node: TestNode,
    clock: Arc<Jumping>,
    phone: Device,
}

impl World {
    async fn open() -> World {
        World::of(setup()).await
    }

    async fn of(setup: Setup) -> World {
        let clock = Arc::new(Jumping::default());
        let node = start(setup, &clock).await;
        let mut phone = Device::new("ada", "phone");
        connect(&mut phone, "ada", &node).await;
        World { node, clock, phone }
    }

    /// Has the user reminded, so many milliseconds from what the clock shows.
    async fn remind(&mut self, id: &str, in_ms: i64) -> WallMs {
        let due_ms = self.clock.in_ms(in_ms);
        let remind_at = wall_text(due_ms);
        self.phone
            .edit(&reminder(id, &json!({"title": id, "remindAt": remind_at})));
        self.phone.push().await;
        due_ms
    }

    async fn move_to(&mut self, id: &str, due_ms: WallMs) {
        let fields = json!({"remindAt": {"value": wall_text(due_ms)}});
        self.phone
            .edit(&json!([{"table": "reminders", "id": id, "op": "update",
            "fields": fields}]));
        self.phone.push().await;
    }

    /// What was told once there are so many notifications: the reminders of each, and whether it was
    /// late, in their order.
    async fn told(&mut self, count: usize) -> Vec<(Vec<String>, bool)> {
        let told = told(&mut self.phone, count).await;
        told.iter().map(of).collect()
    }

    fn count(&self, how: &str) -> u64 {
        let metrics = self.node.app.metrics().render();
        let name = format!("syncline_reminders_total{{how=\"{how}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

fn of(told: &Value) -> (Vec<String>, bool) {
    let items = told["items"].as_array().unwrap().iter();
    let ids = items.map(|item| item["id"].as_str().unwrap().to_owned());
    let ids = ids.map(|id| match told["kind"] == "missed" {
        true => format!("missed {id}"),
        false => id,
    });
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    (ids, told["late"].as_bool().unwrap())
}

fn on_time(id: &str) -> (Vec<String>, bool) {
    (vec![id.to_owned()], false)
}

fn late(ids: &[&str]) -> (Vec<String>, bool) {
    (ids.iter().map(|id| (*id).to_owned()).collect(), true)
}

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_tells_what_is_late_at_once_and_nothing_twice() {
    let mut world = World::open().await;
    world.remind("r1", 20 * MINUTE).await;
    world.remind("r2", 40 * MINUTE).await;
    let last_ms = world.remind("r3", 2 * HOUR).await;
    world.clock.jump(HOUR);
    let mut expected = vec![late(&["r1", "r2"])];
    assert_eq!(world.told(1).await, expected);
    world.clock.jump(-HOUR);
    world.remind("r4", 300).await;
    expected.push(on_time("r4"));
    assert_eq!(sorted(world.told(2).await), sorted(expected.clone()));
    // Their times come once more.
    world.clock.jump(45 * MINUTE);
    world.remind("r5", 300).await;
    expected.push(on_time("r5"));
    assert_eq!(sorted(world.told(3).await), sorted(expected.clone()));
    world.clock.jump_to(last_ms);
    expected.push(on_time("r3"));
    let told = world.told(4).await;
    assert_eq!(sorted(told), sorted(expected));
    world.node.app.shutdown().await;
}

/// Their ids are in the order of the clock, which was wrong.
fn sorted(mut told: Vec<(Vec<String>, bool)>) -> Vec<(Vec<String>, bool)> {
    told.sort();
    told
}

#[tokio::test]
async fn a_clock_that_goes_back_tells_nothing_twice_and_forgets_nothing() {
    for back in [HOUR, DAY] {
        let mut world = World::open().await;
        let first_ms = world.remind("r1", 300).await;
        let last_ms = world.remind("r2", 2 * HOUR).await;
        assert_eq!(world.told(1).await, [on_time("r1")]);
        world.clock.jump(-back);
        // There and back, to what is to come once more.
        world.move_to("r1", first_ms + 5 * HOUR as u64).await;
        world.move_to("r1", first_ms).await;
        world.remind("r3", 300).await;
        let mut expected = vec![on_time("r1"), on_time("r3")];
        assert_eq!(sorted(world.told(2).await), expected);
        world.clock.jump(back);
        world.remind("r4", 300).await;
        expected.push(on_time("r4"));
        assert_eq!(sorted(world.told(3).await), expected);
        world.clock.jump_to(last_ms);
        expected.insert(1, on_time("r2"));
        assert_eq!(sorted(world.told(4).await), expected);
        world.node.app.shutdown().await;
    }
}

/// What is past the cut-off by then is told to be missed, and waited for again once the clock is right.
#[tokio::test]
async fn a_clock_that_is_a_day_ahead_loses_nothing_that_is_still_to_come() {
    let mut world = World::open().await;
    world.remind("r1", 30 * MINUTE).await;
    world.remind("r2", 13 * HOUR).await;
    world.remind("r3", 20 * HOUR).await;
    world.clock.jump(DAY);
    let first = [late(&["missed r1"]), late(&["r2", "r3"])];
    assert_eq!(sorted(world.told(2).await), first);
    assert_eq!((world.count("late"), world.count("missed")), (2, 1));
    world.clock.jump(-DAY);
    world.remind("r4", 300).await;
    assert_eq!(world.told(3).await.len(), 3);
    world.clock.jump(35 * MINUTE);
    assert_eq!(world.told(4).await.len(), 4);
    // The times of those that were told come once more.
    world.clock.jump(20 * HOUR);
    world.remind("r5", 300).await;
    let told = sorted(world.told(5).await);
    let expected = [
        late(&["missed r1"]),
        late(&["r1"]),
        late(&["r2", "r3"]),
        on_time("r4"),
        on_time("r5"),
    ];
    assert_eq!(told, expected);
    world.node.app.shutdown().await;
}

/// What is late by no more than the cut-off is one notification, what is on time stands by itself, and
/// the rest is told to be missed.
#[tokio::test]
async fn an_hour_without_a_hub_is_made_up_for_as_far_as_the_cut_off() {
    let cut_off = || {
        let mut setup = setup();
        let reminders = json!({"reminders": {"cut_off_s": 1800}});
        let todo: AppConfig = serde_json::from_value(reminders).unwrap();
        setup.config.app.insert(AppId::trusted("todo"), todo);
        setup
    };
    let mut world = World::of(cut_off()).await;
    world.remind("r1", 10 * MINUTE).await;
    world.remind("r2", 40 * MINUTE).await;
    world.remind("r3", 50 * MINUTE).await;
    let last_ms = world.remind("r4", HOUR).await;
    let dir = world.node.shared_dir();
    world.node.app.shutdown().await;
    world.phone.disconnect();

    world.clock.jump_to(last_ms);
    let mut again = cut_off();
    again.dir = Some(dir);
    world.node = start(again, &world.clock).await;
    connect(&mut world.phone, "ada", &world.node).await;
    let mut expected = vec![late(&["missed r1"]), late(&["r2", "r3"]), on_time("r4")];
    assert_eq!(sorted(world.told(3).await), expected);
    let counts = ["told", "late", "missed"].map(|how| world.count(how));
    assert_eq!(counts, [1, 2, 1]);
    world.remind("r5", 300).await;
    expected.push(on_time("r5"));
    assert_eq!(sorted(world.told(4).await), expected);
    world.node.app.shutdown().await;
}
