//! Sockets that read slowly or not at all: what they cost, and what others notice of it.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, frame, handshake, hello, text};
use syncline_tests::socket::Socket;
use syncline_tests::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PONG: u8 = 0x8a;

/// Bytes of a change: so many that a few hundred are more than the kernel holds for a socket
/// whose reader does not read.
const CHANGE_BYTES: usize = 16 << 10;

async fn node(setup: impl FnOnce(&mut Setup)) -> TestNode {
    let mut config = Setup::default();
    config.config.gateway.outbox_bytes_max = 64 << 10;
    // How much one user may push is not what is looked at.
    config.config.limits.user_bytes_per_s = 1 << 30;
    setup(&mut config);
    TestNode::start_with(config).await
}

/// A device called raw, whose kernel takes little that it does not read.
async fn slow_reader(node: &TestNode) -> RawSocket {
    slow_reader_at(node).await.0
}

/// The same, with the port its connection has.
async fn slow_reader_at(node: &TestNode) -> (RawSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(node.app.public_addr()).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    let hello = text(&hello(node, "ada"));
    let mut reader = RawSocket::over(stream, node, &hello).await;
    reader.welcomed().await;
    reader.message_of("delta").await; // the end of its snapshot
    (reader, port)
}

/// A device that writes and reads everything it is told.
struct Writer {
    socket: Socket,
    m: u64,
    /// Up to where it was told everything.
    seq: u64,
}

impl Writer {
    async fn open(node: &TestNode) -> Writer {
        let (mut socket, _) = Socket::hello(node, "ada", json!({"client": "writer"})).await;
        let end = socket.message_of("delta").await;
        let seq = end["to"].as_u64().unwrap();
        Writer { socket, m: 0, seq }
    }

    /// Writes one large change and takes what comes until it is decided and told.
    async fn write(&mut self) {
        self.m += 1;
        let data = json!({"m": self.m, "x": "y".repeat(CHANGE_BYTES)});
        let change =
            json!({"table": "t", "id": format!("k{}", self.m % 10), "op": "insert", "data": data});
        let push = json!({"t": "push", "muts": [{"m": self.m, "changes": [change]}]});
        self.socket.send(&push).await;
        let (mut decided, head) = (false, self.seq + 1);
        while !decided || self.seq < head {
            let message = self.socket.message().await;
            match message["t"].as_str() {
                Some("verdicts") => {
                    assert_eq!(message["results"][0]["status"], "applied");
                    decided = true;
                }
                Some("delta") => {
                    assert_eq!(message["from"], self.seq);
                    self.seq = message["to"].as_u64().unwrap();
                }
                _ => {}
            }
        }
    }
}

/// A device that reads everything it is told, and counts it.
struct Counting {
    socket: RawSocket,
    deltas: u64,
    /// Of those deltas' frames.
    bytes: u64,
}

impl Counting {
    async fn open(node: &TestNode) -> Counting {
        let mut hello = hello(node, "ada");
        hello["client"] = json!("counting");
        let mut socket = RawSocket::open(node, &text(&hello)).await;
        socket.welcomed().await;
        socket.message_of("delta").await; // the end of its snapshot
        Counting {
            socket,
            deltas: 0,
            bytes: 0,
        }
    }

