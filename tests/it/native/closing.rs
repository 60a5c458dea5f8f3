//! How sockets end: either side first, and all at once when the node stops.

use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, frame, hello, text};
use syncline_tests::socket::Socket;
use syncline_tests::until;

const CLOSE: u8 = 0x88;

#[tokio::test]
async fn a_client_that_closes_gets_its_code_back_behind_what_was_queued() {
    let node = TestNode::start().await;
    for (payload, answered) in [
        (&4_321_u16.to_be_bytes()[..], 4_321),
        (&1_001_u16.to_be_bytes(), 1_001),
        (b"\x03\xe8bye", 1_000),
        (b"", 1_000),
    ] {
        let mut socket = RawSocket::hello(&node, "ada").await;
        socket.message_of("delta").await; // the end of its snapshot
        let ping = text(&json!({"t": "ping"}));
        socket.send(&[ping, frame(CLOSE, payload)].concat()).await;
        assert_eq!(socket.message().await["t"], "pong");
        assert_eq!(socket.closed().await, answered);
    }
    until("all have left", || node.app.metrics().sockets.get() == 0).await;
}

#[tokio::test]
async fn a_push_right_before_the_close_is_committed() {
    let node = TestNode::start().await;
    let mut socket = RawSocket::hello(&node, "ada").await;
    let change = json!({"table": "t", "id": "k1", "op": "insert", "data": {}});
    let push = text(&json!({"t": "push", "muts": [{"m": 1, "changes": [change]}]}));
    let close = frame(CLOSE, &1_000_u16.to_be_bytes());
    socket.send(&[push, close].concat()).await;
    assert_eq!(socket.closed().await, 1_000);
    until("it is committed", || node.app.metrics().commits.get() == 1).await;
}

#[tokio::test]
async fn a_hub_that_closes_first_waits_for_what_its_peer_still_says() {
    let node = TestNode::start().await;
    // The refusal is on its way while the client still writes: it must not be lost by that.
    for _ in 0..20 {
        let mut hello = hello(&node, "ada");
        hello["token"] = json!("none");
        let mut socket = RawSocket::open(&node, &text(&hello)).await;
        for _ in 0..50 {
            socket
                .send(&text(&json!({"t": "push", "x": "y".repeat(10_000)})))
                .await;
        }
        assert_eq!(socket.message().await["code"], "token_invalid");
        assert_eq!(socket.closed().await, 4001);
        assert!(!socket.is_broken());
    }
    until("all have left", || node.app.metrics().sockets.get() == 0).await;
}

#[tokio::test]
async fn a_stopping_node_spreads_the_return_of_its_sockets_over_the_drain() {
    let mut setup = Setup::default();
    setup.config.drain_s = 8;
    let node = TestNode::start_with(setup).await;
    let mut sockets = Vec::new();
    for n in 0..4 {
        sockets.push(
            Socket::hello(&node, "ada", json!({"client": format!("c{n}")}))
                .await
                .0,
        );
    }
    let stopping = tokio::spawn(node.app.shutdown());
    let mut told: Vec<Value> = Vec::new();
    for socket in &mut sockets {
        told.push(socket.message_of("reconnect").await["after_ms"].clone());
        assert_eq!(socket.closed().await, Some(4010));
    }
    drop(sockets);
    stopping.await.unwrap();
    told.sort_by_key(Value::as_u64);
    assert_eq!(told, [0, 2_000, 4_000, 6_000]);
}
