//! Real programs, as an operator starts them.

use std::path::Path;

use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::hub_process::HubProcess;

use super::server::Server;
use super::{all_are_equal, all_write, insert};
use crate::postgres::server::Server as Postgres;
use crate::process::hub;

/// A hub in a directory of its own, and a device of ada's on it.
async fn hub_with_device(
    (database, bus): (&str, &str),
    (name, dir): (&str, &Path),
) -> (HubProcess, Device) {
    let mut command = hub(dir, &["serve", "--dev"]);
    command
        .env("HUB__STORE__URL", database)
        .env("HUB__NATS__URL", bus)
        .env("HUB__NODE", name)
        .env("HUB__DRAIN_S", "1");
    let hub = tokio::task::spawn_blocking(move || HubProcess::start(command))
        .await
        .unwrap();
    let mut device = Device::new("ada", name);
    let token = token(&hub).await;
    device.connect_at(hub.public, &token).await;
    (hub, device)
}

async fn token(hub: &HubProcess) -> String {
    let asked = reqwest::Client::new().post(format!("http://{}/dev/token", hub.public));
    let answer = asked
        .body(json!({"user": "ada"}).to_string())
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn three_hubs_show_each_other_what_they_take_and_a_stopping_one_loses_nothing() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let dirs = ["n1", "n2", "n3"].map(|name| (name, tempfile::tempdir().unwrap()));
    let (mut hubs, mut devices) = (Vec::new(), Vec::new());
    let url = database.url();
    for (name, dir) in &dirs {
        let (hub, device) = hub_with_device((&url, bus.url()), (name, dir.path())).await;
        hubs.push(hub);
        devices.push(device);
    }
    all_write(&mut devices, "a", 5).await;
    all_are_equal(&mut devices).await;
    devices[0].edit(&insert("last", &json!({})));
    devices[0].push().await;
    let stopping = hubs.remove(0);
    let ended = tokio::task::spawn_blocking(move || stopping.end("TERM"))
        .await
        .unwrap();
    assert_eq!(ended.0, Some(0));
    all_are_equal(&mut devices).await;
}
