//! TLS ended by the hub itself.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use syncline_tests::certificate::{ONE, OTHER, SelfSigned};
use syncline_tests::hub_process::HubProcess;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::{HUNG, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Certificate and key in files.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new(pair: &SelfSigned) -> Files {
        let dir = tempfile::tempdir().unwrap();
        let files = Files { dir };
        files.write(pair);
        files
    }

    fn write(&self, pair: &SelfSigned) {
        fs::write(self.cert(), pair.cert).unwrap();
        fs::write(self.key(), pair.key).unwrap();
    }

    fn cert(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }
}

async fn node(files: &Files, header_timeout_ms: u64) -> TestNode {
    let mut setup = Setup::default();
    setup.config.tls.cert = Some(files.cert());
    setup.config.tls.key = Some(files.key());
    setup.config.gateway.header_timeout_ms = header_timeout_ms;
    setup.config.session.idle_ms = 20;
    TestNode::start_with(setup).await
}

/// A client that trusts only this certificate.
fn http(pair: &SelfSigned) -> Client {
    let cert = Certificate::from_pem(pair.cert.as_bytes()).unwrap();
    Client::builder()
        .no_proxy()
        .tls_certs_only([cert])
        .build()
        .unwrap()
}

fn url(node: &TestNode, path: &str) -> String {
    format!("https://{}{path}", node.app.public_addr())
}

#[tokio::test]
async fn the_newest_tls_and_http_are_spoken_and_a_device_that_comes_back_resumes() {
    let node = node(&Files::new(&ONE), 15_000).await;
    let connector = ONE.connector_offering(&[b"h2", b"http/1.1"]);
    for handshake in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = TcpStream::connect(node.app.public_addr()).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        // The ticket to come back with comes behind the handshake.
        let request = b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        let (_, tls) = stream.get_ref();
        assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(tls.handshake_kind(), Some(handshake));
    }
}

async fn connect(node: &TestNode) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(node.app.public_addr()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    ONE.connector().connect(name, stream).await.unwrap()
}

/// The next message of a type; others are passed over.
async fn message_of(socket: &mut WebSocketStream<TlsStream<TcpStream>>, t: &str) -> Value {
    use futures_util::StreamExt;
    loop {
        let next = timeout(HUNG, socket.next()).await.expect("it hangs");
        if let Some(Ok(Message::Text(text))) = next {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["t"] == t {
                return message;
            }
        }
    }
}

async fn send(socket: &mut WebSocketStream<TlsStream<TcpStream>>, message: Value) {
    use futures_util::SinkExt;
    socket
        .send(Message::text(message.to_string()))
        .await
        .unwrap();
}

#[tokio::test]
async fn http_and_sockets_are_served_over_tls() {
    let node = node(&Files::new(&ONE), 15_000).await;
    let (http, token) = (http(&ONE), node.token("ada"));
    let ready = http.get(url(&node, "/ready")).send().await.unwrap();
    assert_eq!(ready.status(), 200);

    let request = format!("wss://localhost:{}/v1/ws", node.app.public_addr().port());
    let (mut socket, _) = tokio_tungstenite::client_async(request, connect(&node).await)
        .await
        .unwrap();
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "phone", "token": token,
        "cursor": null});
    send(&mut socket, hello).await;
    message_of(&mut socket, "welcome").await;
    message_of(&mut socket, "delta").await;
    until("the session sleeps", || {
        node.app.metrics().sessions_asleep.get() == 1
    })
    .await;

    // One change so long that it is many records of TLS, one of another device.
    let change = |id: &str, text: &str| json!([{"table": "t", "id": id, "op": "insert", "data": {"x": text}}]);
    let long = "y".repeat(200_000);
    send(
        &mut socket,
        json!({"t": "push", "muts": [{"m": 1, "changes": change("k1", &long)}]}),
    )
    .await;
    let delta = message_of(&mut socket, "delta").await;
    assert_eq!(delta["changes"][0]["data"]["x"], long);
    let body = json!({"client": "laptop", "muts": [{"m": 1, "changes": change("k2", "")}]});
    let pushed = http.post(url(&node, "/v1/todo/push")).bearer_auth(&token);
    assert_eq!(
        pushed.body(body.to_string()).send().await.unwrap().status(),
        200
    );
    assert_eq!(
        message_of(&mut socket, "delta").await["changes"][0]["id"],
        "k2"
    );

    socket.close(None).await.unwrap();
    drop(http);
    until("all are gone", || {
        let metrics = node.app.metrics();
        (metrics.sockets.get(), metrics.http_connections.get()) == (0, 0)
    })
    .await;
    node.app.shutdown().await;
}

