//! The first user's routes for reminders of a task.

use reqwest::Method;
use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

use super::{Asker, setup};

async fn with_tasks(node: &TestNode) -> Device {
    let mut phone = Device::new("ada", "phone");
    phone.connect(node).await;
    phone.edit(&json!([
        {"table": "tasks", "id": "k1", "op": "insert",
         "data": {"title": "a", "due": "2099-01-01T10:00:00.000Z"}},
        {"table": "tasks", "id": "k2", "op": "insert", "data": {"title": "b", "due": null}},
    ]));
    phone.push().await;
    phone
}

#[tokio::test]
async fn reminders_of_a_task_are_records_that_devices_see() {
    let node = TestNode::start_with(setup()).await;
    let mut phone = with_tasks(&node).await;
    let ada = Asker::of(&node, "ada");
    let path = "/api/v1/tasks/k1/reminders";
    assert_eq!(ada.get(path).await, json!([]));
    let (status, made) = ada
        .ask(Method::POST, path, json!({"minutesBefore": 30}))
        .await;
    assert_eq!(status, 201);
    let expected = json!({"id": made["id"], "taskId": "k1", "minutesBefore": 30, "type": "push",
        "createdAt": made["createdAt"]});
    assert_eq!(made, expected);
    ada.post(path, json!({"minutesBefore": 5, "type": "both"}))
        .await;
    let listed = ada.get(path).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(listed.as_array().unwrap().contains(&made), "{listed}");
    let id = made["id"].as_str().unwrap();
    phone.reach(phone.seq() + 2).await;
    assert_eq!(phone.shows("reminders", id).unwrap()["minutesBefore"], 30);
    let reminder = format!("/api/v1/reminders/{id}");
    assert_eq!(ada.delete(&reminder).await, 204);
    assert_eq!(ada.delete(&reminder).await, 404);
    assert_eq!(ada.get(path).await.as_array().unwrap().len(), 1);
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_reminder_of_nothing_is_refused() {
    let node = TestNode::start_with(setup()).await;
    let phone = with_tasks(&node).await;
    let ada = Asker::of(&node, "ada");
    for (task, body, status) in [
        ("k1", json!({"minutesBefore": 0}), 201),
        ("k1", json!({"minutesBefore": 527_040}), 201),
        ("k1", json!({"minutesBefore": 527_041}), 400),
        ("k1", json!({"minutesBefore": -1}), 400),
        ("k1", json!({"minutesBefore": 1.5}), 400),
        ("k1", json!({"minutesBefore": "5"}), 400),
        ("k1", json!({}), 400),
        ("k1", json!({"minutesBefore": 5, "type": "pigeon"}), 400),
        // Without a due date.
        ("k2", json!({"minutesBefore": 5}), 400),
        ("k3", json!({"minutesBefore": 5}), 404),
    ] {
        let path = format!("/api/v1/tasks/{task}/reminders");
        let (found, answer) = ada.ask(Method::POST, &path, body.clone()).await;
        assert_eq!(found.as_u16(), status, "{body} {answer}");
    }
    // Another's task is none.
    let bob = Asker::of(&node, "bob");
    let path = "/api/v1/tasks/k1/reminders";
    assert_eq!(bob.ask(Method::GET, path, Value::Null).await.0, 404);
    assert!(phone.shows("tasks", "k1").is_some());
    node.app.shutdown().await;
}

#[tokio::test]
async fn without_an_app_that_says_so_there_are_no_such_routes() {
    let node = TestNode::start().await;
    let ada = Asker::of(&node, "ada");
    let refused = ada
        .refused(Method::GET, "/api/v1/tasks/k1/reminders", Value::Null)
        .await;
    assert_eq!(refused, (404, "not_found".to_owned()));
    let refused = ada
        .refused(Method::GET, "/api/v1/devices", Value::Null)
        .await;
    assert_eq!(refused, (404, "app_unknown".to_owned()));
    node.app.shutdown().await;
}
