//! The first user's client after everything of its user was erased. It cannot be told: it reads
//! what changed and nothing else of a reply, clears its queue on any 2xx, and goes on.

use std::sync::Arc;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use syncline_hub::app::Parts;
use syncline_hub::auth::ServiceKey;
use syncline_hub::clock::{Clock, ManualClock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_tests::compat_device::{CompatDevice, TABLES};
use syncline_tests::node::{Setup, TestNode};

const KEY: &str = "a-service-key-of-thirty-two-bytes";

const K1: (&str, &str) = ("tasks", "k1");

/// A node whose time is set by hand, on a minute: that of an erasure is known to the minute.
struct World {
    node: TestNode,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new() -> World {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        let mut setup = Setup {
            parts: Parts {
                clock: Some(clock.clone()),
                ..Parts::default()
            },
            ..Setup::default()
        };
        setup.config.auth.service_key = Some(ServiceKey::new(KEY).unwrap());
        let node = TestNode::start_with(setup).await;
        World { node, clock }
    }

    fn device(&self, name: &str) -> CompatDevice {
        CompatDevice::new(&self.node, "ada", name)
    }

    /// Five minutes later, as text.
    fn later(&self) -> String {
        self.clock.advance(300_000);
        wall_text(self.clock.now_ms())
    }

    /// Five minutes later everything is erased.
    async fn erase(&self) {
        self.later();
        let url = self.node.url("/api/v1/admin/user-data/ada");
        let asked = Client::new().delete(url).header("X-Service-Key", KEY);
        assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
    }

    /// A device hears by pulls. A node that has not looked yet says in good faith that nothing is new.
    async fn is_heard(&self, device: &mut CompatDevice) {
        for table in TABLES {
            let before = device.cursor(table).to_owned();
            while device.cursor(table) == before {
                assert_eq!(device.pull(table).await, 200);
            }
        }
    }

    /// What a device that is installed afterwards shows.
    async fn stored(&self) -> Vec<String> {
        let mut fresh = self.device("fresh");
        fresh.sync().await;
        fresh.shows().into_keys().map(|(_, id)| id).collect()
    }
}

fn erased(device: &CompatDevice) -> Vec<&str> {
    let conflicts = device.reply["conflicts"].as_array().unwrap();
    let erased = conflicts.iter().filter(|one| one["code"] == "erased");
    erased.map(|one| one["id"].as_str().unwrap()).collect()
}

/// A phone with a record that is stored, and one that it made before the erasure and never sent.
async fn phone_of_before(world: &World) -> CompatDevice {
    let mut phone = world.device("phone");
    phone.insert(K1, &json!({"title": "a"}), &world.later());
    phone.sync().await;
    phone.insert(("tasks", "k2"), &json!({"title": "b"}), &world.later());
    world.erase().await;
    phone
}

#[tokio::test]
async fn what_it_wrote_before_is_not_stored_and_does_not_come_again() {
    let world = World::new().await;
    let mut phone = phone_of_before(&world).await;
    assert_eq!(phone.push().await, 200);
    assert_eq!(erased(&phone), ["k2"]);
    // The client's queue is empty, and it asks for nothing a second time.
    assert!(phone.pending.is_empty());
    let cursors = TABLES.map(|table| phone.cursor(table).to_owned());
    for table in TABLES {
        phone.pull(table).await;
        assert_eq!(phone.reply["serverChanges"], Value::Array(Vec::new()));
    }
    assert_eq!(TABLES.map(|table| phone.cursor(table).to_owned()), cursors);
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn its_next_changeset_is_stored() {
    let world = World::new().await;
    let mut phone = phone_of_before(&world).await;
    phone.push().await;
    phone.insert(("tasks", "k3"), &json!({"title": "c"}), &world.later());
    phone.push().await;
    assert!(erased(&phone).is_empty());
    assert_eq!(world.stored().await, ["k3"]);
}

#[tokio::test]
async fn what_other_devices_wrote_afterwards_stays_and_is_told() {
    let world = World::new().await;
    let mut phone = phone_of_before(&world).await;
    let mut laptop = world.device("laptop");
    laptop.insert(("tasks", "new"), &json!({"title": "n"}), &world.later());
    laptop.insert(K1, &json!({"other": "n"}), &world.later());
    laptop.sync().await;
    phone.push().await;
    assert_eq!(phone.field(("tasks", "new"), "title"), Some(json!("n")));
    // Of a record of before nothing is left where there is one of its id now.
    assert_eq!(phone.field(K1, "title"), None);
    assert_eq!(phone.field(K1, "other"), Some(json!("n")));
    assert_eq!(world.stored().await, ["k1", "new"]);
}

/// Its pulls came through and its changeset did not: the cursors are of after the erasure then, and
/// what waits is of before.
#[tokio::test]
async fn what_it_wrote_before_is_not_stored_either_if_it_pulls_first() {
    let world = World::new().await;
    let mut phone = phone_of_before(&world).await;
    world.is_heard(&mut phone).await;
    phone.insert(("tasks", "k3"), &json!({"title": "c"}), &world.later());
    phone.push().await;
    assert_eq!(erased(&phone), ["k2"]);
    assert_eq!(world.stored().await, ["k3"]);
    assert!(phone.pending.is_empty());
    phone.update(("tasks", "k3"), ("title", json!("d")), &world.later());
    phone.push().await;
    assert!(erased(&phone).is_empty());
}

#[tokio::test]
async fn what_is_made_after_it_has_heard_by_a_pull_is_stored() {
    let world = World::new().await;
    let mut phone = world.device("phone");
    phone.insert(K1, &json!({"title": "a"}), &world.later());
    phone.sync().await;
    world.erase().await;
    world.is_heard(&mut phone).await;
    world.clock.advance(1);
    let at = wall_text(world.clock.now_ms());
    phone.insert(("tasks", "k3"), &json!({"title": "c"}), &at);
    phone.push().await;
    assert!(erased(&phone).is_empty());
    assert_eq!(world.stored().await, ["k3"]);
}

#[tokio::test]
async fn a_change_without_a_time_of_a_device_that_has_only_pulled_is_not_stored() {
    let world = World::new().await;
    let mut phone = phone_of_before(&world).await;
    phone.insert_now(("tasks", "k3"), &json!({"title": "c"}));
    world.is_heard(&mut phone).await;
    phone.push().await;
    assert_eq!(erased(&phone), ["k2", "k3"]);
    assert!(world.stored().await.is_empty());
}
