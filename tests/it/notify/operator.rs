//! What an operator sees of a user's notifications, on the admin listener.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use syncline_hub::auth::ServiceKey;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_hub::config::hidden::Hidden;
use syncline_protocol::stamp::wall_text;
use syncline_tests::HUNG;
use syncline_tests::device::Device;
use syncline_tests::endpoint::{Endpoint, Reply};
use syncline_tests::node::{Setup, TestNode};

use super::delivering::{DEVICES, pager};
use super::firing::{reminder, told};
use super::{Asker, browser, setup};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn with_key(endpoint: &Endpoint) -> Setup {
    let mut setup = setup();
    setup.config.auth.service_key = Some(ServiceKey::new(KEY).unwrap());
    let pager = setup.config.webhooks.get_mut("pager").unwrap();
    pager.url = Some(Hidden::new(endpoint.url.clone()));
    setup
}

fn url(node: &TestNode, path: &str) -> String {
    let admin = node.app.admin_addr();
    format!("http://{admin}/api/v1/admin/notifications/{path}")
}

async fn asked(node: &TestNode, path: &str) -> (StatusCode, Value) {
    let question = Client::new().get(url(node, path));
    let answer = question.header("x-service-key", KEY).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn shown(node: &TestNode, path: &str) -> Value {
    let (status, answer) = asked(node, path).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until something is so of what ada was told last.
async fn last_once(node: &TestNode, is_so: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let last = shown(node, "ada").await["notifications"][0].clone();
            if is_so(&last) {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HUNG, looking)
        .await
        .expect("it never is")
}

#[tokio::test]
async fn an_operator_sees_where_a_user_is_told_and_how_far_that_is_and_nothing_secret() {
    let endpoint = Endpoint::start().await;
    endpoint.reply(Reply::With(500, Value::Null));
    let node = TestNode::start_with(with_key(&endpoint)).await;
    let ada = Asker::of(&node, "ada");
    let gone = ada.post(DEVICES, browser(1)).await["id"].clone();
    ada.delete(&format!("{DEVICES}/{}", gone.as_str().unwrap()))
        .await;
    let device = ada.post(DEVICES, pager()).await;
    let devices = shown(&node, "ada/devices").await;
    assert_eq!(devices, json!({"devices": [device], "forgotten": [gone]}));

    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    let due_ms = SystemClock.now_ms();
    let data = json!({"title": "Buy milk", "remindAt": wall_text(due_ms)});
    phone.edit(&reminder("r1", &data));
    phone.push().await;
    let waiting = last_once(&node, |last| last["deliveries"][0]["tries"] == 1).await;
    let delivery = &waiting["deliveries"][0];
    let expected = json!({"device": device["id"], "channel": "webhook", "state": "waiting",
        "tries": 1, "at": delivery["at"]});
    assert_eq!(*delivery, expected);
    assert!(
        delivery["at"].as_str() > waiting["at"].as_str(),
        "{waiting}"
    );
    let told = told(&mut phone, 1).await;
    let expected = json!({"id": waiting["id"], "kind": "reminder", "at": told[0]["at"],
        "expires": told[0]["expires"], "late": false, "channels": told[0]["channels"],
        "keys": [format!("reminders/r1@{due_ms}")], "more": 0, "receipts": null,
        "deliveries": [delivery]});
    assert_eq!(waiting, expected);

    let done = last_once(&node, |last| last["receipts"]["done"] == true).await;
    assert_eq!(done["receipts"]["webhook"]["sent"], 1);
    assert_eq!(done["deliveries"], json!([]));
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_history_is_shown_page_by_page() {
    let node = TestNode::start_with({
        let endpoint = Endpoint::start().await;
        let mut setup = with_key(&endpoint);
        let reminders = json!({"reminders":
            {"batch_window_ms": 0, "hourly_max": 1_000, "daily_max": 1_000}});
        let todo = serde_json::from_value(reminders).unwrap();
        let app = syncline_protocol::ids::AppId::trusted("todo");
        setup.config.app.insert(app, todo);
        setup
    })
    .await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    // Each for a time of its own, and so a notification of its own.
    let now_ms = SystemClock.now_ms();
    let changes = (0..101).map(|n| {
        json!({"table": "reminders", "id": format!("r{n:03}"), "op": "insert",
            "data": {"title": "a", "remindAt": wall_text(now_ms - n)}})
    });
    phone.edit(&Value::from_iter(changes));
    phone.push().await;
    told(&mut phone, 101).await;
    let page = async |of: &str| {
        let page = shown(&node, &format!("ada?app=todo{of}")).await;
        let ids = page["notifications"].as_array().unwrap().iter();
        let ids: Vec<String> = ids
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, page["next"].clone())
    };
    let (first, next) = page("").await;
    assert_eq!((first.len(), &next), (100, &json!(first[99])));
    assert!(first.is_sorted_by(|a, b| a > b), "the newest first");
    let (rest, end) = page(&format!("&before={}", first[99])).await;
    assert_eq!((rest.len(), end), (1, Value::Null));
    assert!(rest[0] < first[99]);
    // All that there are are no page that goes on.
    let (last, end) = page(&format!("&before={}&limit=100", first[0])).await;
    assert_eq!((last.len(), end), (100, Value::Null));
    let (few, next) = page("&limit=1").await;
    assert_eq!((few.as_slice(), next), (&first[..1], json!(first[0])));
    for limit in ["0", "101"] {
        let (status, refused) = asked(&node, &format!("ada?limit={limit}")).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (400, &json!("cursor_invalid"))
        );
    }
    node.app.shutdown().await;
}

#[tokio::test]
async fn only_the_operator_s_servers_may_and_what_cannot_be_is_told() {
    let endpoint = Endpoint::start().await;
    let node = TestNode::start_with(with_key(&endpoint)).await;
    let http = Client::new();
    for path in ["ada", "ada/devices"] {
        let nobody = http.get(url(&node, path)).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{path}");
        let stranger = http
            .get(url(&node, path))
            .header("x-service-key", "x".repeat(32));
        assert_eq!(stranger.send().await.unwrap().status(), 401, "{path}");
        // The user is no operator.
        let user = http.get(url(&node, path)).bearer_auth(node.token("ada"));
        assert_eq!(user.send().await.unwrap().status(), 401, "{path}");
        // And nobody on the public listener.
        let public = node.url(&format!("/api/v1/admin/notifications/{path}"));
        let public = http.get(public).header("x-service-key", KEY);
        assert_eq!(public.send().await.unwrap().status(), 404, "{path}");

        let (status, refused) = asked(&node, &format!("{path}?app=chat")).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (404, &json!("app_unknown"))
        );
        let (status, refused) = asked(&node, &path.replace("ada", "%00")).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (422, &json!("name_invalid"))
        );
    }
    // Who never was there has nothing.
    let none = json!({"notifications": [], "next": null});
    assert_eq!(shown(&node, "carol").await, none);
    let none = json!({"devices": [], "forgotten": []});
    assert_eq!(shown(&node, "carol/devices").await, none);
    node.app.shutdown().await;
}
