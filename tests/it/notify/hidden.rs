//! The hub's own tables: who sees them, and that nobody else writes them.

use reqwest::Method;
use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

use super::{Asker, browser, setup};

/// Preferences are the hub's record, and devices are secret.
async fn with_records(node: &TestNode) -> Asker<'_> {
    let ada = Asker::of(node, "ada");
    ada.post("/api/v1/devices", browser(1)).await;
    let preferences = json!({"limit": {"count": 1, "minutes": 1}});
    let path = "/api/v1/notifications/preferences";
    let (status, _) = ada.ask(Method::PUT, path, preferences).await;
    assert_eq!(status, 200);
    ada
}

#[tokio::test]
async fn devices_see_what_is_told_and_never_where_others_are_reached() {
    let node = TestNode::start_with(setup()).await;
    let mut before = Device::new("ada", "phone");
    before.connect(&node).await;
    let ada = with_records(&node).await;
    let mut after = Device::new("ada", "laptop");
    // By a snapshot, live, and by a catch-up.
    after.connect(&node).await;
    before.edit(&json!([{"table": "tasks", "id": "k1", "op": "insert", "data": {"title": "a"}}]));
    before.push().await;
    after.reach(before.seq()).await;
    for device in [&before, &after] {
        let tables: Vec<&str> = device
            .told()
            .keys()
            .map(|(table, _)| table.as_str())
            .collect();
        assert_eq!(tables, ["@preferences", "tasks"]);
    }
    for path in ["/v1/todo/snapshot", "/v1/todo/changes?epoch=0&after=0"] {
        let (_, answer) = ada.ask(Method::GET, path, Value::Null).await;
        assert!(!answer.to_string().contains("push.example"), "{answer}");
    }
    let snapshot = ada.get("/v1/todo/snapshot").await;
    assert_eq!(snapshot["count"], 2, "{snapshot}");
    node.app.shutdown().await;
}

/// They would look for a table that their app does not have.
#[tokio::test]
async fn the_first_users_clients_see_none_of_them() {
    let node = TestNode::start_with(setup()).await;
    let ada = with_records(&node).await;
    let sync = json!({"clientId": "d1", "appId": "todo", "since": "1970-01-01T00:00:00.000Z",
        "changes": [{"table": "tasks", "id": "k1", "op": "insert", "data": {"title": "a"}},
            {"table": "@preferences", "id": "own", "op": "delete",
             "deletedAt": "2026-11-24T10:00:00.000Z"}]});
    let answer = ada.post("/sync/todo", sync).await;
    let changes = answer["serverChanges"].as_array().unwrap();
    let tables = changes
        .iter()
        .map(|change| change["table"].as_str().unwrap());
    assert!(tables.clone().all(|table| table == "tasks"), "{answer}");
    let conflict = &answer["conflicts"][0];
    assert_eq!(conflict["code"], "table_reserved", "{answer}");
    assert_ne!(
        ada.get("/api/v1/notifications/preferences").await,
        json!({})
    );
    node.app.shutdown().await;
}

#[tokio::test]
async fn no_device_writes_them() {
    let node = TestNode::start_with(setup()).await;
    let ada = with_records(&node).await;
    for (m, table) in (1..).zip(["@preferences", "@@devices", "@anything"]) {
        let changes = json!([{"table": table, "id": "own", "op": "insert", "data": {"x": 1}}]);
        let push = json!({"client": "phone", "muts": [{"m": m, "changes": changes}]});
        let answer = ada.post("/v1/todo/push", push).await;
        let result = &answer["results"][0];
        assert_eq!(result["status"], "rejected", "{answer}");
        assert_eq!(
            result["code"].as_str().or(result["error"]["code"].as_str()),
            Some("table_reserved"),
            "{answer}"
        );
    }
    node.app.shutdown().await;
}
