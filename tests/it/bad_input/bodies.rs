//! Bodies that are too long, cut short, or never end.

use anyhow::Context;
use futures_util::future::join_all;
use syncline_tests::raw_http;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::request::{self, Expect, Request};
use super::{ADA, BOB, CAROL, Hub};

const BODY_BYTES_MAX: usize = 10 << 20;

/// A body of so many bytes, which the routes take.
fn padded(bytes: usize) -> String {
    let empty =
        r#"{"client":"c","clientId":"c","since":"1970-01-01T00:00:00.000Z","muts":[],"x":""}"#;
    let padding = "y".repeat(bytes - empty.len());
    empty.replace(r#""x":"""#, &format!(r#""x":"{padding}""#))
}

/// The routes that read a body, and how they say that it is bad.
const ROUTES: [(&str, bool); 6] = [
    ("/v1/padded/push", true),
    ("/sync/padded", false),
    ("/dev/token", true),
    ("/api/v1/compute/next-occurrence", true),
    ("/api/v1/compute/validate", true),
    ("/api/v1/compute/expand", true),
];

fn refusal(native: bool, status: u16, code: &'static str) -> Expect {
    match native {
        true => Expect::Code(status, code),
        false => Expect::Sentence(status),
    }
}

/// Sends them all. Returns how many.
pub(super) async fn send_all(hub: &Hub) -> usize {
    let mut requests = Vec::new();
    for (path, native) in ROUTES {
        let post = |name: &str, body: String, expect| {
            let request = Request::new(format!("{path}: {name}"), "POST", path);
            request.by(hub, ADA).body(body).expect(expect)
        };
        let too_large = refusal(native, 413, "body_too_large");
        requests.push(post(
            "10 MiB and a byte",
            padded(BODY_BYTES_MAX + 1),
            too_large,
        ));
        let waits = Request::new(format!("{path}: asks first"), "POST", path).by(hub, ADA);
        let waits = waits.header("expect: 100-continue\r\ncontent-length: 99999999999");
        requests.push(waits.expect(too_large));
    }
    for (user, path) in [(BOB, "/v1/padded/push"), (CAROL, "/sync/padded")] {
        let request = Request::new(format!("{path}: 10 MiB"), "POST", path);
        requests.push(request.by(hub, user).body(padded(BODY_BYTES_MAX)));
    }
    for request in &requests {
        request.check(hub).await;
    }
    // Not all at once: the bodies of one user have a share of the room.
    for routes in ROUTES.chunks(3) {
        join_all(routes.iter().map(|route| odd_ones(hub, *route))).await;
    }
    requests.len() + ROUTES.len() * 6
}

/// Bodies that no client library sends; those that never end take their time.
async fn odd_ones(hub: &Hub, (path, native): (&str, bool)) {
    tokio::join!(
        chunked_past_the_limit(hub, (path, native)),
        never_ends(
            hub,
            (path, native),
            "transfer-encoding: chunked",
            "5\r\n{\"a\":\r\n"
        ),
        never_ends(hub, (path, native), "content-length: 10", "{\"a\""),
        cut_off(hub, path),
        broken_chunk(hub, (path, native)),
        longer_than_said(hub, path),
    );
}

fn head(hub: &Hub, path: &str, headers: &str) -> String {
    let (address, token) = (hub.process.public, hub.issuer.token(ADA));
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-client-id: c\r\nauthorization: Bearer {token}\r\n{headers}\r\n\r\n"
    )
}

async fn chunked_past_the_limit(hub: &Hub, (path, native): (&str, bool)) {
    let mut request = head(hub, path, "transfer-encoding: chunked").into_bytes();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..11 {
        request.extend_from_slice(b"100000\r\n");
        request.extend_from_slice(&chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = raw_http::exchange(hub.process.public, &request).await;
    hub.note(
        path,
        request::check(&answer, refusal(native, 413, "body_too_large")),
    );
}

/// What came is not enough, and nothing more comes: the hub ends it.
async fn never_ends(hub: &Hub, (path, native): (&str, bool), headers: &str, body: &str) {
    let request = head(hub, path, headers) + body;
    let answer = raw_http::exchange(hub.process.public, request.as_bytes()).await;
    hub.note(path, request::check(&answer, refusal(native, 429, "slow")));
}

/// The client ends what it sends before the length it said.
async fn cut_off(hub: &Hub, path: &str) {
    let mut stream = TcpStream::connect(hub.process.public).await.unwrap();
    let request = head(hub, path, "content-length: 100") + "{\"client\":\"c\"";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // Whether a refusal still arrives is the connection's matter; a 200 must not.
    let _ = timeout(syncline_tests::HUNG, stream.read_to_string(&mut answer))
        .await
        .expect("the hub hangs");
    let refused = !answer.contains(" 200 ");
    hub.note(path, refused.then_some(()).context(answer));
}

async fn broken_chunk(hub: &Hub, (path, native): (&str, bool)) {
    let request = head(hub, path, "transfer-encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n";
    let answer = raw_http::exchange(hub.process.public, request.as_bytes()).await;
    hub.note(
        path,
        request::check(&answer, refusal(native, 400, "bad_message")),
    );
}

/// What comes behind the length that was said is no part of the request.
async fn longer_than_said(hub: &Hub, path: &str) {
    let request = head(hub, path, "content-length: 1") + "{\"user\":\"ada\"}";
    let answer = raw_http::exchange(hub.process.public, request.as_bytes()).await;
    let once =
        answer.head.matches("http/1.1").count() + answer.body.matches("HTTP/1.1").count() == 1;
    let refused = answer.status >= 400 && once;
    hub.note(path, refused.then_some(()).context(answer.body));
}
