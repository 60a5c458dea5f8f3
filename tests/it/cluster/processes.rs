//! Real programs, as an operator starts them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use syncline_tests::device::Device;
use syncline_tests::hub_process::HubProcess;
use syncline_tests::issuer::Issuer;

use super::server::Server;
use super::{KEY, all_are_equal, all_write, insert};
use crate::postgres::server::Server as Postgres;
use crate::process::hub;

/// Seconds a stop may take.
pub(super) const DRAIN_S: u64 = 2;

/// A hub in a directory of its own.
pub(super) async fn start_hub(services: (&str, &str), named: (&str, &Path)) -> HubProcess {
    start(command(services, named)).await
}

/// The same, which takes the tokens of an issuer too.
pub(crate) async fn start_hub_of(
    issuer: &Issuer,
    services: (&str, &str),
    named: (&str, &Path),
) -> HubProcess {
    let mut command = command(services, named);
    command.env("HUB__AUTH__JWKS_URL", &issuer.jwks_url);
    start(command).await
}

fn command((database, bus): (&str, &str), (name, dir): (&str, &Path)) -> Command {
    let mut command = hub(dir, &["serve", "--dev"]);
    command
        .env("HUB__STORE__URL", database)
        .env("HUB__NATS__URL", bus)
        .env("HUB__NODE", name)
        .env("HUB__AUTH__SERVICE_KEY", KEY)
        .env("HUB__DRAIN_S", DRAIN_S.to_string());
    command
}

async fn start(command: Command) -> HubProcess {
    tokio::task::spawn_blocking(move || HubProcess::start(command))
        .await
        .unwrap()
}

/// Ends one by a signal; its exit code.
pub(crate) async fn end(hub: HubProcess, signal: &'static str) -> Option<i32> {
    let ended = tokio::task::spawn_blocking(move || hub.end(signal));
    ended.await.unwrap().0
}

/// The same, and a device of ada's on it.
pub(crate) async fn hub_with_device(
    services: (&str, &str),
    (name, dir): (&str, &Path),
) -> (HubProcess, Device) {
    let hub = start_hub(services, (name, dir)).await;
    let mut device = Device::new("ada", name);
    let token = token(&hub).await;
    device.connect_at(hub.public, &token).await;
    (hub, device)
}

pub(crate) async fn token(hub: &HubProcess) -> String {
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
    assert_eq!(end(hubs.remove(0), "TERM").await, Some(0));
    all_are_equal(&mut devices).await;
}
