//! Presence and broadcasts: of one space, limited, gone with the socket.

use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use syncline_tests::until;

/// A device that has everything there is.
async fn settled(node: &TestNode, user: &str, client: &str) -> Socket {
    let (mut socket, _) = Socket::hello(node, user, json!({"client": client})).await;
    socket.message_of("delta").await; // the end of its snapshot
    socket
}

fn at(place: &str) -> Value {
    json!({"t": "presence", "state": {"at": place}})
}

/// A text that is JSON of so many bytes.
fn of_bytes(bytes: usize) -> String {
    "y".repeat(bytes - 2)
}

#[tokio::test]
async fn other_spaces_and_a_client_itself_hear_nothing() {
    let node = TestNode::start().await;
    let mut phone = settled(&node, "ada", "phone").await;
    let mut laptop = settled(&node, "ada", "laptop").await;
    let mut bob = settled(&node, "bob", "laptop").await;
    phone.send(&at("k1")).await;
    phone
        .send(&json!({"t": "broadcast", "room": "r", "data": 1}))
        .await;
    assert_eq!(laptop.message().await["t"], "presence");
    assert_eq!(laptop.message().await["t"], "broadcast");
    assert!(phone.is_quiet().await);
    assert!(bob.is_quiet().await);
    // Who comes later sees who is there, and no broadcast of before.
    let mut tablet = settled(&node, "ada", "tablet").await;
    assert!(tablet.is_quiet().await);
}

#[tokio::test]
async fn a_sleeping_session_keeps_presence_and_tells_when_its_socket_goes() {
    let mut setup = Setup::default();
    setup.config.session.idle_ms = 20;
    let node = TestNode::start_with(setup).await;
    let all_asleep = async || {
        until("the session sleeps", || {
            let metrics = node.app.metrics();
            (metrics.sessions.get(), metrics.sessions_asleep.get()) == (0, 1)
        })
        .await;
    };
    let mut phone = settled(&node, "ada", "phone").await;
    let mut laptop = settled(&node, "ada", "laptop").await;
    phone.send(&at("k1")).await;
    assert_eq!(laptop.message().await["state"], json!({"at": "k1"}));
    all_asleep().await;
    // A newcomer is shown it, and it may change.
    let (mut tablet, _) = Socket::hello(&node, "ada", json!({"client": "tablet"})).await;
    assert_eq!(
        tablet.message_of("presence").await["state"],
        json!({"at": "k1"})
    );
    all_asleep().await;
    phone.send(&at("k2")).await;
    for other in [&mut laptop, &mut tablet] {
        assert_eq!(
            other.message_of("presence").await["state"],
            json!({"at": "k2"})
        );
    }
    all_asleep().await;
    phone.cut();
    for other in [&mut laptop, &mut tablet] {
        let gone = other.message_of("presence").await;
        assert_eq!(
            (&gone["client"], &gone["state"]),
            (&json!("phone"), &json!(null))
        );
    }
    all_asleep().await;
    // One without presence goes without a word.
    tablet.cut();
    until("it has left", || node.app.metrics().sockets.get() == 1).await;
    assert!(laptop.is_quiet().await);
    assert_eq!(node.app.metrics().sessions.get(), 0);
}

#[tokio::test]
async fn what_is_too_large_is_refused_at_one_byte_past_the_limit() {
    let node = TestNode::start().await;
    let mut phone = settled(&node, "ada", "phone").await;
    let mut laptop = settled(&node, "ada", "laptop").await;
    for bytes in [4_096, 4_097] {
        let (most, text) = (bytes == 4_096, of_bytes(bytes));
        for message in [
            json!({"t": "presence", "state": text}),
            json!({"t": "broadcast", "room": "r", "data": text}),
        ] {
            phone.send(&message).await;
            if most {
                assert_eq!(laptop.message().await["t"], message["t"]);
            } else {
                assert_eq!(phone.message().await["code"], "ephemeral_too_large");
                assert!(laptop.is_quiet().await);
            }
        }
    }
}

#[tokio::test]
async fn who_says_too_much_is_told_to_slow_down_and_stays() {
    let node = TestNode::start().await;
    let mut phone = settled(&node, "ada", "phone").await;
    let mut laptop = settled(&node, "ada", "laptop").await;
    for n in 0..202 {
        phone
            .send(&json!({"t": "broadcast", "room": "r", "data": n}))
            .await;
    }
    let slow = phone.message_of("slow").await;
    assert_eq!(slow["scope"], "user");
    assert!(slow["retry_ms"].as_u64().unwrap() > 0);
    for n in 0..200 {
        assert_eq!(laptop.message_of("broadcast").await["data"], n);
    }
    // What it says next waits until its second is over, and is not lost.
    assert_eq!(laptop.message_of("broadcast").await["data"], 201);
    let change = json!({"table": "t", "id": "k1", "op": "insert", "data": {}});
    phone
        .send(&json!({"t": "push", "muts": [{"m": 1, "changes": [change]}]}))
        .await;
    phone.message_of("verdicts").await;
}

/// However many sockets it spreads that over.
#[tokio::test]
async fn a_user_whose_sockets_are_told_too_much_is_told_to_slow_down() {
    let mut setup = Setup::default();
    setup.config.limits.user_told_per_s = 1;
    let node = TestNode::start_with(setup).await;
    let mut phone = settled(&node, "ada", "phone").await;
    let mut tablet = settled(&node, "ada", "tablet").await;
    let mut laptop = settled(&node, "ada", "laptop").await;
    let (mut bob, mut bobs) = (
        settled(&node, "bob", "phone").await,
        settled(&node, "bob", "laptop").await,
    );
    let said = |n: u64| json!({"t": "broadcast", "room": "r", "data": n});
    // Three sockets are worth three seconds: in all a minute's worth.
    for n in 0..10 {
        phone.send(&said(n)).await;
        tablet.send(&said(n)).await;
    }
    assert_eq!(laptop.message_of("broadcast").await["data"], 0);
    for told in [&mut phone, &mut tablet] {
        let slow = told.message_of("slow").await;
        assert!(slow["retry_ms"].as_u64().unwrap() > 0);
    }
    bob.send(&said(0)).await;
    bobs.message_of("broadcast").await;
}
