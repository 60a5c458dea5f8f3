//! How many sockets there may be: as many as the limit says, and the next one is told why not.

use std::net::SocketAddr;

use serde_json::json;
use syncline_hub::config::GatewayConfig;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, frame, hello, text};
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
        gateway.connections_address_percent = 100;
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
async fn one_address_does_not_take_every_place_before_the_hello() {
    let node = node(|gateway| {
        gateway.sockets_max = 10;
        gateway.strangers_percent = 80;
    })
    .await;
    let _silent = [
        RawSocket::open(&node, b"").await,
        RawSocket::open(&node, b"").await,
    ];
    is_turned_away(&node).await;
    is_taken(&mut from("127.0.0.2", &node, b"").await, &node, "other").await;
}

/// A message of so many bytes that has begun and does not end.
fn unfinished(bytes: usize) -> Vec<u8> {
    let whole = frame(0x81, &vec![b'x'; bytes + 1]);
    whole[..whole.len() - 1].to_vec()
}

#[tokio::test]
async fn unfinished_messages_have_a_room_and_whole_ones_need_none() {
    const KIB: usize = 1 << 10;
    let node = node(|gateway| gateway.unfinished_bytes_max = 1 << 20).await;
    let held = || node.app.metrics().unfinished_bytes.get();
    let mut known = Vec::new();
    for n in 0..4 {
        let mut socket = RawSocket::open(&node, b"").await;
        is_taken(&mut socket, &node, &format!("c{n}")).await;
        known.push(socket);
    }
    // Those who are known may fill it.
    known[0].send(&unfinished(500 * KIB)).await;
    known[1].send(&unfinished(400 * KIB)).await;
    until("both are held", || held() >= 900 * KIB as i64).await;
    known[2].send(&unfinished(300 * KIB)).await;
    assert_eq!(known[2].closed().await, 4029);
    // A little, and what is whole, is taken all the same.
    let (front, back) = {
        let ping = text(&json!({"t": "ping", "x": "y".repeat(3 * KIB)}));
        let (front, back) = ping.split_at(2 * KIB);
        (front.to_vec(), back.to_vec())
    };
    known[3].send(&front).await;
    known[3].send(&back).await;
    known[3].message_of("pong").await;
    // What is given back is there for others.
    known.truncate(1);
    until("it is given back", || held() < 600 * KIB as i64).await;
    let mut again = RawSocket::open(&node, b"").await;
    is_taken(&mut again, &node, "again").await;
    again.send(&unfinished(300 * KIB)).await;
    until("it is held", || held() >= 800 * KIB as i64).await;
    drop((known, again));
    until("nothing is held", || held() == 0).await;
}

#[tokio::test]
async fn a_user_has_a_share_of_the_room_for_unfinished_messages() {
    const KIB: usize = 1 << 10;
    let node = node(|gateway| gateway.unfinished_bytes_max = 16 << 20).await;
    let held = || node.app.metrics().unfinished_bytes.get();
    let opened = async |user: &str, client: &str| {
        let mut socket = RawSocket::open(&node, b"").await;
        let mut hello = hello(&node, user);
        hello["client"] = json!(client);
        socket.send(&text(&hello)).await;
        socket.welcomed().await;
        socket
    };
    let mut first = opened("ada", "first").await;
    let mut second = opened("ada", "second").await;
    let mut third = opened("ada", "third").await;
    let mut bobs = opened("bob", "c").await;
    // An eighth of it.
    first.send(&unfinished(900 * KIB)).await;
    second.send(&unfinished(900 * KIB)).await;
    until("both are held", || held() >= 1_800 * KIB as i64).await;
    third.send(&unfinished(700 * KIB)).await;
    assert_eq!(third.closed().await, 4029);
    bobs.send(&unfinished(900 * KIB)).await;
    until("three are held", || held() >= 2_700 * KIB as i64).await;
    drop((first, second, third, bobs));
    until("nothing is held", || held() == 0).await;
}

#[tokio::test]
async fn strangers_have_a_quarter_of_the_room_for_unfinished_messages() {
    const KIB: usize = 1 << 10;
    let node = node(|gateway| gateway.unfinished_bytes_max = 1 << 20).await;
    let held = || node.app.metrics().unfinished_bytes.get();
    let mut strangers = Vec::new();
    for n in 1..=4 {
        let mut stranger = RawSocket::open(&node, b"").await;
        stranger.send(&unfinished(55 * KIB)).await;
        until("it is held", || held() >= (n * 55 * KIB) as i64).await;
        strangers.push(stranger);
    }
    let mut fifth = RawSocket::open(&node, b"").await;
    fifth.send(&unfinished(55 * KIB)).await;
    assert_eq!(fifth.closed().await, 4029);
    is_taken(&mut RawSocket::open(&node, b"").await, &node, "known").await;
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
