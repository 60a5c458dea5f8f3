//! Replies nobody reads: how long they are held, and how much of them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use syncline_protocol::compat::cursor::FOREIGN;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::{HUNG, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// The records of the space: together more than the kernel holds for who does not read.
const RECORDS: usize = 40;
const RECORD_BYTES: usize = 200 << 10;
const RECORDS_AT_ONCE: usize = 5;

/// A node whose user ada has a reply of 8 MB to ask for.
async fn node(setup: impl FnOnce(&mut Setup)) -> TestNode {
    let mut config = Setup::default();
    setup(&mut config);
    let node = TestNode::start_with(config).await;
    fill(&node, "ada").await;
    node
}

/// Gives a user a reply of 8 MB to ask for.
async fn fill(node: &TestNode, user: &str) {
    let mut phone = CompatDevice::new(node, user, "phone");
    // With a cursor and in parts, so that its own replies need little room.
    phone.sync().await;
    for i in 0..RECORDS {
        let data = json!({"x": "y".repeat(RECORD_BYTES)});
        phone.insert(
            ("tasks", &format!("k{i}")),
            &data,
            "2026-01-01T10:00:00.000Z",
        );
        if (i + 1) % RECORDS_AT_ONCE == 0 {
            assert_eq!(phone.push().await, 200);
        }
    }
}

/// Asks for all of a user's tasks and reads nothing. Resolves when the answer has begun.
async fn ask(node: &TestNode, user: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(node.app.public_addr()).await.unwrap();
    let token = node.token(user);
    let request = format!(
        "GET /sync/todo/pull?collection=tasks&since=1970-01-01T00:00:00.000Z HTTP/1.1\r\n\
         host: x\r\nx-client-id: {user}\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(HUNG, stream.readable())
        .await
        .expect("an answer")
        .unwrap();
    stream
}

/// The head of an answer that has begun.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_reply_of_which_nothing_is_taken_for_too_long_is_cut_off() {
    let node = node(|setup| setup.config.gateway.stalled_ms = 200).await;
    let mut stream = ask(&node, "ada").await;
    until("it is cut off", || {
        node.app.metrics().http_connections.get() == 0
    })
    .await;
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.len() < RECORDS * RECORD_BYTES);
}

#[tokio::test]
async fn a_reply_that_is_taken_slowly_is_whole() {
    let node = node(|setup| setup.config.gateway.stalled_ms = 200).await;
    let mut stream = ask(&node, "ada").await;
    let head = head(&mut stream).await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.unwrap().parse().unwrap();
    let mut read = vec![0; length];
    // Ten pauses: together far longer than one of them may be.
    for part in read.chunks_mut(length / 10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.read_exact(part).await.unwrap();
    }
    assert!(read.ends_with(b"\"}"));
}

#[tokio::test]
async fn a_node_that_stops_does_not_wait_for_who_reads_nothing() {
    let node = node(|setup| setup.config.drain_s = 3_600).await;
    let stream = ask(&node, "ada").await;
    let stopped = timeout(HUNG, node.app.shutdown()).await;
    assert!(stopped.is_ok(), "it waits");
    drop(stream);
}

/// The status of an answer that has begun.
async fn status(stream: &mut TcpStream) -> u16 {
    let head = head(stream).await;
    let status = head.split(' ').nth(1).map(str::parse);
    status.expect("a status").expect("a number")
}

#[tokio::test]
async fn who_reads_nothing_holds_up_itself_and_not_others() {
    // A share is 8 MiB: one reply.
    let node = node(|setup| setup.config.gateway.replies_bytes_max = 64 << 20).await;
    fill(&node, "eve").await;
    let mut first = ask(&node, "ada").await;
    assert_eq!(status(&mut first).await, 200);
    // Ten more at once, more than the room holds.
    let more = join_all((0..10).map(|_| ask(&node, "ada"))).await;
    for mut refused in more {
        let refused = head(&mut refused).await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("retry-after: 1"), "{refused}");
    }
    let mut other = ask(&node, "eve").await;
    assert_eq!(status(&mut other).await, 200);
    // Who goes gives its room back.
    drop(first);
    let served = async { while status(&mut ask(&node, "ada").await).await != 200 {} };
    timeout(HUNG, served).await.expect("room is given back");
}

#[tokio::test]
async fn a_changeset_is_answered_though_what_its_device_lacks_is_more_than_a_reply_holds() {
    let node = node(|setup| setup.config.gateway.replies_bytes_max = 16 << 20).await;
    let (at, later) = ("2026-01-01T10:00:00.000Z", "2026-01-01T10:00:01.000Z");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    laptop.insert(("labels", "k"), &json!({"title": "a"}), later);
    assert_eq!(laptop.push().await, 200);
    assert_eq!(laptop.cursor("labels"), FOREIGN);
    let mut tablet = CompatDevice::new(&node, "ada", "tablet");
    tablet.insert(("labels", "k"), &json!({"color": "red"}), at);
    tablet.insert(("labels", "l"), &json!({}), at);
    assert_eq!(tablet.push().await, 200);
    // It is told who won over what it sent, and goes on table by table.
    assert_eq!(tablet.field(("labels", "k"), "title"), Some(json!("a")));
    assert_eq!(tablet.pull("labels").await, 200);
    assert_eq!(laptop.pull("labels").await, 200);
    assert_eq!(laptop.shows(), tablet.shows());
    assert_eq!(laptop.shows().len(), 2);
}

#[tokio::test]
async fn a_changeset_that_is_answered_alone_hides_no_table_the_device_has_not_pulled() {
    // Each table fits into a reply, both do not.
    for cursor in ["2026-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"] {
        let node = node(|setup| setup.config.gateway.replies_bytes_max = 32 << 20).await;
        let at = "2026-01-01T10:00:00.000Z";
        let mut laptop = CompatDevice::new(&node, "ada", "laptop");
        for i in 0..RECORDS_AT_ONCE {
            let data = json!({"x": "z".repeat(RECORD_BYTES)});
            laptop.insert(("labels", &format!("l{i}")), &data, at);
        }
        assert_eq!(laptop.push().await, 200);
        let mut tablet = CompatDevice::new(&node, "ada", "tablet");
        tablet.set_cursors(cursor);
        assert_eq!(tablet.pull("labels").await, 200);
        tablet.insert(("labels", "own"), &json!({"title": "a"}), at);
        assert_eq!(tablet.push().await, 200);
        assert_eq!(
            tablet.shows().len(),
            RECORDS_AT_ONCE + 1,
            "nothing of tasks"
        );
        for device in [&mut tablet, &mut laptop] {
            assert_eq!(device.pull("tasks").await, 200);
            assert_eq!(device.pull("labels").await, 200);
        }
        assert_eq!(tablet.shows().len(), RECORDS + RECORDS_AT_ONCE + 1);
        assert!(tablet.shows() == laptop.shows());
    }
}

#[tokio::test]
async fn a_reply_larger_than_half_of_the_room_is_refused_and_holds_none_of_it() {
    let node = node(|setup| setup.config.gateway.replies_bytes_max = 16 << 20).await;
    let mut large = ask(&node, "ada").await;
    assert_eq!(status(&mut large).await, 503);
    let mut phone = CompatDevice::new(&node, "eve", "phone");
    let one = json!({"title": "a"});
    phone.insert(("tasks", "k"), &one, "2026-01-01T10:00:00.000Z");
    assert_eq!(phone.push().await, 200);
}
