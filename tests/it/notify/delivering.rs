//! Notifications that reach devices: an endpoint of the operator's stands for a pager, whose events
//! can be read. What browsers are pushed is looked at byte by byte where pushes are made.

use std::path::Path;

use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_hub::config::hidden::Hidden;
use syncline_protocol::stamp::wall_text;
use syncline_tests::device::Device;
use syncline_tests::endpoint::{Endpoint, Reply};
use syncline_tests::hub_process::HubProcess;
use syncline_tests::node::TestNode;
use syncline_tests::until;

use super::firing::{in_ms, reminder, told};
use super::{Asker, setup};
use crate::cluster::processes::{end, token};
use crate::process::hub;

pub(super) const DEVICES: &str = "/api/v1/devices";

pub(super) fn pager() -> Value {
    json!({"app": "todo", "kind": "webhook", "to": "pager", "name": "pager"})
}

async fn node(endpoint: &Endpoint) -> TestNode {
    let mut setup = setup();
    let pager = setup.config.webhooks.get_mut("pager").unwrap();
    pager.url = Some(Hidden::new(endpoint.url.clone()));
    TestNode::start_with(setup).await
}

#[tokio::test]
async fn a_registered_device_is_told_and_the_history_says_so() {
    let endpoint = Endpoint::start().await;
    let node = node(&endpoint).await;
    let ada = Asker::of(&node, "ada");
    ada.post(DEVICES, pager()).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&reminder(
        "r1",
        &json!({"title": "Buy milk", "remindAt": in_ms(200)}),
    ));
    phone.push().await;
    let event = endpoint.until_posted(1).await[0].event();
    let text = event.to_string();
    assert!(
        text.contains("Buy milk") && text.contains("reminders/r1@"),
        "{text}"
    );
    let is_done = || {
        let metrics = node.app.metrics().render();
        metrics.contains("syncline_jobs_ended_total{how=\"done\",kind=\"notify\"} 1")
    };
    until("it is delivered", is_done).await;
    let history = ada.get("/api/v1/notifications").await;
    let receipts = &history["notifications"][0]["receipts"];
    assert_eq!(
        receipts["webhook"],
        json!({"sent": 1, "failed": 0, "gone": 0}),
        "{history}"
    );
    let metrics = node.app.metrics().render();
    let sent = "syncline_notification_deliveries_total{channel=\"webhook\",how=\"sent\"} 1";
    assert!(metrics.contains(sent));
    assert!(metrics.contains("syncline_reminders_total{how=\"told\"} 1"));
    // Who wants no such channel is told without it.
    let preferences = json!({"kinds": {"reminder": {"channels": ["notice"]}}});
    let path = "/api/v1/notifications/preferences";
    ada.ask(reqwest::Method::PUT, path, preferences).await;
    phone.edit(&reminder(
        "r2",
        &json!({"title": "Quietly", "remindAt": in_ms(200)}),
    ));
    phone.push().await;
    let all = told(&mut phone, 2).await;
    assert_eq!(all[1]["channels"], json!(["notice"]), "{all:?}");
    assert_eq!(endpoint.posted().len(), 1);
    node.app.shutdown().await;
}

#[tokio::test]
async fn what_no_device_is_told_of_says_so_in_the_history() {
    let endpoint = Endpoint::start().await;
    let node = node(&endpoint).await;
    let ada = Asker::of(&node, "ada");
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&reminder(
        "r1",
        &json!({"title": "Buy milk", "remindAt": in_ms(200)}),
    ));
    phone.push().await;
    let nobody = json!({"done": true, "nobody": true});
    assert_eq!(told(&mut phone, 1).await[0]["receipts"], nobody);
    let history = ada.get("/api/v1/notifications").await;
    assert_eq!(history["notifications"][0]["receipts"], nobody, "{history}");
    let is_counted = || {
        let metrics = node.app.metrics().render();
        metrics.contains("syncline_notifications_ended_total{how=\"nobody\"} 1")
            && metrics.contains("syncline_reminder_lag_seconds_count 1")
    };
    until("it is counted", is_counted).await;
    assert!(endpoint.posted().is_empty());
    node.app.shutdown().await;
}

/// What an operator would write, and who lost a job has it back soon.
pub(super) fn write_config(dir: &Path, endpoint: &Endpoint) {
    let url = &endpoint.url;
    let text = format!(
        r#"
        [jobs]
        lease_ms = 5000
        retry_first_ms = 10

        [webhooks.pager]
        url = "{url}"
        secret = "a secret of thirty-two bytes or so"
        private = true
        notifications = true

        [app.todo.reminders]
        "#
    );
    std::fs::write(dir.join("hub.toml"), text).unwrap();
}

async fn start(dir: &Path) -> HubProcess {
    let command = hub(dir, &["serve", "--dev"]);
    let started = tokio::task::spawn_blocking(move || HubProcess::start(command));
    started.await.unwrap()
}

/// The promise: at least once, each time under the same name, and told once in the history.
#[tokio::test]
async fn a_notification_whose_hub_is_killed_is_delivered_by_the_next() {
    let (endpoint, dir) = (Endpoint::start().await, tempfile::tempdir().unwrap());
    write_config(dir.path(), &endpoint);
    endpoint.reply(Reply::Never);
    let first = start(dir.path()).await;
    let bearer = token(&first).await;
    let http = reqwest::Client::new();
    let url = format!("http://{}{DEVICES}", first.public);
    let registered = http
        .post(url)
        .bearer_auth(&bearer)
        .body(pager().to_string());
    assert_eq!(registered.send().await.unwrap().status(), 200);
    let mut phone = Device::new("ada", "phone");
    phone.connect_at(first.public, &bearer).await;
    let due = wall_text(SystemClock.now_ms() + 200);
    phone.edit(&reminder(
        "r1",
        &json!({"title": "Buy milk", "remindAt": due}),
    ));
    phone.push().await;
    endpoint.until_posted(1).await;
    assert_eq!(end(first, "KILL").await, None);
    phone.disconnect();

    let second = start(dir.path()).await;
    let bearer = token(&second).await;
    let posted = endpoint.until_posted(2).await;
    assert_eq!(posted[0].id(), posted[1].id());
    phone.connect_at(second.public, &bearer).await;
    let told = told(&mut phone, 1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    end(second, "TERM").await;
}
