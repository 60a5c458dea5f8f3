//! Everything of a user is erased, in all apps, and nobody brings it back.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use syncline_hub::auth::ServiceKey;
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;

const KEY: &str = "a-service-key-of-thirty-two-bytes";

/// What must not be found afterwards: in one page, and in pages of its own.
const SHORT: &str = "a-secret-of-ada";

async fn started() -> TestNode {
    let mut setup = Setup::default();
    setup.config.auth.service_key = Some(ServiceKey::new(KEY).unwrap());
    TestNode::start_with(setup).await
}

async fn user_data(node: &TestNode, method: Method, user: &str) -> Value {
    let url = node.url(&format!("/api/v1/admin/user-data/{user}"));
    let client = reqwest::Client::new();
    let asked = client.request(method, url).header("X-Service-Key", KEY);
    let reply = asked.send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    serde_json::from_str(&reply.text().await.unwrap()).unwrap()
}

/// A phone of the user with three records, one of them long and one changed.
async fn phone(node: &TestNode, user: &str, secret: &str) -> Device {
    let mut phone = Device::new(user, "phone");
    let insert = |table: &str, id: &str, text: String| json!({"table": table, "id": id, "op": "insert", "data": {"text": text}});
    phone.edit(&json!([
        insert("tasks", "k1", secret.to_owned()),
        insert("tasks", "k2", secret.repeat(2_000)),
        insert("tags", "k3", secret.to_owned()),
    ]));
    phone.connect(node).await;
    phone.edit(&json!([{"table": "tags", "id": "k3", "op": "update",
        "fields": {"text": {"value": "short"}}}]));
    phone.push().await;
    phone
}

#[tokio::test]
async fn what_a_user_has_is_counted_and_erased_with_a_receipt() {
    let node = started().await;
    let _ada = phone(&node, "ada", SHORT).await;
    let _bob = phone(&node, "bob", "bobs").await;
    let counted = user_data(&node, Method::GET, "ada").await;
    let app = json!({"records": 3, "clients": 1, "deadLetters": 0, "jobs": 0});
    let expected =
        json!({"userId": "ada", "counts": {"tags": 1, "tasks": 2}, "apps": {"todo": app}});
    assert_eq!(counted, expected);
    assert_eq!(user_data(&node, Method::DELETE, "ada").await, expected);
    let left = user_data(&node, Method::GET, "ada").await;
    assert_eq!(left["counts"], json!({}));
    assert_eq!(left["apps"]["todo"]["records"], 0);
    let bobs = user_data(&node, Method::GET, "bob").await;
    assert_eq!(bobs["counts"], json!({"tags": 1, "tasks": 2}));
}

#[tokio::test]
async fn nobody_is_counted_as_nothing() {
    let node = started().await;
    let expected = json!({"userId": "nobody", "counts": {}, "apps": {}});
    assert_eq!(user_data(&node, Method::GET, "nobody").await, expected);
    assert_eq!(user_data(&node, Method::DELETE, "nobody").await, expected);
}

#[tokio::test]
async fn only_the_service_key_opens_it() {
    let node = started().await;
    let url = node.url("/api/v1/admin/user-data/ada");
    let client = reqwest::Client::new();
    for asked in [
        client.delete(&url).bearer_auth(node.token("ada")),
        client.delete(&url).header("X-Service-Key", "another"),
        client.get(&url),
    ] {
        assert_eq!(
            asked.send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn live_devices_and_those_that_come_later_are_told() {
    let node = started().await;
    let (mut live, welcome) = Socket::hello(&node, "ada", json!({"client": "laptop"})).await;
    live.message_of("delta").await; // the end of its snapshot
    let cursor = json!({"epoch": welcome["epoch"], "seq": welcome["head"]});
    user_data(&node, Method::DELETE, "ada").await;
    assert_eq!(live.message_of("reset").await["why"], "erased");
    let hello = json!({"client": "phone", "cursor": cursor});
    let (mut late, _) = Socket::hello(&node, "ada", hello).await;
    assert_eq!(late.message_of("reset").await["why"], "erased");
    let changes = format!(
        "/v1/todo/changes?epoch={}&after=0",
        welcome["epoch"].as_str().unwrap()
    );
    let asked = reqwest::Client::new().get(node.url(&changes));
    let reply = asked.bearer_auth(node.token("ada")).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::GONE);
    let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(body["why"], "erased");
}

fn is_in_a_file(dir: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(dir).unwrap();
    files
        .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
        .any(|bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
}

#[tokio::test]
async fn nothing_of_what_was_erased_is_in_the_files() {
    let node = started().await;
    let mut ada = phone(&node, "ada", SHORT).await;
    let bob = phone(&node, "bob", "kept-of-bob").await;
    ada.edit(&json!([{"table": "tasks", "id": "k2", "op": "delete"}]));
    ada.push().await;
    assert!(is_in_a_file(node.dir(), SHORT), "it is looked for in vain");
    user_data(&node, Method::DELETE, "ada").await;
    assert!(!is_in_a_file(node.dir(), SHORT));
    assert!(is_in_a_file(node.dir(), "kept-of-bob"));
    drop(bob);
}
