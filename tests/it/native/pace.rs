//! How fast a user may push over HTTP, by both protocols.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use syncline_hub::auth::ServiceKey;
use syncline_tests::node::{Setup, TestNode};

const SINCE: &str = "1970-01-01T00:00:00.000Z";

/// What was answered: status, `Retry-After`, body.
type Told = (StatusCode, Option<u64>, String);

async fn post(request: reqwest::RequestBuilder, body: &Value) -> Told {
    let answer = request.body(body.to_string()).send().await.unwrap();
    let after = answer.headers().get("retry-after");
    let after = after.map(|after| after.to_str().unwrap().parse().unwrap());
    (answer.status(), after, answer.text().await.unwrap())
}

fn changes(count: usize) -> Vec<Value> {
    let change = |n| json!({"table": "t", "id": format!("k{n}"), "op": "insert", "data": {}});
    (0..count).map(change).collect()
}

#[tokio::test]
async fn a_user_that_pushes_too_fast_is_told_when_to_come_again_and_nothing_is_stored() {
    let mut setup = Setup::default();
    setup.config.limits.user_changes_per_s = 1;
    setup.config.auth.service_key = Some(ServiceKey::new("hush").unwrap());
    let node = TestNode::start_with(setup).await;
    let http = Client::new();
    let request = |path: &str, user: &str| http.post(node.url(path)).bearer_auth(node.token(user));
    let native = |m: u64, count: usize| json!({"client": "c", "muts": [{"m": m, "changes": changes(count)}]});
    let compat = |count: usize| json!({"clientId": "d", "since": SINCE, "changes": changes(count)});
    let (status, ..) = post(request("/v1/todo/push", "ada"), &native(1, 500)).await;
    assert_eq!(status, 200);
    let (status, after, body) = post(request("/v1/todo/push", "ada"), &native(2, 1)).await;
    assert_eq!(status, 429);
    assert!(
        after.is_some_and(|after| (300..=490).contains(&after)),
        "{after:?}"
    );
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["code"], &body["retry"]),
        (&json!("slow"), &json!("after"))
    );
    // It is the user's pace, whatever the app and the protocol.
    let (status, after, body) = post(request("/sync/notes", "ada"), &compat(1)).await;
    assert_eq!((status.as_u16(), body.starts_with('{')), (429, false));
    assert!(after.is_some_and(|after| after >= 300));
    assert_eq!(node.app.metrics().pushes_paced.get(), 2);
    let (status, ..) = post(request("/sync/todo", "bob"), &compat(500)).await;
    assert_eq!(status, 200);
    let (status, ..) = post(request("/v1/todo/push", "bob"), &native(1, 1)).await;
    assert_eq!(status, 429);
    // Reads are nobody's pushes, and servers have no pace.
    let snapshot = http.get(node.url("/v1/todo/snapshot?limit=1"));
    let snapshot = snapshot
        .bearer_auth(node.token("ada"))
        .send()
        .await
        .unwrap();
    let snapshot: Value = serde_json::from_str(&snapshot.text().await.unwrap()).unwrap();
    assert_eq!(snapshot["at"], 1);
    for m in 1..=3 {
        let request = http.post(node.url("/v1/todo/push?space=ada"));
        let request = request.header("x-service-key", "hush");
        assert_eq!(post(request, &native(m, 100)).await.0, 200);
    }
}
