use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::Value;
use syncline_protocol::error::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::watched::LeastRate;
use super::*;
use crate::config::GatewayConfig;
use crate::lifecycle::{Lifecycle, Stage};
use crate::telemetry::labels::{Route, StatusClass};
use crate::telemetry::{Metrics, Traces};

/// How long a test waits for what must come.
const HUNG: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    lifecycle: Arc<Lifecycle>,
    metrics: Arc<Metrics>,
    serving: JoinHandle<()>,
}

fn start(router: Router, config: &GatewayConfig) -> Served {
    start_within(router, config, ServerLimits::from(config))
}

fn start_within(router: Router, config: &GatewayConfig, limits: ServerLimits) -> Served {
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let lifecycle = Arc::new(Lifecycle::starting());
    let metrics = Arc::new(Metrics::new());
    let room = Shares::new(config.bodies_bytes_max as usize, config.body_share());
    let serving = tokio::spawn(serve(Server {
        tls: None,
        listener,
        router: guarded(
            router,
            (config, room),
            (metrics.clone(), Traces::default(), None),
        ),
        limits,
        lifecycle: lifecycle.clone(),
        metrics: metrics.clone(),
    }));
    Served {
        address,
        lifecycle,
        metrics,
        serving,
    }
}

fn echo() -> Router {
    Router::new()
        .route(
            "/echo",
            post(async |body: RawBody| body.read("ada").await.map(|read| read.bytes)),
        )
        .route(
            "/panic",
            get(async || -> &'static str { panic!("a secret") }),
        )
}

fn small() -> GatewayConfig {
    GatewayConfig {
        body_bytes_max: 1_024,
        ..GatewayConfig::default()
    }
}

impl Served {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends raw text and reads to the connection's end.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}

/// The status and the `code` of a JSON error.
async fn refusal(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = response.json().await.unwrap();
    assert!(
        body["message"].is_string() && body["retry"].is_string(),
        "{body}"
    );
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn unknown_route_and_method_are_answered_in_json() {
    let served = start(echo(), &small());
    let http = client();
    let unknown = http.get(served.url("/nowhere")).send().await.unwrap();
    assert_eq!(refusal(unknown).await, (404, "not_found".into()));
    let method = http.get(served.url("/echo")).send().await.unwrap();
    assert_eq!(method.headers()["allow"], "POST");
    assert_eq!(refusal(method).await, (405, "method_not_allowed".into()));
    let counted = &served.metrics.http_requests;
    assert_eq!(counted.get(Route::Other, StatusClass::ClientError), 2);
}

#[tokio::test]
async fn fault_of_a_handler_is_a_500_that_tells_nothing_and_the_node_goes_on() {
    let served = start(echo(), &small());
    let http = client();
    let fault = http.get(served.url("/panic")).send().await.unwrap();
    let text = fault.text().await.unwrap();
    assert!(
        text.contains("\"internal\"") && !text.contains("secret"),
        "{text}"
    );
    assert_eq!(served.metrics.handler_panics.get(), 1);
    let after = http.post(served.url("/echo")).body("x").send().await;
    assert_eq!(after.unwrap().text().await.unwrap(), "x");
}

#[tokio::test]
async fn body_is_taken_at_its_limit_and_refused_one_past() {
    let served = start(echo(), &small());
    let http = client();
    let post = |bytes: usize| {
        http.post(served.url("/echo"))
            .body(vec![b'x'; bytes])
            .send()
    };
    assert_eq!(
        post(1_024).await.unwrap().bytes().await.unwrap().len(),
        1_024
    );
    assert_eq!(
        refusal(post(1_025).await.unwrap()).await,
        (413, "body_too_large".into())
    );
}

#[tokio::test]
async fn default_body_limit_is_10_mib() {
    let served = start(echo(), &GatewayConfig::default());
    let http = client();
    let post = |bytes: usize| {
        http.post(served.url("/echo"))
            .body(vec![b'x'; bytes])
            .send()
    };
    assert_eq!(post(10 << 20).await.unwrap().status(), 200);
    assert_eq!(refusal(post((10 << 20) + 1).await.unwrap()).await.0, 413);
}

#[tokio::test]
async fn body_without_a_length_is_counted_as_it_comes() {
    let served = start(echo(), &small());
    let chunk = format!("201\r\n{}\r\n", "x".repeat(0x201));
    let head =
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = served.raw(&format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = served.raw(&format!("{head}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn client_that_asks_first_is_refused_before_it_sends() {
    let served = start(echo(), &small());
    let head =
        "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9999\r\n\r\n";
    let answer = served.raw(head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn body_cut_off_is_no_request() {
    let served = start(echo(), &small());
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // Whether the refusal still arrives is the connection's matter; a 200 must not.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn head_must_come_in_time() {
    let config = GatewayConfig {
        header_timeout_ms: 100,
        ..small()
    };
    let served = start(echo(), &config);
    let answer = served.raw("POST /echo HTTP/1.1\r\nhost: x\r\n").await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn body_must_come_in_time() {
    let config = GatewayConfig {
        body_timeout_ms: 100,
        ..small()
    };
    let served = start(echo(), &config);
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\n";
    let answer = served.raw(&format!("{head}ab")).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
}

/// A long queue over a slow line: it has its time for what came, and no more for what does not.
#[tokio::test(start_paused = true)]
async fn a_body_that_keeps_coming_has_the_time_of_a_slow_line() {
    let read = async |pieces: u64| {
        let pieces = futures_util::stream::unfold(0, move |at| async move {
            if at == pieces {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let piece = Bytes::from_static(&[b'x'; 5 << 10]);
            (at < 60).then_some((Ok::<_, std::io::Error>(piece), at + 1))
        });
        let request = Request::new(Body::from_stream(pieces));
        let body = RawBody::from_request(request, &()).await.unwrap();
        let read = body.read("ada").await;
        read.map(|read| read.bytes.len())
    };
    // Twice the time that a body has which does not come.
    assert_eq!(read(u64::MAX).await, Ok(60 * (5 << 10)));
    let late = read(50).await.unwrap_err();
    assert_eq!(late.0.code, Code::Slow);
}

/// A route that refuses without looking at the body, and one that holds a body until told.
fn picky(go_on: &Arc<Notify>) -> Router {
    let refuse = async |body: RawBody| {
        body.refuse();
        HttpError::new(Code::TokenInvalid, "no bearer token")
    };
    let go_on = go_on.clone();
    let hold = async move |body: RawBody| {
        let read = body.read("ada").await?;
        go_on.notified().await;
        Ok::<_, HttpError>(read.bytes)
    };
    echo()
        .route("/refuse", post(refuse))
        .route("/hold", post(hold))
}

#[tokio::test]
async fn a_body_of_a_stranger_is_refused_before_it_comes() {
    let served = start(picky(&Arc::default()), &GatewayConfig::default());
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    // One that sends first and reads then sees the refusal too.
    let sent = client()
        .post(served.url("/refuse"))
        .body(vec![b'x'; 9 << 20])
        .send();
    assert_eq!(refusal(sent.await.unwrap()).await.0, 401);
}

#[tokio::test]
async fn bodies_share_a_room_and_what_finds_none_is_told_to_wait() {
    let go_on = Arc::new(Notify::new());
    let config = GatewayConfig {
        bodies_bytes_max: 4_096,
        body_bytes_max: 4_096,
        body_timeout_ms: 100,
        ..GatewayConfig::default()
    };
    let served = start(picky(&go_on), &config);
    let http = client();
    let post = |path: &str, bytes: usize| {
        let body = vec![b'x'; bytes];
        http.post(served.url(path)).body(body).send()
    };
    let held = tokio::spawn(post("/hold", 3_072));
    // At the limit there is room, one byte past it there is none.
    let past = async {
        loop {
            let past = post("/echo", 1_025).await.unwrap();
            if past.status() == 429 {
                break past;
            }
        }
    };
    let past = tokio::time::timeout(HUNG, past)
        .await
        .expect("there is room");
    assert_eq!(past.headers()["retry-after"], "1");
    assert_eq!(refusal(past).await, (429, "slow".into()));
    assert_eq!(post("/echo", 1_024).await.unwrap().status(), 200);
    go_on.notify_one();
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    assert_eq!(post("/echo", 4_096).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_without_a_length_shares_the_room_too() {
    let go_on = Arc::new(Notify::new());
    let config = GatewayConfig {
        bodies_bytes_max: 2_048,
        body_bytes_max: 2_048,
        body_timeout_ms: 100,
        ..GatewayConfig::default()
    };
    let served = start(picky(&go_on), &config);
    let held = tokio::spawn(
        client()
            .post(served.url("/hold"))
            .body(vec![0; 1_024])
            .send(),
    );
    let head =
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("300\r\n{}\r\n", "x".repeat(0x300));
    let past = async {
        let two = format!("{head}{chunk}{chunk}0\r\n\r\n");
        while !served.raw(&two).await.starts_with("HTTP/1.1 429 ") {}
    };
    tokio::time::timeout(HUNG, past)
        .await
        .expect("there is room");
    let answer = served.raw(&format!("{head}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    go_on.notify_one();
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn peer_is_known_to_handlers() {
    let shown = async |request: Request| {
        let Peer(peer) = request.extensions().get().unwrap();
        Ok::<_, Infallible>(Bytes::from(peer.ip().to_string()))
    };
    let served = start(Router::new().route("/peer", get(shown)), &small());
    let peer = client().get(served.url("/peer")).send().await.unwrap();
    assert_eq!(peer.text().await.unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn connection_past_the_limit_is_closed_and_others_are_served() {
    let config = GatewayConfig {
        connections_max: 1,
        ..small()
    };
    let served = start(echo(), &config);
    let mut first = TcpStream::connect(served.address).await.unwrap();
    let request = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1";
    first.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(served.address).await.unwrap();
    let closed = second.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    first.write_all(request).await.unwrap();
    first.read_exact(&mut answer).await.unwrap();
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() {
    let config = GatewayConfig {
        connections_max: 8,
        ..small()
    };
    let served = start(echo(), &config);
    let from = |host: u8| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, host], 0).into()).unwrap();
        socket.connect(served.address).await.unwrap()
    };
    let mut silent = Vec::new();
    for _ in 0..9 {
        silent.push(from(9).await);
    }
    // Those past the share of 25 % are closed, in whatever order they were accepted.
    for mut closed in silent.drain(2..) {
        let end = closed.read(&mut [0; 1]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    let mut other = from(77).await;
    let request = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1";
    other.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    other.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(silent);
}

#[tokio::test]
async fn draining_finishes_the_request_and_takes_no_other() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move || {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        }
    };
    let served = start(Router::new().route("/slow", get(slow)), &small());
    let asked = tokio::spawn(client().get(served.url("/slow")).send());
    let idle = TcpStream::connect(served.address).await.unwrap();
    begun.notified().await;
    served.lifecycle.advance(Stage::Draining);
    go_on.notify_one();
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "done");
    served.serving.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    assert_eq!(served.metrics.http_connections.get(), 0);
    drop(idle);
}

/// An answer that ends only if its connection does.
fn endless() -> Router {
    let chunks =
        || futures_util::stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b'x'; 65_536])));
    let answer = move || std::future::ready(Body::from_stream(chunks()));
    Router::new().route("/endless", get(answer))
}

/// Reads an endless answer until so many bytes came or it is cut off. How many came.
async fn read_endless(least: LeastRate, bytes_max: usize) -> usize {
    let limits = ServerLimits {
        least,
        ..ServerLimits::from(&small())
    };
    let served = start_within(endless(), &small(), limits);
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (mut read, mut buffer) = (0, vec![0; 4_096]);
    while read < bytes_max {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(bytes) => read += bytes,
        }
    }
    read
}

#[tokio::test]
async fn an_answer_that_is_taken_too_slowly_is_cut_off() {
    let window = Duration::from_millis(5);
    let least = |bytes_per_s| LeastRate {
        bytes_per_s,
        window,
    };
    // Nobody is as fast, however much is taken.
    let cut = tokio::time::timeout(HUNG, read_endless(least(u64::MAX), usize::MAX));
    assert!(cut.await.is_ok(), "it is never cut off");
    let enough = 256 << 20;
    assert!(read_endless(least(1), enough).await >= enough);
}
