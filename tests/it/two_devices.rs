//! The README's first example.

use serde_json::json;
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

#[tokio::test]
async fn two_devices_that_edit_different_fields_of_one_record_offline_end_equal() {
    let node = TestNode::start().await;
    edit_offline_and_end_equal(&node).await;
    node.app.shutdown().await;
}

/// The example on any node.
pub(crate) async fn edit_offline_and_end_equal(node: &TestNode) {
    let mut phone = Device::new("ada", "phone");
    let mut laptop = Device::new("ada", "laptop");

    phone.connect(node).await;
    phone.edit(&json!([{"table": "tasks", "id": "k1", "op": "insert",
        "data": {"title": "Buy milk", "done": false}}]));
    phone.push().await;
    laptop.connect(node).await;
    assert_eq!(
        laptop.shows("tasks", "k1"),
        Some(json!({"title": "Buy milk", "done": false}))
    );

    // Both go offline and edit the same task.
    phone.disconnect();
    laptop.disconnect();
    phone.edit(&json!([{"table": "tasks", "id": "k1", "op": "update",
        "fields": {"done": {"value": true}}}]));
    laptop.edit(&json!([{"table": "tasks", "id": "k1", "op": "update",
        "fields": {"title": {"value": "Buy oat milk"}}}]));
    assert_eq!(
        phone.shows("tasks", "k1"),
        Some(json!({"title": "Buy milk", "done": true}))
    );

    // Back online, both show both edits.
    phone.connect(node).await;
    laptop.connect(node).await;
    phone.reach(laptop.seq()).await;
    let merged = Some(json!({"title": "Buy oat milk", "done": true}));
    assert_eq!(phone.shows("tasks", "k1"), merged);
    assert_eq!(laptop.shows("tasks", "k1"), merged);
    assert_eq!(phone.told(), laptop.told());
}
