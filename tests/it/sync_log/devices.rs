//! Devices of the old server, with its cursors and what it left on them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use syncline_hub::config::StoreUrl;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::TestNode;

use super::{OldServer, at};
use crate::archive::{directory, file_of, node_on};
use crate::postgres::server::Server;

/// What that server told its devices last: its own time.
const OLD_CURSOR: &str = "2026-03-02T08:15:30.123456789Z";

/// Two users, two apps: conflicts, deletes, records made again, resent requests, odd rows.
async fn some_history(old: &OldServer) {
    let times: Vec<String> = (0..60).map(at).collect();
    let t = |second: usize| times[second].as_str();
    let data = |title: &str, second: usize| {
        format!(
            r#"{{"title":"{title}","done":false,"updatedAt":"{}"}}"#,
            t(second)
        )
    };
    let stamps = |name: &str, second: usize| format!(r#"{{"{name}":"{}"}}"#, t(second));
    let deleted = |second: usize| format!(r#"{{"deletedAt":"{}"}}"#, t(second));
    let milk = data("milk", 1);
    let no_data = "{}";
    old.add(&[
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "insert",
            &milk,
            "{}",
            "phone",
            t(2),
        ],
        // Sent twice, since its answer was lost.
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "insert",
            &milk,
            "{}",
            "phone",
            t(3),
        ],
        // The laptop wrote later and sent earlier.
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "update",
            r#"{"title":"of the laptop"}"#,
            &stamps("title", 9),
            "laptop",
            t(10),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "update",
            r#"{"title":"of the phone"}"#,
            &stamps("title", 8),
            "phone",
            t(11),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "update",
            r#"{"done":true}"#,
            &stamps("done", 12),
            "phone",
            t(12),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "k2",
            "insert",
            &data("bread", 4),
            "{}",
            "laptop",
            t(4),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "gone",
            "insert",
            &data("gone", 5),
            "{}",
            "laptop",
            t(5),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "gone",
            "delete",
            &deleted(6),
            "{}",
            "phone",
            t(6),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "gone",
            "update",
            r#"{"title":"too late"}"#,
            &stamps("title", 20),
            "laptop",
            t(20),
        ],
        // Deleted, and made again.
        [
            "todo",
            "ada",
            "tasks",
            "back",
            "insert",
            &data("first life", 5),
            "{}",
            "phone",
            t(5),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "back",
            "delete",
            &deleted(7),
            "{}",
            "laptop",
            t(7),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "back",
            "insert",
            &data("second life", 13),
            "{}",
            "phone",
            t(14),
        ],
        // A clock that is years ahead, and an honest one later.
        [
            "todo",
            "ada",
            "labels",
            "l1",
            "insert",
            &data("red", 1),
            "{}",
            "phone",
            t(2),
        ],
        [
            "todo",
            "ada",
            "labels",
            "l1",
            "update",
            r#"{"title":"of 2099"}"#,
            r#"{"title":"2099-01-01T00:00:00.000Z"}"#,
            "laptop",
            t(15),
        ],
        [
            "todo",
            "ada",
            "labels",
            "l1",
            "update",
            r#"{"title":"green"}"#,
            &stamps("title", 16),
            "phone",
            t(16),
        ],
        // Nothing of these can be stored, or seen.
        [
            "todo",
            "ada",
            "tasks",
            "odd",
            "update",
            "[1]",
            "{}",
            "phone",
            t(17),
        ],
        [
            "todo",
            "ada",
            "tasks",
            "odd",
            "update",
            r#"{"title":"no insert"}"#,
            &stamps("title", 17),
            "phone",
            t(17),
        ],
        [
            "todo",
            "bob",
            "tasks",
            "k1",
            "insert",
            &data("of bob", 3),
            "{}",
            "phone",
            t(3),
        ],
        [
            "todo",
            "bob",
            "tasks",
            "b1",
            "insert",
            &data("only bob's", 3),
            "{}",
            "phone",
            t(3),
        ],
        [
            "contacts",
            "ada",
            "tasks",
            "k1",
            "insert",
            &data("a contact", 30),
            "{}",
            "phone",
            t(30),
        ],
        [
            "contacts",
            "ada",
            "tasks",
            "c1",
            "insert",
            &data("a contact", 3),
            "{}",
            "phone",
            t(3),
        ],
        [
            "contacts",
            "bob",
            "tasks",
            "c1",
            "delete",
            no_data,
            "{}",
            "phone",
            t(3),
        ],
    ])
    .await;
}

type Shown = BTreeMap<(String, String), Map<String, Value>>;

fn record(title: &str, done: bool, second: u32) -> Map<String, Value> {
    let value = json!({"title": title, "done": done, "updatedAt": at(second)});
    value.as_object().unwrap().clone()
}

