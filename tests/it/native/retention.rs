//! What is deleted is forgotten after a while, and no device keeps it.

use std::sync::Arc;

use serde_json::json;
use syncline_hub::app::Parts;
use syncline_hub::clock::{Clock, ManualClock, SystemClock};
use syncline_protocol::wire::hub::ResetWhy;
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use syncline_tests::until;

const DAY_MS: u64 = 86_400_000;

/// A node that walks through its spaces without pause, and its clock, which begins so many days
/// ago.
async fn walking(days_ago: u64, compat: bool) -> (TestNode, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms() - days_ago * DAY_MS));
    let mut setup = Setup {
        parts: Parts {
            clock: Some(clock.clone()),
            ..Parts::default()
        },
        ..Setup::default()
    };
    setup.config.retention.interval_ms = 1;
    setup.config.compat.enabled = compat;
    (TestNode::start_with(setup).await, clock)
}

/// A phone that was there before a record was deleted, and its cursor.
async fn away_while_deleted(node: &TestNode) -> serde_json::Value {
    let mut laptop = Device::new("ada", "laptop");
    laptop.edit(&json!([{"table": "t", "id": "k1", "op": "insert", "data": {"a": 1}}]));
    laptop.connect(node).await;
    let (phone, welcome) = Socket::hello(node, "ada", json!({"client": "phone"})).await;
    let cursor = json!({"epoch": welcome["epoch"], "seq": welcome["head"]});
    phone.cut();
    laptop.edit(&json!([{"table": "t", "id": "k1", "op": "delete"}]));
    laptop.push().await;
    cursor
}

#[tokio::test]
async fn a_device_away_for_longer_than_the_retention_is_reset() {
    let (node, clock) = walking(100, false).await;
    let cursor = away_while_deleted(&node).await;
    clock.advance(100 * DAY_MS);
    let metrics = node.app.metrics().clone();
    until("the tombstone is collected", || {
        metrics.retention_records.get() == 1
    })
    .await;
    let hello = json!({"client": "phone", "cursor": cursor});
    let (mut phone, _) = Socket::hello(&node, "ada", hello).await;
    assert_eq!(phone.message().await["why"], "gc");
    let end = phone.message_of("snapshot_end").await;
    assert_eq!(end["count"], 0);
}

/// On the train it edited what was deleted meanwhile, and is forgotten since.
#[tokio::test]
async fn a_device_away_for_longer_with_unsent_edits_ends_equal() {
    let (node, clock) = walking(100, false).await;
    let [mut laptop, mut phone, mut fresh] =
        ["laptop", "phone", "fresh"].map(|client| Device::new("ada", client));
    for id in ["k1", "k2", "k3"] {
        laptop.edit(&json!([{"table": "t", "id": id, "op": "insert", "data": {"a": 1}}]));
    }
    laptop.connect(&node).await;
    phone.connect(&node).await;
    phone.disconnect();
    for id in ["k1", "k2"] {
        laptop.edit(&json!([{"table": "t", "id": id, "op": "delete"}]));
    }
    laptop.push().await;
    let update =
        |id| json!([{"table": "t", "id": id, "op": "update", "fields": {"a": {"value": 2}}}]);
    phone.edit(&update("k1"));
    phone.edit(&json!([{"table": "t", "id": "k2", "op": "delete"}]));
    phone.edit(&update("k3"));
    clock.advance(100 * DAY_MS);
    let metrics = node.app.metrics().clone();
    until("the tombstones are collected", || {
        metrics.retention_records.get() == 2
    })
    .await;
    phone.connect(&node).await;
    assert_eq!(metrics.resets.get(ResetWhy::Gc), 1);
    laptop.reach(phone.seq()).await;
    fresh.connect(&node).await;
    for device in [&laptop, &phone, &fresh] {
        let shown = ["k1", "k2", "k3"].map(|id| device.shows("t", id));
        assert_eq!(shown, [None, None, Some(json!({"a": 2}))]);
        assert_eq!(device.told(), fresh.told());
    }
}

#[tokio::test]
async fn where_keys_are_kept_a_device_away_for_long_is_told_what_was_deleted() {
    let (node, clock) = walking(100, true).await;
    let cursor = away_while_deleted(&node).await;
    clock.advance(100 * DAY_MS);
    let metrics = node.app.metrics().clone();
    until("the tombstone is collected", || {
        metrics.retention_records.get() == 1
    })
    .await;
    let hello = json!({"client": "phone", "cursor": cursor});
    let (mut phone, _) = Socket::hello(&node, "ada", hello).await;
    let delta = phone.message_of("delta").await;
    assert_eq!(delta["changes"][0]["op"], "delete");
    assert_eq!(delta["changes"][0]["id"], "k1");
}

#[tokio::test]
async fn without_the_first_users_protocol_its_routes_are_not_there() {
    let (node, _) = walking(0, false).await;
    let url = node.url("/sync/todo/pull?collection=t&since=1970-01-01T00:00:00.000Z");
    let reply = reqwest::Client::new()
        .get(url)
        .bearer_auth(node.token("ada"))
        .header("X-Client-Id", "phone")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 404);
}
