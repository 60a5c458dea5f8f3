//! What many tests begin with.

use serde_json::json;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::TestNode;

/// Times, each later than the one before.
pub(super) const T: [&str; 4] = [
    "2026-01-01T10:00:00.000Z",
    "2026-01-01T10:00:01.000Z",
    "2026-01-01T10:00:02.000Z",
    "2026-01-01T10:00:03.000Z",
];

/// A task.
pub(super) const K1: (&str, &str) = ("tasks", "k1");

/// A phone that wrote a task which the laptop knows.
pub(super) async fn two_devices() -> (TestNode, CompatDevice, CompatDevice) {
    let node = TestNode::start().await;
    let mut phone = CompatDevice::new(&node, "ada", "phone");
    let mut laptop = CompatDevice::new(&node, "ada", "laptop");
    phone.insert(K1, &json!({"title": "a", "done": false}), T[0]);
    phone.sync().await;
    laptop.sync().await;
    (node, phone, laptop)
}
