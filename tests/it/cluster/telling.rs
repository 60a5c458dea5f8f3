//! What comes to one node shows on the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_cluster::bus::Bus;
use syncline_cluster::faulty::{FaultyBus, Rates};
use syncline_cluster::local::LocalBus;
use syncline_hub::app::Parts;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

use super::server::Server;
use super::{all_are_equal, all_write, devices, insert, is_connected, metric, nats, on, two};
use crate::postgres::server::Server as Postgres;

#[tokio::test]
async fn a_write_on_one_node_shows_on_the_other() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    is_connected(&nodes[0]).await;
    is_connected(&nodes[1]).await;
    let mut devices = devices(&nodes).await;
    all_write(&mut devices, "a", 20).await;
    all_are_equal(&mut devices).await;
    for node in &nodes {
        assert!(metric(node, "syncline_bus_published_total{kind=\"commit\"}") > 0);
        assert!(metric(node, "syncline_bus_heard_total{kind=\"commit\"}") > 0);
        assert_eq!(
            metric(node, "syncline_bus_dropped_total{kind=\"commit\"}"),
            0
        );
    }
}

/// A node remembers for a while that it has no such space.
#[tokio::test]
async fn a_space_that_another_node_opens_is_there_for_who_was_told_that_it_is_not() {
    let database = Postgres::shared().database().await;
    let bus: Arc<dyn Bus> = Arc::new(LocalBus::default());
    let mut nodes = Vec::new();
    for name in ["n1", "n2"] {
        let mut setup = on(&database, name);
        setup.parts.bus = Some(bus.clone());
        nodes.push(TestNode::start_with(setup).await);
    }
    let [mut sender, mut witness] = [Device::new("bob", "phone"), Device::new("bob", "tablet")];
    sender.connect(&nodes[0]).await;
    witness.connect(&nodes[1]).await;
    let mut reader = CompatDevice::new(&nodes[1], "ada", "tablet");
    assert_eq!(reader.pull("tasks").await, 200);
    let mut writer = CompatDevice::new(&nodes[0], "ada", "phone");
    writer.insert(("tasks", "k1"), &json!({}), "2026-01-01T10:00:00.000Z");
    assert_eq!(writer.push().await, 200);
    // This bus keeps the order of what is told.
    sender.edit(&insert("k2", &json!({})));
    sender.push().await;
    witness.reach(sender.seq()).await;
    assert_eq!(reader.pull("tasks").await, 200);
    assert_eq!(reader.shows(), writer.shows());
    assert_eq!(reader.shows().len(), 1);
}

/// It is more than a message of the bus holds.
#[tokio::test]
async fn a_large_write_shows_on_the_other_node_too() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    is_connected(&nodes[1]).await;
    let mut devices = devices(&nodes).await;
    devices[0].edit(&insert("large", &json!({"text": "x".repeat(200 << 10)})));
    devices[0].push().await;
    all_are_equal(&mut devices).await;
    let large = metric(&nodes[1], "syncline_node_catch_ups_total{cause=\"large\"}");
    assert!(large > 0);
}

/// A node over a bus that loses 30 %, repeats 10 % and reorders 10 % of what it publishes.
async fn node_on_a_bad_bus(
    setup: super::Setup,
    url: &str,
    seed: u64,
) -> (TestNode, Arc<FaultyBus>) {
    let nats = nats(&setup.config.node, url).await;
    let rates = Rates {
        lost: 30,
        repeated: 10,
        reordered: 10,
    };
    let bus = Arc::new(FaultyBus::new(nats, rates, seed));
    let mut setup = setup;
    setup.parts = Parts {
        bus: Some(bus.clone() as Arc<dyn Bus>),
        ..Parts::default()
    };
    (TestNode::start_with(setup).await, bus)
}

#[tokio::test]
async fn devices_end_equal_though_the_bus_loses_repeats_and_reorders() {
    let (database, server) = (Postgres::shared().database().await, Server::start());
    let mut nodes = Vec::new();
    for (name, seed) in [("n1", 1), ("n2", 2), ("n3", 3)] {
        nodes.push(node_on_a_bad_bus(on(&database, name), server.url(), seed).await);
    }
    let mut devices = devices(nodes.iter().map(|(node, _)| node)).await;
    all_write(&mut devices, "a", 20).await;
    nodes.iter().for_each(|(_, bus)| bus.heal());
    all_are_equal(&mut devices).await;
}

/// So long the server stands still, and so long it may take ten times over until all is well.
const STILL: Duration = Duration::from_secs(30);
const WELL: Duration = Duration::from_secs(50);

#[tokio::test]
async fn who_only_reads_is_equal_soon_after_a_bad_bus_has_stood_still_under_load() {
    let (database, server) = (Postgres::shared().database().await, Server::start());
    let mut nodes = Vec::new();
    for (name, seed) in [("n1", 4), ("n2", 5), ("n3", 6)] {
        nodes.push(node_on_a_bad_bus(on(&database, name), server.url(), seed).await);
    }
    let mut writers = devices(nodes.iter().map(|(node, _)| node)).await;
    let mut readers = Vec::new();
    for (node, _) in &nodes {
        let mut reader = Device::new("ada", &format!("reader{}", readers.len()));
        reader.connect(node).await;
        readers.push(reader);
    }
    server.tell("pause");
    let begun = Instant::now();
    for round in 0.. {
        if begun.elapsed() > STILL {
            break;
        }
        all_write(&mut writers, &format!("r{round}"), 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.tell("resume");
    nodes.iter().for_each(|(_, bus)| bus.heal());
    let healed = Instant::now();
    writers.append(&mut readers);
    let equal = tokio::time::timeout(WELL, all_are_equal(&mut writers)).await;
    equal.expect("they never become equal");
    println!("equal {} ms after healing", healed.elapsed().as_millis());
}
