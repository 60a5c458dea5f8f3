//! A backup comes back as it was, by whatever copies files or databases, and not by an archive.

use std::fs;
use std::path::Path;

use serde_json::json;
use syncline_hub::config::StoreUrl;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::hub_process::HubProcess;
use syncline_tests::node::TestNode;

use super::survivor::Survivor;
use super::{directory, done, file_of, node_in, node_on, refused};
use crate::postgres::server::Server;
use crate::process::hub;

const T: &str = "2026-01-01T10:00:00.000Z";

const NEW_EPOCH: &[&str] = &["new-epoch"];

/// Its database is copied, and its key: tokens of before stay good.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

async fn insert(device: &mut CompatDevice, id: &str) {
    device.insert(("tasks", id), &json!({"title": id}), T);
    device.sync().await;
}

fn ids(device: &CompatDevice) -> Vec<String> {
    device.shows().into_keys().map(|(_, id)| id).collect()
}

/// Both know of a commit that the backup lacks, and the next one has its number.
#[tokio::test]
async fn devices_without_epochs_skip_nothing_of_a_restored_file() {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    insert(&mut phone, "k1").await;
    node.app.shutdown().await;
    copy(old.path(), new.path());
    let node = node_in(&old).await;
    for device in [&mut phone, &mut laptop] {
        device.turn_to(&node, "ada");
    }
    insert(&mut phone, "k2").await;
    laptop.sync().await;
    node.app.shutdown().await;

    let said = done(new.path(), &file_of(new.path()), NEW_EPOCH);
    assert_eq!(said, "new epochs: 1 spaces\n");
    let node = node_in(&new).await;
    for device in [&mut phone, &mut laptop] {
        device.turn_to(&node, "ada");
    }
    insert(&mut phone, "k3").await;
    laptop.sync().await;
    // What the backup lacks stays on devices that cannot be told so, and nowhere else.
    assert_eq!(ids(&laptop), ["k1", "k2", "k3"]);
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    fresh.sync().await;
    assert_eq!(ids(&fresh), ["k1", "k3"]);
    node.app.shutdown().await;
}

/// A native device offers back what the backup lacks.
async fn a_native_device_goes_on(dir: &Path, url: &str, start: impl AsyncFn() -> TestNode) {
    let node = start().await;
    let mut phone = Survivor::new("ada", "phone");
    phone.insert("k1", "milk");
    phone.sync(&node).await;
    node.app.shutdown().await;
    for spaces in ["1", "1"] {
        let said = done(dir, url, NEW_EPOCH);
        assert_eq!(said, format!("new epochs: {spaces} spaces\n"));
    }
    let node = start().await;
    phone.title("k1", "bread");
    phone.sync(&node).await;
    assert_eq!(phone.resets, ["epoch"]);
    assert_eq!(phone.client(), "phone", "its marks are there");
    assert_eq!(phone.titles()["k1"], "bread");
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_native_device_is_reset_on_a_file() {
    let dir = directory();
    let url = file_of(dir.path());
    a_native_device_goes_on(dir.path(), &url, async || node_in(&dir).await).await;
}

#[tokio::test]
async fn a_native_device_is_reset_on_postgres() {
    let database = Server::shared().database().await;
    let (dir, url) = (directory(), database.url());
    let start = async || node_on(StoreUrl::Postgres(url.clone())).await;
    a_native_device_goes_on(dir.path(), &url, start).await;
}

#[test]
fn a_store_that_is_in_use_or_not_there_is_left_alone() {
    let dir = directory();
    let store = file_of(dir.path());
    let sentence = refused(dir.path(), &store, (NEW_EPOCH, "store_unopened", 5));
    assert!(sentence.contains("hub.db"), "{sentence}");
    assert!(!dir.path().join("hub.db").exists());
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.env("HUB__STORE__URL", &store);
    let node = HubProcess::start(command);
    refused(dir.path(), &store, (NEW_EPOCH, "store_in_use", 4));
    assert_eq!(node.end("TERM").0, Some(0));
    assert_eq!(
        done(dir.path(), &store, NEW_EPOCH),
        "new epochs: 0 spaces\n"
    );
}
