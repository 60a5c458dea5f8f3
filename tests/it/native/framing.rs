//! WebSocket framing on the native route: what is taken, and what closes with which code.

use serde_json::{Value, json};
use syncline_tests::node::TestNode;
use syncline_tests::raw_socket::{RawSocket, frame, hello, text};
use syncline_tests::socket::Socket;

const PING: &str = r#"{"t":"ping"}"#;

fn push() -> Value {
    let change = json!({"table": "tasks", "id": "k1", "op": "insert", "data": {"n": 1}});
    json!({"t": "push", "muts": [{"m": 1, "changes": [change]}]})
}

/// The space's last commit.
async fn head(node: &TestNode) -> Value {
    let (_socket, welcome) = Socket::hello(node, "ada", json!({"client": "other"})).await;
    welcome["head"].clone()
}

#[tokio::test]
async fn frames_glued_to_the_handshake_are_read() {
    let node = TestNode::start().await;
    let glued = [text(&hello(&node, "ada")), text(&push())].concat();
    let mut socket = RawSocket::open(&node, &glued).await;
    assert_eq!(socket.message().await["t"], "welcome");
    socket.message_of("verdicts").await;
}

#[tokio::test]
async fn segments_of_one_byte_are_read() {
    let node = TestNode::start().await;
    let mut socket = RawSocket::open(&node, b"").await;
    for byte in text(&hello(&node, "ada")) {
        socket.send(&[byte]).await;
    }
    assert_eq!(socket.message().await["t"], "welcome");
}

#[tokio::test]
async fn a_message_may_come_in_fragments_with_a_ping_between_them() {
    let node = TestNode::start().await;
    let mut socket = RawSocket::open(&node, b"").await;
    let message = r#"{"t":"ping","x":"é"}"#.as_bytes();
    let inside_a_character = message.len() - 3;
    let (start, rest) = message.split_at(inside_a_character);
    let fragments = [frame(0x01, start), frame(0x89, b"?"), frame(0x80, rest)];
    socket.send(&fragments.concat()).await;
    assert_eq!(socket.frame().await, Some((0x8a, b"?".to_vec())));
    assert_eq!(socket.message().await["t"], "pong");
}

#[tokio::test]
async fn what_breaks_a_rule_closes_with_the_code_of_the_rule() {
    let node = TestNode::start().await;
    let long_claim = [&[0x82, 0xff, 0x80], &[0; 7][..]].concat();
    let broken: [(&str, Vec<u8>, u16); 14] = [
        ("not masked", vec![0x81, 1, b'x'], 1002),
        ("reserved bit", frame(0xc1, b"x"), 1002),
        ("reserved opcode", frame(0x83, b"x"), 1002),
        ("long control frame", frame(0x89, &[0; 126]), 1002),
        ("control frame in fragments", frame(0x09, b""), 1002),
        ("continuation of nothing", frame(0x80, b"x"), 1002),
        (
            "message inside a message",
            [frame(0x01, b"x"), frame(0x81, b"x")].concat(),
            1002,
        ),
        ("length not the shortest", vec![0x81, 0xfe, 0, 1], 1002),
        ("length of 2^63", long_claim, 1002),
        (
            "length over the limit",
            vec![0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0],
            1009,
        ),
        ("text not UTF-8", frame(0x81, &[0xff]), 1007),
        (
            "text that cannot become UTF-8",
            frame(0x01, &[0xed, 0xa0]),
            1007,
        ),
        ("close code cut short", frame(0x88, &[3]), 1002),
        ("close code of no frame", frame(0x88, &[3, 0xed]), 1002),
    ];
    for (rule, bytes, code) in broken {
        let mut socket = RawSocket::hello(&node, "ada").await;
        socket.send(&[bytes, text(&push())].concat()).await;
        assert_eq!(socket.closed().await, code, "{rule}");
    }
    assert_eq!(head(&node).await, 0, "nothing behind a violation is read");
}

/// A message in so many frames.
fn in_frames(message: &Value, count: usize) -> Vec<u8> {
    let message = message.to_string();
    let mut frames = frame(0x01, message.as_bytes());
    for _ in 0..count - 2 {
        frames.extend(frame(0x00, b""));
    }
    frames.extend(frame(0x80, b""));
    frames
}

#[tokio::test]
async fn a_message_has_frames_up_to_the_limit_and_not_one_past_it() {
    let node = TestNode::start().await;
    let hello = hello(&node, "ada");
    let mut socket = RawSocket::open(&node, &in_frames(&hello, 16)).await;
    socket.welcomed().await;
    let ping = serde_json::from_str(PING).unwrap();
    socket.send(&in_frames(&ping, 1_024)).await;
    socket.message_of("pong").await;
    socket.send(&in_frames(&ping, 1_025)).await;
    assert_eq!(socket.closed().await, 1009);
    let mut stranger = RawSocket::open(&node, &in_frames(&hello, 17)).await;
    assert_eq!(stranger.closed().await, 1009);
}

#[tokio::test]
async fn nothing_behind_a_close_frame_is_read() {
    let node = TestNode::start().await;
    let mut socket = RawSocket::hello(&node, "ada").await;
    let ping = frame(0x81, PING.as_bytes());
    let close = frame(0x88, &1000u16.to_be_bytes());
    socket.send(&[ping, close, text(&push())].concat()).await;
    socket.message_of("pong").await;
    socket.send(&text(&push())).await;
    assert_eq!(socket.closed().await, 1000);
    assert_eq!(head(&node).await, 0);
}
