//! From HTTP to a socket: the subprotocol, and tokens where they do not belong.

use serde_json::json;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_http::{Answer, exchange};
use syncline_tests::socket::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks for a socket with more headers.
fn request(node: &TestNode, path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
        node.app.public_addr()
    )
}

/// The head of the answer to it.
async fn head(node: &TestNode, more: &str) -> String {
    let mut stream = TcpStream::connect(node.app.public_addr()).await.unwrap();
    let request = request(node, "/v1/ws", more);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn the_hub_takes_its_subprotocol_of_those_offered_and_no_other() {
    let node = TestNode::start().await;
    let chosen = "sec-websocket-protocol: syncline.v1\r\n";
    for (offered, taken) in [
        ("", None),
        ("Sec-WebSocket-Protocol: syncline.v1\r\n", Some(chosen)),
        (
            "Sec-WebSocket-Protocol: graphql-ws , syncline.v1\r\n",
            Some(chosen),
        ),
        (
            "Sec-WebSocket-Protocol: graphql-ws\r\nSec-WebSocket-Protocol: syncline.v1\r\n",
            Some(chosen),
        ),
    ] {
        let head = head(&node, offered).await;
        assert!(head.starts_with("http/1.1 101 "), "{offered}: {head}");
        assert_eq!(
            head.contains("sec-websocket-protocol"),
            taken.is_some(),
            "{offered}: {head}"
        );
        assert!(
            head.contains(taken.unwrap_or_default()),
            "{offered}: {head}"
        );
    }
    for offered in ["syncline.v2", "syncline.v1x, ", ""] {
        let header = format!("connection: close\r\nSec-WebSocket-Protocol: {offered}\r\n");
        let request = request(&node, "/v1/ws", &header);
        let Answer { status, body, .. } =
            exchange(node.app.public_addr(), request.as_bytes()).await;
        assert_ne!(status, 101, "{offered}");
        assert!(body.contains("version_unsupported"), "{offered}: {body}");
    }
}

#[tokio::test]
async fn a_socket_begins_with_get_and_with_the_one_version_there_is() {
    let node = TestNode::start().await;
    let closing = "connection: close\r\n";
    for path in ["/v1/ws", "/ws/todo"] {
        let get = request(&node, path, closing);
        for method in ["HEAD", "POST", "OPTIONS"] {
            let other = get.replacen("GET", method, 1);
            let answer = exchange(node.app.public_addr(), other.as_bytes()).await;
            assert_ne!(answer.status, 101, "{method} {path}");
        }
        for version in ["12", "13, 8", "", "013"] {
            let other = get.replace("version: 13", &format!("version: {version}"));
            let answer = exchange(node.app.public_addr(), other.as_bytes()).await;
            assert_eq!(answer.status, 426, "{version} {path}");
            let spoken = answer.head.to_ascii_lowercase();
            assert!(spoken.contains("sec-websocket-version: 13\r\n"), "{spoken}");
        }
    }
}

#[tokio::test]
async fn a_token_in_a_url_says_nothing() {
    let mut setup = Setup::default();
    setup.config.gateway.hello_timeout_ms = 200;
    let node = TestNode::start_with(setup).await;
    let token = node.token("ada");
    for name in ["token", "access_token", "jwt"] {
        let path = format!("/v1/ws?{name}={token}&app=todo&client=c");
        let mut silent = Socket::connect_to(&node, &path).await;
        assert_eq!(silent.message_of("error").await["code"], "auth_timeout");
        assert_eq!(silent.closed().await, Some(4001));
        let mut pushing = Socket::connect_to(&node, &path).await;
        pushing.send(&json!({"t": "push", "muts": []})).await;
        assert_eq!(pushing.message_of("error").await["code"], "out_of_order");
        assert_eq!(pushing.closed().await, Some(4001));
        let read = reqwest::get(node.url(&format!("/v1/todo/snapshot?{name}={token}")));
        assert_eq!(read.await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn a_hello_without_its_token_is_no_hello_whatever_the_url_holds() {
    let node = TestNode::start().await;
    let path = format!("/v1/ws?token={}", node.token("ada"));
    let mut socket = Socket::connect_to(&node, &path).await;
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "c", "cursor": null});
    socket.send(&hello).await;
    assert_eq!(socket.closed().await, Some(4001));
}
