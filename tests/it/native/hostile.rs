//! Peers that mean no good or are half gone: slow senders, floods, silence.

use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, frame, handshake, hello, text};
use syncline_tests::socket::Socket;
use syncline_tests::{HUNG, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// How long a slow sender waits before its next byte.
const PACE: Duration = Duration::from_millis(10);

async fn node(set: impl FnOnce(&mut syncline_hub::config::GatewayConfig)) -> TestNode {
    let mut setup = Setup::default();
    set(&mut setup.config.gateway);
    TestNode::start_with(setup).await
}

/// Another device is served as if nothing were.
async fn is_served(node: &TestNode) {
    let (mut other, _) = Socket::hello(node, "ada", json!({"client": "other"})).await;
    other.message_of("delta").await; // the end of its snapshot
    assert!(other.is_quiet().await);
}

/// Sends `bytes` again and again, byte by byte, until the hub closes. Returns the code and the
/// messages that came before.
async fn drip(socket: &mut RawSocket, bytes: &[u8]) -> (u16, Vec<Value>) {
    let mut messages = Vec::new();
    let dripping = async {
        for byte in bytes.iter().cycle() {
            socket.send(&[*byte]).await;
            match timeout(PACE, socket.frame()).await {
                Err(_) => {}
                Ok(Some((CLOSE, payload))) => {
                    return u16::from_be_bytes([payload[0], payload[1]]);
                }
                Ok(Some((_, payload))) => messages.extend(serde_json::from_slice(&payload)),
                Ok(None) => panic!("it ends without a close frame"),
            }
        }
        unreachable!("the bytes never end")
    };
    let code = timeout(HUNG, dripping).await.expect("it is endured");
    (code, messages)
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_off() {
    let node = node(|gateway| gateway.header_timeout_ms = 100).await;
    let stream = TcpStream::connect(node.app.public_addr()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let head = handshake(&node);
    let dripping = async {
        // The end of the head never comes.
        for byte in head[..head.len() - 4]
            .iter()
            .chain(std::iter::repeat(&b'x'))
        {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(PACE).await;
        }
    };
    let mut answer = Vec::new();
    let ended = async {
        tokio::select! {
            ended = reader.read_to_end(&mut answer) => drop(ended),
            () = dripping => {}
        }
    };
    timeout(HUNG, ended).await.expect("it is endured");
    assert!(!answer.starts_with(b"HTTP/1.1 101"));
    until("it is gone", || {
        node.app.metrics().http_connections.get() == 0
    })
    .await;
    is_served(&node).await;
}

#[tokio::test]
async fn a_hello_that_drips_in_is_closed_with_4001() {
    let node = node(|gateway| gateway.hello_timeout_ms = 200).await;
    let mut socket = RawSocket::open(&node, b"").await;
    let (code, messages) = drip(&mut socket, &text(&hello(&node, "ada"))[..40]).await;
    assert_eq!(code, 4001);
    assert_eq!(messages[0]["code"], "auth_timeout");
    is_served(&node).await;
}

#[tokio::test]
async fn a_message_that_drips_in_is_closed_with_4008() {
    for claims in [60_000, 100] {
        let node = node(|gateway| gateway.stalled_ms = 200).await;
        let mut socket = RawSocket::hello(&node, "ada").await;
        // A text frame that claims more than ever comes; or fragments that are never the last.
        let bytes = if claims > 125 {
            let mut frame = frame(0x81, &vec![b' '; claims]);
            frame.truncate(1_000);
            frame
        } else {
            socket.send(&frame(0x01, b" ")).await;
            frame(0x00, b" ")
        };
        let (code, _) = drip(&mut socket, &bytes).await;
        assert_eq!(code, 4008, "{claims}");
        is_served(&node).await;
    }
}

#[tokio::test]
async fn a_flood_of_what_costs_nothing_is_closed_with_4029() {
    let node = node(|gateway| gateway.outbox_bytes_max = 4 << 10).await;
    let floods = [
        frame(PING, &[b'x'; 125]),
        frame(PONG, &[b'x'; 125]),
        text(&json!({"t": "ping"})),
    ];
    for one in floods {
        let mut socket = RawSocket::hello(&node, "ada").await;
        socket.send(&one.repeat(2_000)).await;
        assert_eq!(socket.closed().await, 4029);
        is_served(&node).await;
    }
    // A stranger's too.
    let mut socket = RawSocket::open(&node, &frame(PING, b"").repeat(2_000)).await;
    assert_eq!(socket.closed().await, 4029);
    until("all are gone", || node.app.metrics().sockets.get() == 0).await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let node = node(|gateway| gateway.ping_ms = 1_000).await;
    let mut gone = RawSocket::hello(&node, "ada").await;
    let mut there = RawSocket::hello(&node, "bob").await;
    gone.message_of("delta").await;
    there.message_of("delta").await;
    let silent = async {
        assert_eq!(gone.frame().await, Some((PING, Vec::new())));
        assert_eq!(
            gone.frame().await,
            None,
            "a peer that is gone gets no goodbye"
        );
    };
    let alive = async {
        for _ in 0..3 {
            assert_eq!(there.frame().await, Some((PING, Vec::new())));
            there.send(&frame(PONG, b"")).await;
        }
    };
    tokio::join!(silent, alive);
    until("it has left", || node.app.metrics().sockets.get() == 1).await;
}
