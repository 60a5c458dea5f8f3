//! A store comes back from a backup as it was, and nobody gives its spaces new epochs: a device that
//! has heard of what is lost gives it away.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use syncline_hub::app::Parts;
use syncline_protocol::compat::cursor::{Reach, Since};
use syncline_protocol::ids::Seq;
use syncline_storage::Store;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::{Setup, TestNode};

use crate::archive::{directory, node_in};

const T: &str = "2026-01-01T10:00:00.000Z";

/// Its database is copied, and its key: tokens of before stay good.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn insert(device: &mut CompatDevice, id: &str) {
    device.insert(("tasks", id), &json!({"title": id}), T);
}

fn ids(device: &CompatDevice) -> Vec<String> {
    device.shows().into_keys().map(|(_, id)| id).collect()
}

/// A node on a store that has lost the last of two commits, and two devices that know of both.
async fn restored() -> (TestNode, CompatDevice, CompatDevice) {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    insert(&mut phone, "k1");
    phone.sync().await;
    node.app.shutdown().await;
    copy(old.path(), new.path());
    let node = node_in(&old).await;
    for device in [&mut phone, &mut laptop] {
        device.turn_to(&node, "ada");
    }
    insert(&mut phone, "k2");
    phone.sync().await;
    laptop.sync().await;
    node.app.shutdown().await;
    let node = node_in(&new).await;
    for device in [&mut phone, &mut laptop] {
        device.turn_to(&node, "ada");
    }
    (node, phone, laptop)
}

/// A device ahead of the store's head by so many commits.
fn forge(device: &mut CompatDevice, commits: u64) {
    let since = Since::parse(device.cursor("tasks")).unwrap();
    let Since::At { minute, seq, .. } = since else {
        panic!("a cursor is of a commit: {since:?}");
    };
    let (seq, reach) = (Seq(seq.0 + commits), Reach::All);
    let forged = Since::At { minute, seq, reach };
    device.set_cursors(&forged.text());
}

#[tokio::test]
async fn a_pull_ahead_of_the_store_gives_it_another_epoch() {
    let (node, mut phone, mut laptop) = restored().await;
    assert_eq!(laptop.pull("tasks").await, 200);
    assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    // This has the number of what is lost.
    let mut tablet = CompatDevice::new(&node, "ada", "tablet");
    insert(&mut tablet, "k3");
    tablet.sync().await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.pull("tasks").await, 200);
        assert_eq!(ids(device), ["k1", "k2", "k3"]);
    }
    assert_eq!(ids(&tablet), ["k1", "k3"]);
    assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_changeset_ahead_of_the_store_is_merged_in_another_epoch() {
    let (node, mut phone, mut laptop) = restored().await;
    // It has the number of what is lost.
    insert(&mut laptop, "k3");
    assert_eq!(laptop.push().await, 200);
    assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    assert_eq!(phone.pull("tasks").await, 200);
    assert_eq!(ids(&phone), ["k1", "k2", "k3"]);
    assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    node.app.shutdown().await;
}

#[tokio::test]
async fn forged_cursors_change_one_epoch_in_an_interval() {
    let node = TestNode::start().await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    insert(&mut phone, "k1");
    phone.sync().await;
    laptop.sync().await;
    for _ in 0..3 {
        forge(&mut laptop, 1_000);
        insert(&mut laptop, "k2");
        assert_eq!(laptop.push().await, 200);
        forge(&mut laptop, 1_000);
        assert_eq!(laptop.pull("tasks").await, 200);
        assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    }
    // It is answered all the same, and loses nothing.
    assert_eq!(ids(&laptop), ["k1", "k2"]);
    phone.sync().await;
    assert_eq!(ids(&phone), ["k1", "k2"]);
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_forged_cursor_is_of_its_own_user_alone() {
    let node = TestNode::start().await;
    let mut ada = CompatDevice::new(&node, "ada", "phone");
    let mut eve = CompatDevice::new(&node, "eve", "phone");
    for device in [&mut ada, &mut eve] {
        insert(device, "k1");
        device.sync().await;
    }
    forge(&mut eve, 1);
    assert_eq!(eve.pull("tasks").await, 200);
    assert_eq!(node.app.metrics().epoch_changes.get(), 1);
    let before = ada.cursor("tasks").to_owned();
    ada.sync().await;
    assert_eq!(ada.cursor("tasks"), before);
    node.app.shutdown().await;
}

/// Its own view of the space is older than the device's cursor, which the store is not.
#[tokio::test]
async fn a_node_that_is_behind_takes_the_store_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&options).unwrap());
    let start = async || {
        let parts = Parts {
            store: Some(store.clone()),
            ..Parts::default()
        };
        let setup = Setup {
            parts,
            ..Setup::default()
        };
        TestNode::start_with(setup).await
    };
    let (one, other) = (start().await, start().await);
    let mut phone = CompatDevice::new(&one, "ada", "phone");
    let mut laptop = CompatDevice::new(&other, "ada", "laptop");
    insert(&mut phone, "k1");
    phone.sync().await;
    laptop.sync().await;
    for id in ["k2", "k3"] {
        insert(&mut phone, id);
        phone.sync().await;
    }
    // The other node has heard of none of it.
    phone.turn_to(&other, "ada");
    assert_eq!(phone.pull("tasks").await, 200);
    insert(&mut phone, "k4");
    assert_eq!(phone.push().await, 200);
    laptop.sync().await;
    assert_eq!(ids(&laptop), ["k1", "k2", "k3", "k4"]);
    for node in [one, other] {
        assert_eq!(node.app.metrics().epoch_changes.get(), 0);
        node.app.shutdown().await;
    }
}