fn shown(of: &[(&str, &str, Map<String, Value>)]) -> Shown {
    let one = |(table, id, record): &(&str, &str, Map<String, Value>)| {
        (((*table).to_owned(), (*id).to_owned()), record.clone())
    };
    of.iter().map(one).collect()
}

/// What the log amounts to, of ada's todos.
fn folded() -> Shown {
    shown(&[
        ("tasks", "k1", record("of the laptop", true, 1)),
        ("tasks", "k2", record("bread", false, 4)),
        ("tasks", "back", record("second life", false, 13)),
        ("labels", "l1", record("green", false, 1)),
    ])
}

/// The phone as replaying arrivals left it: its own last writes, and what came to it in time.
fn old_phone(node: &TestNode) -> CompatDevice {
    let mut phone = CompatDevice::new(node, "ada", "phone");
    let insert = |phone: &mut CompatDevice, key, title: &str, second| {
        phone.insert(key, &json!({"title": title, "done": false}), &at(second));
    };
    insert(&mut phone, ("tasks", "k1"), "of the phone", 1);
    insert(&mut phone, ("tasks", "k2"), "bread", 4);
    // It was never told of the delete by the laptop, nor that its own was taken.
    insert(&mut phone, ("tasks", "gone"), "gone", 5);
    insert(&mut phone, ("tasks", "back"), "second life", 13);
    insert(&mut phone, ("labels", "l1"), "of 2099", 1);
    // All of that was sent long ago.
    phone.pending.clear();
    phone.set_cursors(OLD_CURSOR);
    phone
}

async fn go_on(store: StoreUrl) {
    let node = node_on(store).await;
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    fresh.sync().await;
    assert_eq!(fresh.shows(), folded());

    let mut phone = old_phone(&node);
    phone.sync().await;
    assert_eq!(phone.shows(), folded(), "a device with an old cursor");

    // Another comes with what it never sent, an insert that was taken without its knowing among it.
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    laptop.insert(
        ("tasks", "k1"),
        &json!({"title": "milk", "done": false}),
        &at(1),
    );
    laptop.insert(
        ("tasks", "back"),
        &json!({"title": "first life", "done": false}),
        &at(5),
    );
    laptop.pending.clear();
    laptop.set_cursors(OLD_CURSOR);
    laptop.insert(
        ("tasks", "k2"),
        &json!({"title": "bread", "done": false}),
        &at(4),
    );
    laptop.update(("tasks", "k2"), ("title", json!("rye bread")), &at(50));
    laptop.insert(
        ("tasks", "k9"),
        &json!({"title": "unsent", "done": true}),
        &at(51),
    );
    laptop.delete(("tasks", "back"), &at(52));
    // An edit that was never sent, older than what the laptop wrote there.
    let late = ("title", json!("older than the fold"));
    phone.update(("tasks", "k1"), late, &at(3));
    for _ in 0..2 {
        laptop.sync().await;
        phone.sync().await;
        fresh.sync().await;
    }
    let mut expected = folded();
    expected.remove(&("tasks".into(), "back".into()));
    expected.extend(shown(&[
        ("tasks", "k2", record("rye bread", false, 4)),
        ("tasks", "k9", record("unsent", true, 51)),
    ]));
    let mut new = CompatDevice::new(&node, "ada", "new");
    new.sync().await;
    for device in [&new, &fresh, &phone, &laptop] {
        assert_eq!(device.shows(), expected);
    }

    let mut bob = CompatDevice::new(&node, "bob", "phone");
    bob.sync().await;
    let bobs = [
        ("tasks", "k1", record("of bob", false, 3)),
        ("tasks", "b1", record("only bob's", false, 3)),
    ];
    assert_eq!(
        bob.shows(),
        shown(&bobs),
        "nothing of ada's, nothing of another app"
    );
    node.app.shutdown().await;
}

const SAYS: &str = "imported: 22 rows read, 21 folded, 1 set aside\n\
    4 spaces (0 imported before), 8 records, 2 tombstones, 1 hidden, 5 clients, 1 dead letters\n\
    set aside, change_invalid: 1\ntimes too far ahead: 1\nrows that came or went since it began: 0\n";

#[tokio::test]
async fn devices_go_on_with_a_hub_on_sqlite() {
    let (dir, old) = (directory(), OldServer::start().await);
    some_history(&old).await;
    assert_eq!(old.import_into(&file_of(dir.path())), SAYS);
    go_on(StoreUrl::Sqlite(dir.path().join("hub.db"))).await;
}

#[tokio::test]
async fn devices_go_on_with_a_hub_on_postgres() {
    let (database, old) = (Server::shared().database().await, OldServer::start().await);
    some_history(&old).await;
    assert_eq!(old.import_into(&database.url()), SAYS);
    go_on(StoreUrl::Postgres(database.url())).await;
}
