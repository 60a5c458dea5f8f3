//! Sessions that sleep under real sockets: what wakes them, what does not, what is left.

use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, frame, text};
use syncline_tests::socket::Socket;
use syncline_tests::until;

const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A node whose sessions sleep almost at once.
async fn node() -> TestNode {
    TestNode::start_with(sleepy()).await
}

fn sleepy() -> Setup {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = 20;
    setup
}

fn asleep(node: &TestNode) -> i64 {
    node.app.metrics().sessions_asleep.get()
}

/// Waits until no session runs and so many sleep.
async fn all_asleep(node: &TestNode, count: i64) {
    until("all sessions sleep", || {
        node.app.metrics().sessions.get() == 0 && asleep(node) == count
    })
    .await;
}

/// A device that has everything there is.
async fn settled(node: &TestNode, client: &str) -> Socket {
    let (mut socket, _) = Socket::hello(node, "ada", json!({"client": client})).await;
    socket.message_of("delta").await; // the end of its snapshot
    socket
}

fn push(m: u64, id: &str) -> Value {
    let change = json!({"table": "t", "id": id, "op": "insert", "data": {"n": m}});
    json!({"t": "push", "muts": [{"m": m, "changes": [change]}]})
}

/// Pushes over HTTP, as another client of the same user.
async fn push_elsewhere(node: &TestNode, m: u64, id: &str) {
    let push = push(m, id);
    let body = json!({"client": "elsewhere", "muts": push["muts"]});
    let request = reqwest::Client::new()
        .post(node.url("/v1/todo/push"))
        .bearer_auth(node.token("ada"));
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_session_without_a_socket_ends_soon_however_patient_the_others_are() {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = 3_600_000;
    let node = TestNode::start_with(setup).await;
    push_elsewhere(&node, 1, "k1").await;
    assert_eq!(node.app.metrics().sessions.get(), 1);
    until("it ended", || node.app.metrics().sessions.get() == 0).await;
    assert_eq!(asleep(&node), 0);
    let phone = settled(&node, "phone").await;
    assert_eq!(node.app.metrics().sessions.get(), 1);
    // It has looked, and would look again when it had been idle for an hour.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(node.app.metrics().sessions.get(), 1);
    drop(phone);
    until("it ended too", || node.app.metrics().sessions.get() == 0).await;
}

#[tokio::test]
async fn pings_and_pongs_of_either_side_wake_nobody() {
    let mut setup = sleepy();
    setup.config.gateway.ping_ms = 2_000;
    let node = TestNode::start_with(setup).await;
    let mut socket = RawSocket::hello(&node, "ada").await;
    socket.message_of("delta").await;
    all_asleep(&node, 1).await;
    for _ in 0..2 {
        let (first, payload) = socket.frame().await.unwrap();
        assert_eq!(first, PING, "nothing but pings comes");
        socket.send(&frame(PONG, &payload)).await;
        socket.send(&frame(PING, b"?")).await;
        assert_eq!(socket.frame().await, Some((PONG, b"?".to_vec())));
        socket.send(&text(&json!({"t": "ping"}))).await;
        assert_eq!(socket.message().await, json!({"t": "pong"}));
        assert_eq!(node.app.metrics().sessions.get(), 0);
    }
    assert_eq!(node.app.metrics().session_sleeps.get(), 1);
    assert_eq!(asleep(&node), 1);
}

#[tokio::test]
async fn a_push_from_a_sleeping_socket_is_committed_and_answered() {
    let node = node().await;
    let mut phone = settled(&node, "phone").await;
    for m in 1..=5 {
        all_asleep(&node, 1).await;
        phone.send(&push(m, &format!("k{m}"))).await;
        let verdicts = phone.message_of("verdicts").await;
        assert_eq!(verdicts["results"][0]["m"], m);
        assert_eq!(verdicts["results"][0]["status"], "applied");
    }
    assert_eq!(node.app.metrics().commits.get(), 5);
}

#[tokio::test]
async fn a_change_of_another_device_reaches_a_sleeping_socket() {
    let node = node().await;
    let mut phone = settled(&node, "phone").await;
    for m in 1..=5 {
        all_asleep(&node, 1).await;
        push_elsewhere(&node, m, &format!("k{m}")).await;
        let delta = phone.message_of("delta").await;
        assert_eq!((&delta["from"], &delta["to"]), (&json!(m - 1), &json!(m)));
        assert_eq!(delta["changes"][0]["id"], format!("k{m}"));
    }
}

#[tokio::test]
async fn a_socket_that_leaves_a_sleeping_session_leaves_nothing_behind() {
    let node = node().await;
    let (phone, laptop) = (
        settled(&node, "phone").await,
        settled(&node, "laptop").await,
    );
    all_asleep(&node, 1).await;
    let slept = node.app.metrics().session_sleeps.get();
    phone.cut();
    until("the phone has left", || {
        node.app.metrics().sockets.get() == 1
    })
    .await;
    assert_eq!(asleep(&node), 1);
    laptop.cut();
    until("both have left", || node.app.metrics().sockets.get() == 0).await;
    assert_eq!((asleep(&node), node.app.metrics().sessions.get()), (0, 0));
    assert_eq!(
        node.app.metrics().session_sleeps.get(),
        slept,
        "nobody was woken for it"
    );
    settled(&node, "phone").await;
}

#[tokio::test]
async fn a_socket_replaced_while_its_session_sleeps_is_told_and_gone() {
    let node = node().await;
    let mut before = settled(&node, "phone").await;
    all_asleep(&node, 1).await;
    let mut after = settled(&node, "phone").await;
    assert_eq!(before.closed().await, Some(4009));
    drop(before);
    push_elsewhere(&node, 1, "k1").await;
    assert_eq!(after.message_of("delta").await["to"], 1);
    all_asleep(&node, 1).await;
    until("one is left", || node.app.metrics().sockets.get() == 1).await;
}

#[tokio::test]
async fn a_stopping_node_closes_the_sockets_of_sleeping_sessions_too() {
    let node = node().await;
    let mut phone = settled(&node, "phone").await;
    all_asleep(&node, 1).await;
    let stopping = tokio::spawn(node.app.shutdown());
    phone.message_of("reconnect").await;
    assert_eq!(phone.closed().await, Some(4010));
    let stopped = tokio::time::timeout(Duration::from_secs(20), stopping).await;
    stopped.expect("the drain hangs").unwrap();
}
