//! Two thousand devices that come back at once.

use std::sync::Arc;

use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, hello, text};
use syncline_tests::until;
use tokio::task::JoinSet;

const USERS: usize = 100;
const DEVICES: usize = 20;

async fn connect(node: Arc<TestNode>, user: String, client: String) -> RawSocket {
    let mut hello = hello(&node, &user);
    hello["client"] = client.into();
    let mut socket = RawSocket::open(&node, &text(&hello)).await;
    socket.welcomed().await;
    socket
}

/// All of them at once; returns when all are welcomed.
async fn connect_all(node: &Arc<TestNode>) -> Vec<RawSocket> {
    let mut connecting = JoinSet::new();
    for user in 0..USERS {
        for device in 0..DEVICES {
            let names = (format!("u{user}"), format!("d{device}"));
            connecting.spawn(connect(node.clone(), names.0, names.1));
        }
    }
    connecting.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_devices_come_back_at_once_and_leave_nothing_behind() {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = 100;
    let node = Arc::new(TestNode::start_with(setup).await);
    let metrics = node.app.metrics();
    let first = connect_all(&node).await;
    assert_eq!(first.len(), USERS * DEVICES);
    // They come back while the hub still closes what they left.
    drop(first);
    let second = connect_all(&node).await;
    until("each has one socket", || {
        metrics.sockets.get() == second.len() as i64
    })
    .await;
    until("all sessions sleep", || {
        (metrics.sessions.get(), metrics.sessions_asleep.get()) == (0, USERS as i64)
    })
    .await;
    drop(second);
    until("everything is gone", || {
        let sessions = (metrics.sessions.get(), metrics.sessions_asleep.get());
        (
            metrics.sockets.get(),
            sessions,
            metrics.http_connections.get(),
        ) == (0, (0, 0), 0)
    })
    .await;
    assert_eq!(metrics.session_panics.get(), 0);
}
