//! A push over HTTP: its verdicts, its numbers, and what is refused.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;
use syncline_storage::Store;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Caller, inserts, read};

#[tokio::test]
async fn a_push_is_answered_with_its_verdicts_and_seen_by_sockets() {
    let caller = Caller::new().await;
    let (mut socket, _) = Socket::hello(&caller.node, "ada", json!({})).await;
    socket.message_of("delta").await; // the end of its snapshot
    let (status, reply) = caller.push(&inserts(1, 0..2)).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&reply["head"], &reply["results"][0]["status"]),
        (&json!(1), &json!("applied"))
    );
    assert_eq!(
        socket.message_of("delta").await["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (_, again) = caller.push(&inserts(1, 0..2)).await;
    assert_eq!(again["results"], reply["results"]);
}

#[tokio::test]
async fn a_gap_is_409_and_says_where_to_go_on() {
    let caller = Caller::new().await;
    caller.push(&inserts(1, 0..1)).await;
    let (status, reply) = caller.push(&inserts(3, 1..2)).await;
    assert_eq!(
        (status, &reply["code"], &reply["acked"]),
        (StatusCode::CONFLICT, &json!("gap"), &json!(1))
    );
}

#[tokio::test]
async fn one_mutation_twice_in_a_request_is_answered_once() {
    let caller = Caller::new().await;
    let mut body = inserts(1, 0..1);
    let again = body["muts"][0].clone();
    body["muts"].as_array_mut().unwrap().push(again);
    let (status, reply) = caller.push(&body).await;
    assert_eq!(
        (status, reply["results"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    body["muts"][1]["m"] = json!(2);
    body["muts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"m": 2, "changes": []}));
    let (_, reply) = caller.push(&body).await;
    let results = reply["results"].as_array().unwrap();
    let refused = results
        .iter()
        .filter(|result| result["code"] == "number_reused")
        .count();
    assert_eq!((results.len(), refused), (3, 1));
}

#[tokio::test]
async fn a_mutation_another_node_decided_leaves_no_gap_behind() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("shared.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&options).unwrap());
    let setup = || {
        let mut setup = Setup::default();
        setup.parts.store = Some(store.clone());
        setup
    };
    let caller = Caller::of(TestNode::start_with(setup()).await);
    let other = TestNode::start_with(setup()).await;
    caller.push(&inserts(1, 0..1)).await;
    let elsewhere = caller
        .http
        .post(other.url("/v1/todo/push"))
        .bearer_auth(other.token("ada"));
    let elsewhere = elsewhere
        .body(inserts(2, 1..2).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), 200);
    let (status, reply) = caller.push(&inserts(3, 2..3)).await;
    assert_eq!((status, &reply["head"]), (StatusCode::OK, &json!(3)));
}

#[tokio::test]
async fn a_push_without_a_good_token_is_401_and_stores_nothing() {
    let caller = Caller::new().await;
    let url = caller.node.url("/v1/todo/push");
    let body = inserts(1, 0..1).to_string();
    for header in [None, Some("Bearer x"), Some("Basic eA=="), Some("Bearer ")] {
        let mut request = caller.http.post(&url).body(body.clone());
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let (status, reply) = read(request.send().await.unwrap()).await;
        assert_eq!(
            (status, &reply["code"]),
            (StatusCode::UNAUTHORIZED, &json!("token_invalid"))
        );
    }
    let (_, snapshot) = caller.get("/v1/todo/snapshot").await;
    assert_eq!(snapshot["at"], 0);
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_comes() {
    let caller = Caller::new().await;
    for path in ["/v1/todo/push", "/sync/todo"] {
        let mut stream = TcpStream::connect(caller.node.app.public_addr())
            .await
            .unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let answered = stream.read_exact(&mut answer);
        tokio::time::timeout(syncline_tests::HUNG, answered)
            .await
            .expect("the hub waits for the body")
            .unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{path}");
    }
}
