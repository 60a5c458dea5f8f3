//! Where a user is told.

use reqwest::Method;
use serde_json::{Value, json};
use syncline_tests::node::TestNode;

use super::{Asker, P256DH, PUBLIC_KEY, browser, setup};

const DEVICES: &str = "/api/v1/devices";

#[tokio::test]
async fn a_device_is_registered_once_listed_without_secrets_and_forgotten() {
    let node = TestNode::start_with(setup()).await;
    let ada = Asker::of(&node, "ada");
    let before = ada.get(DEVICES).await;
    let expected = json!({"devices": [], "forgotten": [], "publicKey": PUBLIC_KEY,
        "kinds": ["push", "webhook"]});
    assert_eq!(before, expected);
    let registered = ada.post(DEVICES, browser(1)).await;
    let again = ada.post(DEVICES, browser(1)).await;
    assert_eq!(again, registered);
    let mut renamed = browser(1);
    renamed["name"] = "phone".into();
    ada.post(DEVICES, renamed).await;
    ada.post(DEVICES, json!({"kind": "webhook", "to": "pager"}))
        .await;
    let listed = ada.get("/api/v1/devices?app=todo").await["devices"].clone();
    let mut names: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["name"].as_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("push", "phone"), ("webhook", "")]);
    assert!(!listed.to_string().contains("push.example"), "{listed}");
    // Nobody else has them, or can forget them.
    let bob = Asker::of(&node, "bob");
    let path = format!("{DEVICES}/{}", registered["id"].as_str().unwrap());
    assert_eq!(bob.get(DEVICES).await["devices"], json!([]));
    assert_eq!(bob.delete(&path).await, 404);
    assert_eq!(ada.delete(&path).await, 204);
    let gone = ada.refused(Method::DELETE, &path, Value::Null).await;
    assert_eq!(gone, (404, "device_unknown".to_owned()));
    assert_eq!(
        ada.get(DEVICES).await["devices"].as_array().unwrap().len(),
        1
    );
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_user_has_twenty_devices_and_not_one_more() {
    let node = TestNode::start_with(setup()).await;
    let ada = Asker::of(&node, "ada");
    for n in 0..20 {
        ada.post(DEVICES, browser(n)).await;
    }
    let one_more = ada.refused(Method::POST, DEVICES, browser(20)).await;
    assert_eq!(one_more, (409, "too_many_devices".to_owned()));
    // One that is there comes again all the same.
    ada.post(DEVICES, browser(0)).await;
    node.app.shutdown().await;
}

/// By it a browser knows that it was the user, and no push service.
#[tokio::test]
async fn what_the_user_removed_is_known_until_it_is_registered_again_the_last_twenty() {
    let node = TestNode::start_with(setup()).await;
    let (ada, bob) = (Asker::of(&node, "ada"), Asker::of(&node, "bob"));
    let mut removed = Vec::new();
    for n in 0..21 {
        let device = ada.post(DEVICES, browser(n)).await;
        let id = device["id"].as_str().unwrap().to_owned();
        assert_eq!(ada.delete(&format!("{DEVICES}/{id}")).await, 204);
        removed.push(id);
        // Their times are their order.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let expected = &removed[removed.len().saturating_sub(20)..];
        assert_eq!(ada.get(DEVICES).await["forgotten"], json!(expected));
    }
    // Who was never there was not removed.
    assert_eq!(ada.delete(&format!("{DEVICES}/{}", removed[0])).await, 404);
    assert_eq!(ada.get(DEVICES).await["forgotten"], json!(removed[1..]));
    assert_eq!(bob.get(DEVICES).await["forgotten"], json!([]));
    ada.post(DEVICES, browser(20)).await;
    let all = ada.get(DEVICES).await;
    assert_eq!(all["forgotten"], json!(removed[1..20]));
    assert_eq!(all["devices"][0]["id"], removed[20]);
    node.app.shutdown().await;
}

#[tokio::test]
async fn what_is_no_device_is_refused() {
    let node = TestNode::start_with(setup()).await;
    let ada = Asker::of(&node, "ada");
    let with = |name: &str, value: Value| {
        let mut device = browser(1);
        device[name] = value;
        device
    };
    let keys = json!({"p256dh": &P256DH[1..], "auth": "x"});
    let subscribed =
        |endpoint: &str| json!({"endpoint": endpoint, "keys": browser(1)["subscription"]["keys"]});
    for (body, code) in [
        (json!([]), "bad_message"),
        (json!({"app": "todo"}), "bad_message"),
        (with("kind", json!("pigeon")), "device_invalid"),
        (with("subscription", Value::Null), "device_invalid"),
        (
            with(
                "subscription",
                json!({"endpoint": "https://push.example/", "keys": keys}),
            ),
            "device_invalid",
        ),
        (
            with("subscription", subscribed("ftp://push.example/")),
            "device_invalid",
        ),
        (with("language", json!("de\r\n")), "device_invalid"),
        (with("language", json!("d".repeat(36))), "device_invalid"),
        (json!({"app": "todo", "kind": "mail"}), "device_invalid"),
        (json!({"app": "todo", "kind": "webhook"}), "device_invalid"),
        // An endpoint of the config that is not there for this.
        (
            json!({"app": "todo", "kind": "webhook", "to": "llm"}),
            "device_invalid",
        ),
        (with("app", json!("chat")), "app_unknown"),
    ] {
        let (_, refused) = ada.refused(Method::POST, DEVICES, body.clone()).await;
        assert_eq!(refused, code, "{body}");
    }
    ada.post(DEVICES, with("language", json!("d".repeat(35))))
        .await;
    let stranger = Asker {
        token: "none".to_owned(),
        ..Asker::of(&node, "ada")
    };
    for method in [Method::GET, Method::POST] {
        let refused = stranger.refused(method, DEVICES, browser(1)).await;
        assert_eq!(refused, (401, "token_invalid".to_owned()));
    }
    node.app.shutdown().await;
}