/// A device whose kernel takes little that it does not read.
async fn slow_reader(node: &TestNode, user: &str) -> WebSocketStream<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(node.app.public_addr()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = ONE.connector().connect(name, stream).await.unwrap();
    let request = format!("wss://localhost:{}/v1/ws", node.app.public_addr().port());
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "reader",
        "token": node.token(user), "cursor": null});
    send(&mut socket, hello).await;
    message_of(&mut socket, "delta").await; // the end of its snapshot
    socket
}

/// A node whose sockets may take nothing for so long. No ping comes to the help of what is held
/// back.
async fn node_without_pings(stalled_ms: u64) -> TestNode {
    let files = Files::new(&ONE);
    let mut setup = Setup::default();
    setup.config.tls.cert = Some(files.cert());
    setup.config.tls.key = Some(files.key());
    let gateway = &mut setup.config.gateway;
    (gateway.ping_ms, gateway.stalled_ms) = (600_000, stalled_ms);
    TestNode::start_with(setup).await
}

/// Another device of a user writes so many bytes.
async fn write(node: &TestNode, user: &str, length: usize) {
    let data = json!({"x": "y".repeat(length)});
    let change = json!({"table": "t", "id": "k", "op": "insert", "data": data});
    let body = json!({"client": "writer", "muts": [{"m": 1, "changes": [change]}]});
    let pushed = http(&ONE).post(url(node, "/v1/todo/push"));
    let pushed = pushed.bearer_auth(node.token(user)).body(body.to_string());
    assert_eq!(pushed.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_tls_has_taken_and_the_kernel_has_not_is_sent_when_there_is_room() {
    let node = node_without_pings(600_000).await;
    let mut readers = Vec::new();
    // Of one of these lengths the kernel takes a part, and TLS holds all the rest.
    for length in (2..10).map(|n| n * (24 << 10)) {
        let user = format!("u{length}");
        let reader = slow_reader(&node, &user).await;
        write(&node, &user, length).await;
        readers.push((reader, length));
    }
    for (mut reader, length) in readers {
        let delta = message_of(&mut reader, "delta").await;
        let text = delta["changes"][0]["data"]["x"].as_str().unwrap();
        assert_eq!(text.len(), length);
    }
}

#[tokio::test]
async fn what_the_kernel_takes_of_it_little_by_little_is_something() {
    // The kernel takes more when a third of its room is free, which is some 27 KB.
    let node = node_without_pings(5_000).await;
    let mut reader = slow_reader(&node, "ada").await;
    write(&node, "ada", 136 << 10).await;
    let (mut read, mut bytes) = (0, vec![0; 4 << 10]);
    // More than those five seconds for what TLS holds.
    let mut pace = tokio::time::interval(Duration::from_millis(375));
    while read < 136 << 10 {
        pace.tick().await;
        let more = timeout(HUNG, reader.get_mut().read(&mut bytes)).await;
        read += more.expect("it hangs").unwrap();
        let open = node.app.metrics().sockets.get();
        assert_eq!(open, 1, "closed when {read} bytes were read");
    }
}

#[tokio::test]
async fn what_tls_alone_holds_is_nothing_that_was_taken() {
    let node = node_without_pings(500).await;
    let _reader = slow_reader(&node, "ada").await;
    // The kernel takes some 80 KiB of it, TLS the rest.
    write(&node, "ada", 120 << 10).await;
    until("it is closed", || node.app.metrics().sockets.get() == 0).await;
}

#[tokio::test]
async fn a_plain_or_silent_client_is_refused_without_harm() {
    let node = node(&Files::new(&ONE), 200).await;
    for said in [
        &b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        &[0xff; 1_000],
        b"\x16\x03\x01",
        b"",
    ] {
        let mut stream = TcpStream::connect(node.app.public_addr()).await.unwrap();
        // It may have closed already.
        let _ = stream.write_all(said).await;
        let mut answer = Vec::new();
        let read = timeout(HUNG, stream.read_to_end(&mut answer))
            .await
            .expect("it is endured");
        drop(read);
        assert!(!answer.starts_with(b"HTTP"), "{said:?}");
        assert!(answer.len() < 100, "at most an alert");
    }
    until("all are gone", || {
        node.app.metrics().http_connections.get() == 0
    })
    .await;
    let ready = http(&ONE).get(url(&node, "/ready")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
}

#[tokio::test]
async fn the_admin_listener_stays_plain() {
    let node = node(&Files::new(&ONE), 15_000).await;
    let health = format!("http://{}/health", node.app.admin_addr());
    assert_eq!(reqwest::get(health).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_certificate_read_again_is_shown_to_those_who_come_then() {
    let files = Files::new(&ONE);
    let node = node(&files, 15_000).await;
    let (before, after) = (http(&ONE), http(&OTHER));
    let get = async |client: &Client| client.get(url(&node, "/ready")).send().await.is_ok();
    assert!(get(&before).await);
    assert!(!get(&after).await, "a certificate it does not trust");
    let tls = node.app.tls().unwrap();
    fs::write(files.key(), OTHER.key).unwrap();
    assert!(tls.reload().is_err(), "the key is not the certificate's");
    assert!(get(&http(&ONE)).await, "what was read before stays");
    files.write(&OTHER);
    tls.reload().unwrap();
    assert!(get(&after).await);
    assert!(get(&before).await, "open connections go on");
}

#[tokio::test]
async fn a_hangup_has_the_certificate_read_again() {
    let files = Files::new(&ONE);
    let dir = tempfile::tempdir().unwrap();
    let mut command = crate::process::hub(dir.path(), &["serve", "--dev"]);
    command
        .env("HUB__TLS__CERT", files.cert())
        .env("HUB__TLS__KEY", files.key());
    let node = HubProcess::start(command);
    let url = format!("https://{}/ready", node.public);
    let is_shown = async |pair: &SelfSigned| http(pair).get(&url).send().await.is_ok();
    assert!(is_shown(&ONE).await);
    files.write(&OTHER);
    node.signal("HUP");
    let read_again = async {
        while !is_shown(&OTHER).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(HUNG, read_again)
        .await
        .expect("it shows the one of before");
    assert_eq!(node.end("TERM").0, Some(0));
}

#[test]
fn what_is_wrong_with_the_files_is_said_at_the_key_that_names_them() {
    let files = Files::new(&ONE);
    let (cert, key) = (files.cert(), files.key());
    let at = |name: &str, text: &str| {
        let path = files.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (none, text) = (files.dir.path().join("none"), at("text", "no PEM"));
    let torn = at("torn", &ONE.cert[..200]);
    let other = at("other", OTHER.key);
    let (cert, key) = (Some(&cert), Some(&key));
    for (cert, key, of, why) in [
        (cert, None, "tls.key", "is not set"),
        (None, key, "tls.cert", "is not set"),
        (Some(&none), key, "tls.cert", "No such file"),
        (cert, Some(&none), "tls.key", "No such file"),
        (Some(&text), key, "tls.cert", "holds no certificate"),
        (Some(&torn), key, "tls.cert", "is no PEM"),
        (cert, Some(&text), "tls.key", "holds no private key"),
        (
            cert,
            Some(&other),
            "tls.key",
            "is not the key of the certificate",
        ),
    ] {
        let mut config = Setup::default().config;
        (config.tls.cert, config.tls.key) = (cert.cloned(), key.cloned());
        let refused = config
            .validate()
            .expect_err("it cannot be used")
            .to_string();
        let line = refused.lines().find(|line| line.contains(of));
        assert!(
            line.is_some_and(|line| line.contains(why)),
            "{why}: {refused}"
        );
    }
}
