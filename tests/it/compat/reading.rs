//! Reads of spaces that nobody wrote to.

use serde_json::{Value, json};
use syncline_tests::compat_device::{CompatDevice, TABLES};
use syncline_tests::node::TestNode;

fn spaces(node: &TestNode) -> i64 {
    let database = rusqlite::Connection::open(node.dir().join("hub.db")).unwrap();
    let count = "SELECT count(*) FROM spaces";
    database.query_row(count, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_pull_makes_no_space_and_its_cursor_passes_nothing() {
    let node = TestNode::start().await;
    let mut empty = CompatDevice::new(&node, "ada", "tablet");
    let mut foreign = CompatDevice::new(&node, "ada", "desk");
    foreign.set_cursors("2026-03-01T10:00:00.000Z");
    for device in [&mut empty, &mut foreign] {
        // More often than is answered at once.
        for _ in 0..7 {
            assert_eq!(device.pull("tasks").await, 200);
            assert_eq!(device.reply["serverChanges"], Value::Array(Vec::new()));
        }
    }
    assert_eq!(spaces(&node), 0);
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    for table in TABLES {
        let data = json!({"title": table});
        phone.insert((table, "k"), &data, "2026-01-01T10:00:00.000Z");
    }
    assert_eq!(phone.push().await, 200);
    assert_eq!(spaces(&node), 1);
    for device in [&mut empty, &mut foreign] {
        device.sync().await;
        assert_eq!(device.shows(), phone.shows());
    }
}
