//! Reminders that were there before the config asked for any.

use std::path::Path;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_tests::device::Device;
use syncline_tests::hub_process::HubProcess;

use super::firing::{reminder, told};
use crate::cluster::processes::{end, token};
use crate::process::hub;

/// The key of the operator's servers.
const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn start(dir: &Path, config: &str) -> HubProcess {
    std::fs::write(dir.join("hub.toml"), config).unwrap();
    let mut command = hub(dir, &["serve", "--dev"]);
    command.env("HUB__AUTH__SERVICE_KEY", KEY);
    let started = tokio::task::spawn_blocking(move || HubProcess::start(command));
    started.await.unwrap()
}

async fn plan(hub: &HubProcess, app: &str) -> Response {
    let url = format!("http://{}/api/v1/admin/reminders/plan", hub.admin);
    let request = Client::new().post(url).header("x-service-key", KEY);
    request
        .body(json!({"app": app}).to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_operator_who_turns_reminders_on_has_those_that_are_there_planned() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path(), "").await;
    assert_eq!(plan(&first, "todo").await.status(), 404);
    let mut phone = Device::new("ada", "phone");
    phone.connect_at(first.public, &token(&first).await).await;
    let due = wall_text(SystemClock.now_ms());
    phone.edit(&reminder(
        "r1",
        &json!({"title": "Buy milk", "remindAt": due}),
    ));
    phone.push().await;
    phone.disconnect();
    end(first, "TERM").await;

    let second = start(dir.path(), "[app.todo.reminders]\n").await;
    let answer = plan(&second, "todo").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"planned": 1}));
    phone.connect_at(second.public, &token(&second).await).await;
    let told = told(&mut phone, 1).await;
    assert_eq!(super::titles(&told), ["Buy milk"]);
    // Asked for again it plans again, and tells nothing twice.
    assert_eq!(plan(&second, "todo").await.status(), 200);
    assert_eq!(plan(&second, "chat").await.status(), 404);
    end(second, "TERM").await;
}
