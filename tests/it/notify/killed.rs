//! kill -9 while reminders are planned, told and delivered: two hubs on one database, of which one or
//! both are killed at seeded moments. Each reminder is told at least once, under one key and one id, and
//! a device that keeps the SDK's rule shows it once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_storage::faulty::Prng;
use syncline_tests::HUNG;
use syncline_tests::device::Device;
use syncline_tests::endpoint::Endpoint;
use syncline_tests::hub_process::HubProcess;
use syncline_tests::issuer::Issuer;
use tempfile::TempDir;

use super::delivering::{DEVICES, pager, write_config};
use crate::cluster::KEY;
use crate::cluster::processes::{end, start_hub_of};
use crate::cluster::server::Server as Nats;
use crate::postgres::server::Server as Postgres;

const SEED: u64 = 0x5eed_0012;

/// Users of a round, and reminders of each, which come due one after the other.
const USERS: usize = 6;
const REMINDERS: usize = 3;
const APART_MS: u64 = 40;

/// When hubs are killed, and which.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many users have written theirs.
    Planning(usize),
    /// After so many were posted.
    Firing(usize),
}

/// What both hubs share, and which of them run.
struct World {
    database: String,
    bus: Nats,
    issuer: Issuer,
    endpoint: Endpoint,
    dirs: [TempDir; 2],
    hubs: [Option<HubProcess>; 2],
}

const NAMES: [&str; 2] = ["n1", "n2"];

impl World {
    async fn open(database: String) -> World {
        let mut world = World {
            database,
            bus: Nats::start(),
            issuer: Issuer::start().await,
            endpoint: Endpoint::start().await,
            dirs: [TempDir::new().unwrap(), TempDir::new().unwrap()],
            hubs: [None, None],
        };
        for dir in &world.dirs {
            write_config(dir.path(), &world.endpoint);
        }
        world.start_all().await;
        world
    }

    async fn start_all(&mut self) {
        for (n, name) in NAMES.into_iter().enumerate() {
            if self.hubs[n].is_none() {
                let services = (self.database.as_str(), self.bus.url());
                let named: (&str, &Path) = (name, self.dirs[n].path());
                self.hubs[n] = Some(start_hub_of(&self.issuer, services, named).await);
            }
        }
    }

    async fn kill(&mut self, victims: &[usize]) {
        for n in victims {
            if let Some(hub) = self.hubs[*n].take() {
                assert_eq!(end(hub, "KILL").await, None);
            }
        }
    }

    fn hub(&self, n: usize) -> &HubProcess {
        self.hubs[n].as_ref().unwrap()
    }

    /// Has a user told by the pager too, and reminded; returns the keys.
    async fn remind(&self, user: &str, by: usize) -> Vec<String> {
        let token = self.issuer.token(user);
        let url = format!("http://{}{DEVICES}", self.hub(by).public);
        let registered = reqwest::Client::new().post(url).bearer_auth(&token);
        let registered = registered.body(pager().to_string()).send().await.unwrap();
        assert_eq!(registered.status(), 200);
        let mut phone = Device::new(user, "phone");
        phone.connect_at(self.hub(by).public, &token).await;
        let first_ms = SystemClock.now_ms() + 3 * APART_MS;
        let due = (0..REMINDERS as u64).map(|n| (format!("{user}-r{n}"), first_ms + n * APART_MS));
        let due: Vec<(String, u64)> = due.collect();
        let changes = due.iter().map(|(id, due_ms)| {
            json!({"table": "reminders", "id": id, "op": "insert",
                "data": {"title": id, "remindAt": wall_text(*due_ms)}})
        });
        phone.edit(&Value::from_iter(changes));
        phone.push().await;
        phone.disconnect();
        let keys = due
            .iter()
            .map(|(id, due_ms)| format!("reminders/{id}@{due_ms}"));
        keys.collect()
    }

