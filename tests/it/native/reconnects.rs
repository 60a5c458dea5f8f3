//! Two thousand devices that come back at once.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_protocol::error::close;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, hello, text};
use syncline_tests::until;
use tokio::sync::{Barrier, Mutex};
use tokio::task::JoinSet;

const USERS: usize = 100;
const DEVICES: usize = 20;
const ALL: usize = USERS * DEVICES;

/// One test after the other: each takes thousands of files and all the machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// A user has room for its devices and not for one more.
async fn node() -> Arc<TestNode> {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = 100;
    setup.config.gateway.sockets_per_user_max = DEVICES as u64;
    // All are connected before the first says hello.
    setup.config.gateway.hello_timeout_ms = 60_000;
    Arc::new(TestNode::start_with(setup).await)
}

/// A device that was let in.
struct Device {
    user: usize,
    client: String,
    socket: RawSocket,
    /// What it has.
    cursor: Value,
}

impl Device {
    /// Takes the end of its snapshot, in which there is nothing.
    async fn is_shown_nothing(&mut self) {
        let end = self.socket.message().await;
        assert_eq!(
            (&end["t"], &end["count"]),
            (&json!("snapshot_end"), &json!(0))
        );
        assert_eq!(self.is_told().await, json!([]));
    }

    /// Takes a delta that brings it from where it is to the head.
    async fn is_told(&mut self) -> Value {
        let delta = self.socket.message().await;
        assert_eq!(delta["t"], "delta", "{delta}");
        assert_eq!(delta["from"], self.cursor["seq"], "{delta}");
        assert_ne!(delta["more"], true, "{delta}");
        self.cursor["seq"] = delta["to"].clone();
        delta["changes"].clone()
    }
}

/// All of them, with what they have, at once: each says hello when all are connected, and at least
/// so many sockets are open then. Returns when all are welcomed.
async fn come(
    node: &Arc<TestNode>,
    cursors: Vec<(usize, String, Value)>,
    open: usize,
) -> Vec<Device> {
    let together = Arc::new(Barrier::new(cursors.len() + 1));
    let mut coming = JoinSet::new();
    for (user, client, cursor) in cursors {
        let (node, together) = (node.clone(), together.clone());
        coming.spawn(async move {
            let mut hello = hello(&node, &format!("u{user}"));
            (hello["client"], hello["cursor"]) = (json!(client), cursor);
            let mut socket = RawSocket::open(&node, b"").await;
            together.wait().await;
            socket.send(&text(&hello)).await;
            let welcome = socket.welcomed().await;
            let cursor = match &hello["cursor"] {
                Value::Null => json!({"epoch": welcome["epoch"], "seq": 0}),
                cursor => cursor.clone(),
            };
            Device {
                user,
                client,
                socket,
                cursor,
            }
        });
    }
    let sockets = || node.app.metrics().sockets.get();
    until("all are connected", || sockets() >= open as i64).await;
    together.wait().await;
    let mut devices = coming.join_all().await;
    assert_eq!(devices.len(), ALL);
    devices.sort_by_key(|device| device.user);
    devices
}

/// What all of them have.
fn cursors(devices: &[Device]) -> Vec<(usize, String, Value)> {
    let cursors = devices.iter();
    cursors
        .map(|device| (device.user, device.client.clone(), device.cursor.clone()))
        .collect()
}

/// All of them, for the first time.
async fn come_new(node: &Arc<TestNode>) -> Vec<Device> {
    let new_ones = (0..ALL).map(|n| (n % USERS, format!("d{}", n / USERS), Value::Null));
    let mut devices = come(node, new_ones.collect(), ALL).await;
    for device in &mut devices {
        device.is_shown_nothing().await;
    }
    devices
}

/// Each is told so many changes, in one delta.
async fn all_are_told(devices: &mut [Device], changes: usize) {
    for device in devices {
        let told = device.is_told().await;
        assert_eq!(told.as_array().map(Vec::len), Some(changes), "{told}");
    }
}

/// One change of each user.
async fn each_user_writes(node: &TestNode, m: u64) {
    let http = reqwest::Client::new();
    let change = json!({"table": "t", "id": m.to_string(), "op": "insert", "data": {}});
    let push = json!({"client": "writer", "muts": [{"m": m, "changes": [change]}]}).to_string();
    for user in 0..USERS {
        let request = http.post(node.url("/v1/todo/push"));
        let request = request.bearer_auth(node.token(&format!("u{user}")));
        let answer = request.body(push.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

async fn sockets_are(node: &TestNode, count: usize) {
    let sockets = || node.app.metrics().sockets.get();
    until("the sockets", || sockets() == count as i64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_devices_come_back_at_once_and_leave_nothing_behind() {
    let _turn = TURN.lock().await;
    let node = node().await;
    let metrics = node.app.metrics();
    let first = come_new(&node).await;
    // They come back while the hub still closes what they left.
    let left = cursors(&first);
    drop(first);
    let second = come(&node, left, ALL).await;
    sockets_are(&node, ALL).await;
    until("all sessions sleep", || {
        (metrics.sessions.get(), metrics.sessions_asleep.get()) == (0, USERS as i64)
    })
    .await;
    drop(second);
    until("everything is gone", || {
        let sessions = (metrics.sessions.get(), metrics.sessions_asleep.get());
        let connections = metrics.http_connections.get();
        (metrics.sockets.get(), sessions, connections) == (0, (0, 0), 0)
    })
    .await;
    assert_eq!(metrics.unfinished_bytes.get(), 0);
    assert_eq!(metrics.session_panics.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_devices_replace_two_thousand_half_open_sockets_of_their_own() {
    let _turn = TURN.lock().await;
    let node = node().await;
    let first = come_new(&node).await;
    // Nobody closes the old ends.
    let second = come(&node, cursors(&first), 2 * ALL).await;
    for mut old in first {
        assert_eq!(old.socket.closed().await, close::REPLACED);
    }
    sockets_are(&node, ALL).await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_devices_that_come_back_at_once_are_each_told_once_what_they_missed() {
    let _turn = TURN.lock().await;
    let node = node().await;
    let metrics = node.app.metrics();
    let devices = come_new(&node).await;
    let left = cursors(&devices);
    drop(devices);
    sockets_are(&node, 0).await;
    each_user_writes(&node, 1).await;
    let (deltas, snapshots) = (metrics.deltas.get(), metrics.snapshot_messages.get());
    let mut devices = come(&node, left, ALL).await;
    all_are_told(&mut devices, 1).await;
    assert_eq!(metrics.deltas.get() - deltas, ALL as u64);
    assert_eq!(
        metrics.snapshot_messages.get(),
        snapshots,
        "none began anew"
    );
    // All are live: what is written now is told each of them once, and not from the store.
    let catch_ups = metrics.catch_ups.get();
    each_user_writes(&node, 2).await;
    all_are_told(&mut devices, 1).await;
    assert_eq!(metrics.deltas.get() - deltas, 2 * ALL as u64);
    assert_eq!(metrics.catch_ups.get(), catch_ups);
}
