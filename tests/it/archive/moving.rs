//! A store moves into another engine, and its devices go on.

use std::collections::BTreeMap;

use serde_json::json;
use syncline_hub::config::StoreUrl;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::TestNode;

use super::survivor::Survivor;
use super::{directory, export, file_of, import, node_in, node_on};
use crate::postgres::server::Server;

fn titles(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(id, title): &(&str, &str)| ((*id).to_owned(), (*title).to_owned());
    of.iter().map(own).collect()
}

/// Devices wrote, one of them mutations whose verdicts it never heard, and both have more to say.
async fn two_devices(node: &TestNode) -> (Survivor, Survivor) {
    let mut phone = Survivor::new("ada", "phone");
    let mut laptop = Survivor::new("ada", "laptop");
    phone.insert("k1", "milk");
    phone.insert("k2", "bread");
    phone.insert("gone", "soon");
    phone.sync(node).await;
    laptop.sync(node).await;
    laptop.delete("gone");
    laptop.sync(node).await;
    phone.sync(node).await;
    // Its verdict is not heard, and what it wrote is written over.
    phone.title("k1", "of the phone");
    phone.push_in_vain(node).await;
    laptop.sync(node).await;
    assert_eq!(laptop.titles()["k1"], "of the phone");
    laptop.title("k1", "of the laptop");
    laptop.sync(node).await;
    // Not sent at all.
    phone.insert("k3", "written offline");
    laptop.title("k2", "written offline, too");
    (phone, laptop)
}

/// Both end equal, nothing is lost and nothing is there twice.
async fn go_on(node: &TestNode, (mut phone, mut laptop): (Survivor, Survivor)) {
    let sent = phone.unanswered();
    phone.sync(node).await;
    laptop.sync(node).await;
    phone.sync(node).await;
    assert_eq!(phone.resets, ["epoch"], "its cursor was of another history");
    assert_eq!(laptop.resets, ["epoch"]);
    // The marks came along, so nobody had to begin again.
    assert_eq!(
        (phone.client(), laptop.client()),
        ("phone".into(), "laptop".into())
    );
    let expected = titles(&[
        ("k1", "of the laptop"),
        ("k2", "written offline, too"),
        ("k3", "written offline"),
    ]);
    assert_eq!(phone.titles(), expected);
    assert_eq!(laptop.titles(), expected);
    let answered = phone.verdicts.iter().rev().take(sent);
    assert!(
        answered
            .clone()
            .all(|verdict| verdict["status"] == "applied")
    );
}

async fn moves(from: StoreUrl, to: StoreUrl, (from_url, to_url): (&str, &str)) {
    let dir = directory();
    let node = node_on(from).await;
    let devices = two_devices(&node).await;
    node.app.shutdown().await;
    export(dir.path(), from_url);
    let said = import(dir.path(), to_url);
    assert!(
        said.starts_with("imported: 1 spaces, 3 records, 2 clients, "),
        "{said}"
    );
    let node = node_on(to).await;
    go_on(&node, devices).await;
    node.app.shutdown().await;
}

#[tokio::test]
async fn devices_go_on_from_sqlite_to_postgres() {
    let (dir, database) = (directory(), Server::shared().database().await);
    let (from, to) = (file_of(dir.path()), database.url());
    let sqlite = StoreUrl::Sqlite(dir.path().join("hub.db"));
    moves(sqlite, StoreUrl::Postgres(to.clone()), (&from, &to)).await;
}

#[tokio::test]
async fn devices_go_on_from_postgres_to_sqlite() {
    let (dir, database) = (directory(), Server::shared().database().await);
    let (from, to) = (database.url(), file_of(dir.path()));
    let sqlite = StoreUrl::Sqlite(dir.path().join("hub.db"));
    moves(StoreUrl::Postgres(from.clone()), sqlite, (&from, &to)).await;
}

/// Of the first user's clients, whose cursor names its epoch by a minute.
#[tokio::test]
async fn a_compat_device_goes_on_with_its_old_cursor() {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    let at = |second: u32| format!("2026-01-01T00:00:{second:02}.000Z");
    for (id, n) in [("k1", 1), ("k2", 2), ("gone", 3)] {
        phone.insert(("tasks", id), &json!({"title": id}), &at(n));
    }
    phone.sync().await;
    laptop.sync().await;
    laptop.delete(("tasks", "gone"), &at(10));
    laptop.update(("tasks", "k1"), ("title", json!("by the laptop")), &at(11));
    laptop.sync().await;
    // It was taken, but that was never heard: it is sent again to another store.
    phone.update(("tasks", "k2"), ("title", json!("heard once")), &at(12));
    phone.push_in_vain().await;
    node.app.shutdown().await;
    export(old.path(), &file_of(old.path()));
    std::fs::rename(
        old.path().join(super::ARCHIVE),
        new.path().join(super::ARCHIVE),
    )
    .unwrap();
    import(new.path(), &file_of(new.path()));
    let node = node_in(&new).await;
    phone.turn_to(&node, "ada");
    laptop.turn_to(&node, "ada");
    laptop.update(("tasks", "k2"), ("title", json!("later")), &at(13));
    for _ in 0..2 {
        laptop.sync().await;
        phone.sync().await;
    }
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    fresh.sync().await;
    assert_eq!(fresh.shows().len(), 2);
    let title = |device: &CompatDevice, id| device.field(("tasks", id), "title");
    for device in [&phone, &laptop, &fresh] {
        assert_eq!(title(device, "k1"), Some(json!("by the laptop")));
        assert_eq!(title(device, "k2"), Some(json!("later")));
        assert_eq!(device.shows(), fresh.shows());
    }
    node.app.shutdown().await;
}

/// A clamped stamp that comes again gets the one it had: that memory came along.
#[tokio::test]
async fn a_clamped_edit_sent_again_after_the_move_wins_nothing_twice() {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    phone.insert(
        ("tasks", "k1"),
        &json!({"title": "first"}),
        "2026-01-01T00:00:00.000Z",
    );
    phone.sync().await;
    laptop.sync().await;
    // A clock years ahead; the answer is never heard.
    phone.update(
        ("tasks", "k1"),
        ("title", json!("ahead")),
        "2099-01-01T00:00:00.000Z",
    );
    phone.push_in_vain().await;
    laptop.sync().await;
    laptop.update(
        ("tasks", "k1"),
        ("title", json!("after it")),
        "2099-01-01T00:00:00.000Z",
    );
    laptop.sync().await;
    node.app.shutdown().await;
    export(new.path(), &file_of(old.path()));
    import(new.path(), &file_of(new.path()));
    let node = node_in(&new).await;
    phone.turn_to(&node, "ada");
    laptop.turn_to(&node, "ada");
    phone.sync().await;
    laptop.sync().await;
    for device in [&phone, &laptop] {
        assert_eq!(
            device.field(("tasks", "k1"), "title"),
            Some(json!("after it"))
        );
    }
    node.app.shutdown().await;
}