    /// Waits until no job of telling is left.
    async fn settle(&self) {
        let url = format!("http://{}/api/v1/admin/jobs", self.hub(0).admin);
        let http = reqwest::Client::new();
        let looking = async {
            loop {
                let counted = http.get(&url).header("x-service-key", KEY).send().await;
                let counted: Value = counted.unwrap().json().await.unwrap();
                let kinds = counted["kinds"].as_array().unwrap().iter();
                let mut left = kinds.filter(|kind| {
                    let states = ["scheduled", "leased", "retry", "dead"];
                    states.iter().any(|state| kind[state] != 0)
                });
                if left.next().is_none() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(HUNG, looking)
            .await
            .expect("jobs are left");
    }

    /// What a user is shown of `@notifications` by a device that comes afterwards.
    async fn told(&self, user: &str) -> Vec<(String, Vec<String>)> {
        let mut late = Device::new(user, "laptop");
        let token = self.issuer.token(user);
        late.connect_at(self.hub(1).public, &token).await;
        let told = late.told().iter();
        let told = told.filter(|((table, _), _)| table == "@notifications");
        told.map(|((_, id), data)| (id.clone(), keys(&json!(data))))
            .collect()
    }

    /// What was posted for a user, in its order.
    fn posted(&self, user: &str) -> Vec<(String, Vec<String>)> {
        let posted = self.endpoint.posted().into_iter();
        let events = posted.map(|posted| (posted.id(), posted.event()));
        let own = events.filter(|(_, event)| event["space"] == user);
        own.map(|(_, event)| {
            let id = event["data"]["id"].as_str().unwrap().to_owned();
            (id, keys(&event["data"]))
        })
        .collect()
    }
}

/// What a notification is about.
fn keys(notification: &Value) -> Vec<String> {
    assert_eq!(notification["more"], 0);
    let items = notification["items"].as_array().unwrap().iter();
    items
        .map(|item| item["key"].as_str().unwrap().to_owned())
        .collect()
}

/// A device by the SDK's rule (`claimShow`): a notification is shown unless it was itself, or each thing
/// it is about.
#[derive(Default)]
struct Shows {
    claimed: BTreeSet<String>,
    shown: BTreeMap<String, usize>,
}

impl Shows {
    fn take(&mut self, (id, keys): &(String, Vec<String>)) {
        let is_new = self.claimed.insert(format!("@notifications/{id}"));
        let fresh = keys
            .iter()
            .filter(|key| self.claimed.insert((*key).clone()));
        let fresh = fresh.count();
        if is_new && (keys.is_empty() || fresh > 0) {
            for key in keys {
                *self.shown.entry(key.clone()).or_default() += 1;
            }
        }
    }
}

/// Kills in the middle of a round and returns the keys of each user.
async fn round(
    world: &mut World,
    name: &str,
    (moment, victims): (Moment, &[usize]),
) -> Vec<(String, Vec<String>)> {
    let before = world.endpoint.posted().len();
    // Who writes does so where nobody is killed, if there is such a hub.
    let by = usize::from(victims[0] == 0 && victims.len() == 1);
    let mut expected = Vec::new();
    for n in 0..USERS {
        if matches!(moment, Moment::Planning(users) if users == n) {
            world.kill(victims).await;
        }
        if world.hubs[by].is_none() {
            world.start_all().await;
        }
        let user = format!("{name}-u{n}");
        let keys = world.remind(&user, by).await;
        expected.push((user, keys));
    }
    if let Moment::Firing(posts) = moment {
        world.endpoint.until_posted(before + posts).await;
        world.kill(victims).await;
    }
    world.start_all().await;
    world.settle().await;
    expected
}

#[tokio::test]
async fn reminders_whose_hubs_are_killed_are_told_and_each_device_shows_them_once() {
    println!("seed {SEED:#x}");
    let mut random = Prng::new(SEED);
    let database = Postgres::shared().database().await;
    let mut world = World::open(database.url()).await;
    let mut below = |bound: usize| random.below(bound as u64) as usize;
    let rounds: [(Moment, &[usize]); 4] = [
        (Moment::Planning(1 + below(USERS - 1)), &[0]),
        (Moment::Firing(1 + below(USERS)), &[0, 1]),
        (Moment::Planning(1 + below(USERS - 1)), &[0, 1]),
        (Moment::Firing(1 + below(USERS)), &[1]),
    ];
    for (n, how) in rounds.into_iter().enumerate() {
        let expected = round(&mut world, &format!("k{n}"), how).await;
        for (user, keys) in expected {
            let why = format!("seed {SEED:#x}, round {n}, {how:?}, {user}");
            let (told, posted) = (world.told(&user).await, world.posted(&user));
            // Told once in the history, however often it was planned.
            let mut in_history: Vec<&String> = told.iter().flat_map(|(_, keys)| keys).collect();
            in_history.sort();
            assert_eq!(in_history, keys.iter().collect::<Vec<_>>(), "{why}");
            // Delivered at least once, under the same id each time.
            let named = |all: &[(String, Vec<String>)]| -> BTreeSet<(String, String)> {
                let pairs = all.iter();
                let pairs =
                    pairs.flat_map(|(id, keys)| keys.iter().map(|key| (key.clone(), id.clone())));
                pairs.collect()
            };
            assert_eq!(named(&posted), named(&told), "{why}");
            let mut device = Shows::default();
            for notification in told.iter().chain(&posted) {
                device.take(notification);
            }
            let once: BTreeMap<String, usize> = keys.into_iter().map(|key| (key, 1)).collect();
            assert_eq!(device.shown, once, "{why}");
        }
    }
    world.kill(&[0, 1]).await;
}
