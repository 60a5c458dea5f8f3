//! How a user wants to be told.

use reqwest::Method;
use serde_json::{Value, json};
use syncline_tests::node::TestNode;

use super::{Asker, setup};

const PREFERENCES: &str = "/api/v1/notifications/preferences";

#[tokio::test]
async fn preferences_are_read_as_they_were_written() {
    let node = TestNode::start_with(setup()).await;
    let ada = Asker::of(&node, "ada");
    assert_eq!(ada.get(PREFERENCES).await, json!({}));
    let written = json!({"timezone": "Europe/Berlin", "quiet": {"from": "22:00", "to": "07:00"},
        "kinds": {"reminder": {"channels": ["push"]}}});
    let (status, answer) = ada.ask(Method::PUT, PREFERENCES, written.clone()).await;
    assert_eq!((status.as_u16(), &answer), (200, &written));
    assert_eq!(ada.get(PREFERENCES).await, written);
    // What is written is all of it.
    ada.ask(Method::PUT, PREFERENCES, json!({"timezone": "UTC"}))
        .await;
    assert_eq!(ada.get(PREFERENCES).await, json!({"timezone": "UTC"}));
    assert_eq!(Asker::of(&node, "bob").get(PREFERENCES).await, json!({}));
    node.app.shutdown().await;
}

#[tokio::test]
async fn what_are_no_preferences_is_refused_and_what_was_there_stays() {
    let node = TestNode::start_with(setup()).await;
    let ada = Asker::of(&node, "ada");
    ada.ask(Method::PUT, PREFERENCES, json!({"timezone": "UTC"}))
        .await;
    for wrong in [
        json!([]),
        json!({"timezone": "Mars/Olympus"}),
        json!({"quiet": {"from": "22:00", "to": "07:00"}}),
        json!({"limit": {"count": 0, "minutes": 1}}),
        json!({"channels": ["push"]}),
        json!({"kinds": {"k".repeat(20_000): {}}}),
    ] {
        let refused = ada.refused(Method::PUT, PREFERENCES, wrong.clone()).await;
        assert_eq!(refused, (422, "preferences_invalid".to_owned()), "{wrong}");
    }
    assert_eq!(ada.get(PREFERENCES).await, json!({"timezone": "UTC"}));
    let history = ada.get("/api/v1/notifications").await;
    assert_eq!(history, json!({"notifications": [], "next": Value::Null}));
    for limit in [0, 101] {
        let path = format!("/api/v1/notifications?limit={limit}");
        let refused = ada.refused(Method::GET, &path, Value::Null).await;
        assert_eq!(refused, (400, "cursor_invalid".to_owned()));
    }
    node.app.shutdown().await;
}
