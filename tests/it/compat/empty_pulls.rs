//! Most pulls find nothing new; they are answered from memory.

use std::sync::Arc;

use serde_json::json;
use syncline_hub::app::Parts;
use syncline_storage::faulty::{Fault, FaultyStore, Operation};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::{Setup, TestNode};

/// Everything that reads.
const READS: [Operation; 6] = [
    Operation::Space,
    Operation::Changes,
    Operation::Snapshot,
    Operation::Records,
    Operation::Marks,
    Operation::Verdicts,
];

#[tokio::test]
async fn a_pull_of_nothing_new_asks_nothing_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db"))).unwrap();
    let store = Arc::new(FaultyStore::scripted(sqlite));
    let setup = Setup {
        parts: Parts {
            store: Some(store.clone()),
            ..Parts::default()
        },
        ..Setup::default()
    };
    let node = TestNode::start_with(setup).await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    phone.insert(
        ("tasks", "k"),
        &json!({"title": "t"}),
        "2026-01-01T10:00:00.000Z",
    );
    assert_eq!(phone.push().await, 200);
    let mut tablet = CompatDevice::new(&node, "ada", "tablet");
    for device in [&mut phone, &mut tablet] {
        assert_eq!(device.pull("tasks").await, 200);
        assert_eq!(device.pull("tasks").await, 200);
    }
    // Whatever is read from now on fails.
    for read in READS {
        (0..20).for_each(|_| store.script(read, Some(Fault::Refused)));
    }
    for device in [&mut phone, &mut tablet] {
        assert_eq!(device.pull("tasks").await, 200);
        assert_eq!(device.shows().len(), 1);
    }
    // Who has nothing yet is read to.
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    assert_eq!(laptop.pull("tasks").await, 503);
}
