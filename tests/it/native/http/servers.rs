//! What servers write, with the service key and under keys.

use reqwest::Client;
use serde_json::{Value, json};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;

use super::{Caller, inserts, read};

#[tokio::test]
async fn a_service_writes_into_the_space_it_names() {
    let mut setup = Setup::default();
    setup.config.auth.service_key = Some(syncline_hub::auth::ServiceKey::new("hush").unwrap());
    let node = TestNode::start_with(setup).await;
    let http = Client::new();
    let push = async |key: &str, space: &str| {
        let request = http
            .post(node.url(&format!("/v1/todo/push{space}")))
            .header("x-service-key", key);
        read(
            request
                .body(inserts(1, 0..1).to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
        .0
    };
    assert_eq!(push("wrong", "?space=ada").await, 401);
    assert_eq!(push("hush", "").await, 400);
    assert_eq!(push("hush", "?space=ada").await, 200);
    let snapshot = http
        .get(node.url("/v1/todo/snapshot"))
        .bearer_auth(node.token("ada"));
    let (_, snapshot) = read(snapshot.send().await.unwrap()).await;
    assert_eq!(snapshot["changes"][0]["by"], "server");
}

#[tokio::test]
async fn a_write_under_a_key_takes_effect_once() {
    let caller = Caller::new().await;
    let write = |key: &str, n: u64| {
        let change = json!({"table": "t", "id": key, "op": "insert", "data": {"n": n}});
        json!({"key": key, "changes": [change]})
    };
    let body = json!({"muts": [write("order-1", 1), write("order-2", 2)]});
    let (status, first) = caller.push(&body).await;
    assert_eq!(status, 200);
    let expected = json!([{"key": "order-1", "status": "applied", "seq": 1},
        {"key": "order-2", "status": "applied", "seq": 2}]);
    assert_eq!((&first["results"], &first["head"]), (&expected, &json!(2)));
    let (_, again) = caller.push(&body).await;
    assert_eq!((&again["results"], &again["head"]), (&expected, &json!(2)));
    // A key is its writer's: devices are shown only that there was one.
    let (_, snapshot) = caller.get("/v1/todo/snapshot").await;
    let by = |change: &Value| change["by"].clone();
    let shown: Vec<_> = snapshot["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(by)
        .collect();
    assert_eq!(shown, ["key:", "key:"]);
    let (mut socket, _) = Socket::hello(&caller.node, "ada", json!({})).await;
    assert_eq!(
        socket.message_of("snapshot").await["changes"][0]["by"],
        "key:"
    );
    socket.message_of("delta").await; // the end of its snapshot
    caller.push(&json!({"muts": [write("order-3", 3)]})).await;
    assert_eq!(socket.message_of("delta").await["changes"][0]["by"], "key:");
    let long = json!({"muts": [{"key": "x".repeat(125), "changes": []}]});
    let (_, reply) = caller.push(&long).await;
    let message = reply["message"].as_str().unwrap();
    assert!(
        message.starts_with("a key is longer than 124 bytes"),
        "{message}"
    );
    let (_, other) = caller.push(&json!({"muts": [write("order-1", 7)]})).await;
    assert_eq!(other["results"][0]["code"], "number_reused");
    for body in [
        json!({"muts": [{"key": "", "changes": []}]}),
        json!({"muts": [{"key": "x".repeat(125), "changes": []}]}),
        json!({"client": "key:order-1", "muts": []}),
    ] {
        let (status, reply) = caller.push(&body).await;
        assert_eq!(
            (status.as_u16(), &reply["code"]),
            (422, &json!("name_invalid")),
            "{body}"
        );
    }
}

/// A server reads what a device may: all of a space, and what changed since.
#[tokio::test]
async fn a_service_reads_the_space_it_names() {
    let mut setup = Setup::default();
    setup.config.auth.service_key = Some(syncline_hub::auth::ServiceKey::new("hush").unwrap());
    let node = TestNode::start_with(setup).await;
    let http = Client::new();
    let ask = async |key: &str, path: &str| {
        let question = http.get(node.url(path)).header("x-service-key", key);
        read(question.send().await.unwrap()).await
    };
    let pushed = http
        .post(node.url("/v1/todo/push?space=ada"))
        .header("x-service-key", "hush")
        .body(inserts(1, 0..3).to_string());
    let (status, pushed) = read(pushed.send().await.unwrap()).await;
    assert_eq!(status, 200, "{pushed}");
    let (status, snapshot) = ask("hush", "/v1/todo/snapshot?space=ada").await;
    assert_eq!(status, 200, "{snapshot}");
    assert_eq!(snapshot["changes"].as_array().unwrap().len(), 3);
    let epoch = snapshot["epoch"].as_str().unwrap();
    let since = format!("/v1/todo/changes?space=ada&epoch={epoch}&after=0");
    let (status, changes) = ask("hush", &since).await;
    assert_eq!((status.as_u16(), &changes["to"]), (200, &pushed["head"]));
    for (key, path, refused) in [
        ("wrong", since.as_str(), 401),
        ("hush", "/v1/todo/snapshot", 400),
        ("hush", "/v1/todo/changes?after=0", 400),
    ] {
        assert_eq!(ask(key, path).await.0, refused, "{path}");
    }
    let (_, others) = ask("hush", "/v1/todo/snapshot?space=grace").await;
    assert_eq!(others["changes"], json!([]));
}
