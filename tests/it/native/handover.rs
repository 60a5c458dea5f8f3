//! The moment a session falls asleep or wakes, again and again under devices that write: every
//! verdict arrives once and in order, every device ends with the same data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_storage::faulty::Prng;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::{Got, Socket};
use syncline_tests::until;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Mutations of each device.
const MUTATIONS: u64 = 40;

/// Spaces of a node, and what writes to each: two sockets, one caller over HTTP.
const USERS: u64 = 5;

/// What a device shows, by id.
type Shown = BTreeMap<String, Value>;

/// A device that checks all it is told.
struct Device {
    socket: Socket,
    seq: u64,
    shown: Shown,
    /// The last mutation with a verdict.
    decided: u64,
}

impl Device {
    async fn open(node: &TestNode, user: &str, client: &str) -> Device {
        let (mut socket, _) = Socket::hello(node, user, json!({"client": client})).await;
        let mut shown = Shown::new();
        let end = loop {
            let part = socket.message().await;
            if part["t"] == "snapshot_end" {
                break part;
            }
            show(&mut shown, &part);
        };
        Device {
            socket,
            seq: end["at"].as_u64().unwrap(),
            shown,
            decided: 0,
        }
    }

    fn take(&mut self, message: &Value) {
        match message["t"].as_str() {
            Some("delta") => {
                assert_eq!(
                    message["from"], self.seq,
                    "a delta does not continue the cursor"
                );
                self.seq = message["to"].as_u64().unwrap();
                show(&mut self.shown, message);
            }
            Some("verdicts") => {
                for result in message["results"].as_array().unwrap() {
                    self.decided += 1;
                    assert_eq!(
                        result["m"], self.decided,
                        "a verdict is missing or comes twice"
                    );
                    assert_eq!(result["status"], "applied", "{result}");
                }
            }
            _ => panic!("unexpected: {message}"),
        }
    }

    async fn take_until(&mut self, enough: impl Fn(&Device) -> bool) {
        while !enough(self) {
            let message = self.socket.message().await;
            self.take(&message);
        }
    }

    /// Takes what comes for so long.
    async fn pause(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while let Ok(got) = timeout_at(end, self.socket.next()).await {
            match got {
                Got::Message(message) => self.take(&message),
                Got::Closed(code) => panic!("closed with {code:?}"),
            }
        }
    }
}

fn show(shown: &mut Shown, message: &Value) {
    for change in message["changes"].as_array().unwrap() {
        let id = change["id"].as_str().unwrap().to_owned();
        shown.insert(id, change["data"].clone());
    }
}

/// One record of its own, and a field of one that all write.
fn mutation(client: &str, m: u64) -> Value {
    let own =
        json!({"table": "t", "id": format!("{client}-{m}"), "op": "insert", "data": {"m": m}});
    let mut shared = json!({"table": "t", "id": "shared", "op": "insert", "data": {}});
    shared["data"][client] = json!(m);
    json!({"m": m, "changes": [own, shared]})
}

/// A pause that often ends just when a session falls asleep.
fn pause(chance: &mut Prng, idle_ms: u64) -> Duration {
    Duration::from_micros(chance.below(2_000 * (idle_ms + 10)))
}

async fn write_by_socket(
    node: Arc<TestNode>,
    user: String,
    client: &'static str,
    idle_ms: u64,
) -> Device {
    let mut chance = Prng::new(
        idle_ms
            ^ user
                .bytes()
                .chain(client.bytes())
                .map(u64::from)
                .sum::<u64>(),
    );
    let mut device = Device::open(&node, &user, client).await;
    for m in 1..=MUTATIONS {
        let push = json!({"t": "push", "muts": [mutation(client, m)]});
        device.socket.send(&push).await;
        // Sometimes the next one comes before this one is answered.
        if chance.below(4) > 0 {
            device.take_until(|device| device.decided == m).await;
            device.pause(pause(&mut chance, idle_ms)).await;
        }
    }
    device
        .take_until(|device| device.decided == MUTATIONS)
        .await;
    device
}

async fn write_by_http(node: Arc<TestNode>, user: String, idle_ms: u64) {
    let mut chance = Prng::new(idle_ms);
    let (http, token) = (reqwest::Client::new(), node.token(&user));
    for m in 1..=MUTATIONS {
        let body = json!({"client": "http", "muts": [mutation("http", m)]});
        let request = http.post(node.url("/v1/todo/push")).bearer_auth(&token);
        let answer = request.body(body.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["results"][0]["m"], m, "{answer}");
        assert_eq!(answer["results"][0]["status"], "applied", "{answer}");
        tokio::time::sleep(pause(&mut chance, idle_ms)).await;
    }
}

/// Devices that come, look and go, so that sessions also end and start.
async fn visit(node: Arc<TestNode>, user: String, idle_ms: u64) {
    let mut chance = Prng::new(idle_ms + 1);
    for _ in 0..MUTATIONS / 2 {
        let mut device = Device::open(&node, &user, "visitor").await;
        device.pause(pause(&mut chance, idle_ms)).await;
        drop(device);
        tokio::time::sleep(pause(&mut chance, idle_ms)).await;
    }
}

/// One node under all of it. Returns how often sessions fell asleep.
async fn run(idle_ms: u64) -> u64 {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = idle_ms;
    let node = Arc::new(TestNode::start_with(setup).await);
    let mut devices = JoinSet::new();
    let mut others = JoinSet::new();
    for user in (0..USERS).map(|n| format!("u{n}")) {
        for client in ["phone", "laptop"] {
            devices.spawn(write_by_socket(node.clone(), user.clone(), client, idle_ms));
        }
        others.spawn(write_by_http(node.clone(), user.clone(), idle_ms));
        others.spawn(visit(node.clone(), user, idle_ms));
    }
    let mut devices = devices.join_all().await;
    others.join_all().await;
    for device in &mut devices {
        let all = |shown: &Shown| {
            let last = |client: &str| shown["shared"][client] == MUTATIONS;
            shown.len() as u64 == 3 * MUTATIONS + 1
                && ["phone", "laptop", "http"].map(last) == [true; 3]
        };
        device.take_until(|device| all(&device.shown)).await;
    }
    let metrics = node.app.metrics();
    assert_eq!(metrics.session_panics.get(), 0);
    drop(devices);
    until("everything is gone", || {
        (
            metrics.sockets.get(),
            metrics.sessions.get(),
            metrics.sessions_asleep.get(),
        ) == (0, 0, 0)
    })
    .await;
    metrics.session_sleeps.get()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered_while_sessions_fall_asleep_and_wake() {
    let mut slept = 0;
    for idle_ms in [1, 7, 20] {
        slept += run(idle_ms).await;
    }
    assert!(slept > 100, "sessions fell asleep {slept} times");
}
