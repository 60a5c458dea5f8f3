//! How many sockets there may be: as many as the limit says, and the next one is told why not.

use std::net::SocketAddr;

use serde_json::json;
use syncline_hub::config::GatewayConfig;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, hello, text};
use syncline_tests::until;
use tokio::net::TcpSocket;

async fn node(set: impl FnOnce(&mut GatewayConfig)) -> TestNode {
    let mut setup = Setup::default();
    set(&mut setup.config.gateway);
    TestNode::start_with(setup).await
}

/// A socket from one of this machine's addresses, with `more` right behind its request.
async fn from(address: &str, node: &TestNode, more: &[u8]) -> RawSocket {
    let socket = TcpSocket::new_v4().unwrap();
    let own: SocketAddr = format!("{address}:0").parse().unwrap();
    socket.bind(own).unwrap();
    let stream = socket.connect(node.app.public_addr()).await.unwrap();
    RawSocket::over(stream, node, more).await
}

/// One more from this machine is told that there is no room, although it says much at once.
async fn is_turned_away(node: &TestNode) {
    let chatter = text(&json!({"t": "ping"})).repeat(5_000);
    let said = [text(&hello(node, "ada")), chatter].concat();
    let mut socket = from("127.0.0.1", node, &said).await;
    let error = socket.message().await;
    assert_eq!(
        (&error["t"], &error["code"]),
        (&json!("error"), &json!("too_many_sockets"))
    );
    assert_eq!(socket.closed().await, 4029);
    assert!(!socket.is_broken());
}

/// It is let in.
async fn is_taken(socket: &mut RawSocket, node: &TestNode, client: &str) {
    let mut hello = hello(node, "ada");
    hello["client"] = json!(client);
    socket.send(&text(&hello)).await;
    socket.welcomed().await;
}

async fn count_is(node: &TestNode, count: i64) {
    until("the count", || node.app.metrics().sockets.get() == count).await;
}

#[tokio::test]
async fn an_address_has_sockets_up_to_the_limit() {
    let node = node(|gateway| gateway.sockets_per_address_max = 2).await;
    let mut one = from("127.0.0.1", &node, b"").await;
    let two = from("127.0.0.1", &node, b"").await;
    is_taken(&mut one, &node, "one").await;
    is_turned_away(&node).await;
    let mut other = from("127.0.0.2", &node, b"").await;
    is_taken(&mut other, &node, "other").await;
    drop(two);
    count_is(&node, 2).await;
    is_taken(&mut from("127.0.0.1", &node, b"").await, &node, "two").await;
}

#[tokio::test]
async fn so_many_sockets_may_wait_for_their_hello() {
    let node = node(|gateway| {
        gateway.sockets_max = 10;
        gateway.strangers_percent = 20;
    })
    .await;
    let mut strangers = [
        RawSocket::open(&node, b"").await,
        RawSocket::open(&node, b"").await,
    ];
    is_turned_away(&node).await;
    is_taken(&mut strangers[0], &node, "one").await;
    is_taken(&mut RawSocket::open(&node, b"").await, &node, "two").await;
}

#[tokio::test]
async fn a_node_has_sockets_up_to_the_limit() {
    let node = node(|gateway| {
        gateway.sockets_max = 10;
        gateway.strangers_percent = 100;
    })
    .await;
    let mut open = Vec::new();
    for n in 0..10 {
        let mut socket = RawSocket::open(&node, b"").await;
        is_taken(&mut socket, &node, &format!("c{n}")).await;
        open.push(socket);
    }
    for _ in 0..20 {
        is_turned_away(&node).await;
    }
    open.pop();
    count_is(&node, 9).await;
    is_taken(&mut RawSocket::open(&node, b"").await, &node, "c9").await;
}
