//! What comes to one node shows on the other.

use std::sync::Arc;

use serde_json::json;
use syncline_cluster::bus::Bus;
use syncline_cluster::faulty::{FaultyBus, Rates};
use syncline_cluster::nats::{Login, NatsBus, NatsOptions};
use syncline_hub::app::Parts;
use syncline_tests::node::TestNode;

use super::server::Server;
use super::{all_are_equal, all_write, devices, insert, is_connected, metric, on, two};
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
    let again = metric(&nodes[1], "syncline_node_catch_ups_total{cause=\"repeat\"}");
    assert!(large + again > 0);
}

/// A node over a bus that loses 30 %, repeats 10 % and reorders 10 % of what it publishes.
async fn node_on_a_bad_bus(
    setup: super::Setup,
    url: &str,
    seed: u64,
) -> (TestNode, Arc<FaultyBus>) {
    let options = NatsOptions {
        servers: NatsOptions::parse_servers(url).unwrap(),
        login: Login::Nobody,
        ca: None,
        certificate: None,
        connections: 2,
        node: setup.config.node.clone(),
    };
    let nats = NatsBus::start(&options, Arc::new(|_| {})).await.unwrap();
    let rates = Rates {
        lost: 30,
        repeated: 10,
        reordered: 10,
    };
    let bus = Arc::new(FaultyBus::new(Arc::new(nats), rates, seed));
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