    /// Takes what must come next, the delta up to there.
    async fn is_told(&mut self, seq: u64) {
        let (_, payload) = self.socket.frame().await.unwrap();
        let delta: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!((&delta["t"], &delta["to"]), (&json!("delta"), &json!(seq)));
        self.deltas += 1;
        self.bytes += payload.len() as u64 + 4; // a head of 126 to 65,535 bytes of payload
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_costs_one_outbox_and_delays_nobody() {
    let node = node(|setup| {
        let gateway = &mut setup.config.gateway;
        // Of many changes, so that one more or less is no other outbox.
        gateway.outbox_bytes_max = 256 << 10;
        // Whoever waited for it would wait for longer than this takes.
        (gateway.ping_ms, gateway.stalled_ms) = (600_000, 600_000);
    })
    .await;
    let (reader, port) = slow_reader_at(&node).await;
    let mut other = Counting::open(&node).await;
    let mut writer = Writer::open(&node).await;
    let metrics = node.app.metrics();
    let handed = || (metrics.deltas.get(), metrics.delta_bytes.get());
    let (before, catch_ups) = (handed(), metrics.catch_ups.get());
    // What was handed to the reader: all but what the two others were told, which is the same.
    let to_reader = |other: &Counting| {
        let (deltas, bytes) = handed();
        (
            deltas - before.0 - 2 * other.deltas,
            bytes - before.1 - 2 * other.bytes,
        )
    };
    let mut costs = Vec::new();
    for _ in 0..2 {
        for _ in 0..500 {
            writer.write().await;
            other.is_told(writer.seq).await;
        }
        let (deltas, bytes) = to_reader(&other);
        let connection = Connection::between(node.app.public_addr().port(), port);
        assert!(connection.is_shut, "the reader's window is open");
        costs.push((deltas, bytes, connection.bytes));
    }
    assert_eq!((writer.seq, other.deltas), (1_000, 1_000));
    let caught_up = metrics.catch_ups.get() - catch_ups;
    assert_eq!(caught_up, 0, "nobody was told from the store");
    assert_eq!(metrics.resyncs.get(), 1);
    assert_eq!(costs[0], costs[1], "more is queued for who does not read");
    // What the kernel did not take is an outbox, and what was about to be written.
    let (_, bytes, in_kernel) = costs[0];
    let held = bytes - in_kernel;
    let (outbox, batch, change) = (256 << 10, 64 << 10, CHANGE_BYTES as u64 + 1_024);
    assert!(
        (outbox - change..=outbox + batch + change).contains(&held),
        "{held} bytes"
    );
    assert_eq!(metrics.sockets.get(), 3, "it was patient");
    drop(reader);
}

#[tokio::test]
async fn a_slow_reader_is_told_the_difference_from_the_store_and_misses_nothing() {
    let node = node(|_| {}).await;
    let mut reader = slow_reader(&node).await;
    let mut writer = Writer::open(&node).await;
    while node.app.metrics().resyncs.get() == 0 {
        writer.write().await;
    }
    for _ in 0..50 {
        writer.write().await;
    }
    let catch_ups = node.app.metrics().catch_ups.get();
    let (mut seq, mut shown) = (0, std::collections::BTreeMap::<String, Value>::new());
    while seq < writer.seq {
        let delta = reader.message_of("delta").await;
        assert_eq!(delta["from"], seq);
        seq = delta["to"].as_u64().unwrap();
        for change in delta["changes"].as_array().unwrap() {
            let id = change["id"].as_str().unwrap().to_owned();
            shown.insert(id, change["data"]["m"].clone());
        }
    }
    assert!(node.app.metrics().catch_ups.get() > catch_ups);
    let last = (writer.m - 9..=writer.m).map(|m| (format!("k{}", m % 10), json!(m)));
    assert_eq!(shown, last.collect());
    // It is live again.
    writer.write().await;
    assert_eq!(reader.message_of("delta").await["to"], writer.seq);
}

/// A space of 8 MiB, and a device that asks for it and has read nothing of it, with the port its
/// connection has.
async fn asks_for_much(node: &TestNode) -> (TcpStream, u16) {
    let value = "y".repeat(128 << 10);
    let changes: Vec<Value> = (0..64)
        .map(|n| json!({"table": "t", "id": n.to_string(), "op": "insert", "data": {"x": value}}))
        .collect();
    let push = json!({"client": "writer", "muts": [{"m": 1, "changes": changes}]});
    let request = reqwest::Client::new()
        .post(node.url("/v1/todo/push"))
        .bearer_auth(node.token("ada"));
    let answer = request.body(push.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(node.app.public_addr()).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    stream.write_all(&handshake(node)).await.unwrap();
    // It is idle at first, for longer than it may take nothing.
    tokio::time::sleep(STALLED * 3 / 2).await;
    stream.write_all(&text(&hello(node, "ada"))).await.unwrap();
    (stream, port)
}

const STALLED: Duration = Duration::from_millis(1_500);

async fn impatient() -> TestNode {
    node(|setup| {
        let gateway = &mut setup.config.gateway;
        gateway.stalled_ms = STALLED.as_millis() as u64;
    })
    .await
}

#[tokio::test]
async fn a_reader_that_is_slow_and_steady_is_not_taken_for_one_that_takes_nothing() {
    let node = impatient().await;
    let (mut stream, _) = asks_for_much(&node).await;
    let (mut read, mut bytes) = (0, vec![0; 8 << 10]);
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    // Longer than it takes to give a socket up and to say goodbye to it.
    while read < 6 << 18 {
        pace.tick().await;
        let more = stream.read(&mut bytes).await.unwrap();
        read += more;
        // What the kernel holds would still be read of one that is closed.
        let open = node.app.metrics().sockets.get();
        assert_eq!(open, 1, "closed when {read} bytes were read");
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_costs_the_kernel_little() {
    let node = impatient().await;
    let (_stream, port) = asks_for_much(&node).await;
    let most = Cell::new(0);
    until("it is closed", || {
        let connection = Connection::between(node.app.public_addr().port(), port);
        most.set(connection.unsent.max(most.get()));
        node.app.metrics().sockets.get() == 0
    })
    .await;
    let most = most.get();
    assert!((1..768 << 10).contains(&most), "{most} bytes");
}

/// What the kernel says of the way from one port of this machine to another.
#[derive(Default)]
struct Connection {
    /// Bytes that were written and have not arrived.
    unsent: u64,
    /// Those, and those that have arrived and were not read.
    bytes: u64,
    /// The reader takes nothing: all that is sent to it asks whether it takes something again.
    is_shut: bool,
}

impl Connection {
    /// The timer of a connection whose other end has no room, in `/proc/net/tcp`.
    const PROBING: &str = "04:";

    fn between(from: u16, to: u16) -> Connection {
        let ends = [format!(":{from:04X}"), format!(":{to:04X}")];
        let mut found = Connection::default();
        for line in std::fs::read_to_string("/proc/net/tcp").unwrap().lines() {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let bytes = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
            let queues = columns[4].split_once(':').unwrap_or_default();
            if columns[1].ends_with(&ends[0]) && columns[2].ends_with(&ends[1]) {
                found.unsent += bytes(queues.0);
                found.bytes += bytes(queues.0);
                found.is_shut = columns[5].starts_with(Self::PROBING);
            }
            if columns[1].ends_with(&ends[1]) && columns[2].ends_with(&ends[0]) {
                found.bytes += bytes(queues.1);
            }
        }
        found
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_for_too_long_is_closed_with_4008() {
    let node = node(|setup| {
        let gateway = &mut setup.config.gateway;
        // As by default, one is as long as the other.
        (gateway.ping_ms, gateway.stalled_ms) = (2_000, 2_000);
    })
    .await;
    let mut reader = slow_reader(&node).await;
    // The others learn of its end by this.
    reader
        .send(&text(&json!({"t": "presence", "state": {}})))
        .await;
    let mut writer = Writer::open(&node).await;
    while node.app.metrics().resyncs.get() == 0 {
        writer.write().await;
        // It lives, it only does not read.
        if writer.m % 50 == 0 {
            reader.send(&frame(PONG, b"")).await;
        }
    }
    let gone = async {
        loop {
            let told = writer.socket.message_of("presence").await;
            if told["state"] == json!(null) {
                return told;
            }
        }
    };
    let alive = async {
        loop {
            reader.send(&frame(PONG, b"")).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let gone = tokio::select! {
        gone = gone => gone,
        () = alive => unreachable!("it never stops"),
    };
    assert_eq!(gone["client"], "raw");
    assert_eq!(reader.closed().await, 4008);
    drop((reader, writer));
    until("both have left", || node.app.metrics().sockets.get() == 0).await;
}
