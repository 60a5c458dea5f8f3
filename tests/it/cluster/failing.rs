//! NATS fails in every way, and no write waits for it or is lost.

use super::server::Server;
use super::{all_are_equal, all_write, devices, is_connected, metric, on_bus, two};
use crate::postgres::server::Server as Postgres;
use syncline_tests::node::TestNode;
use syncline_tests::until;

#[tokio::test]
async fn a_server_that_stands_still_under_load_holds_up_and_loses_nothing() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    for node in &nodes {
        is_connected(node).await;
    }
    let mut devices = devices(&nodes).await;
    all_write(&mut devices, "before", 5).await;
    bus.tell("pause");
    all_write(&mut devices, "while", 30).await;
    bus.tell("resume");
    all_are_equal(&mut devices).await;
}

#[tokio::test]
async fn a_server_that_dies_under_load_and_comes_back_holds_up_and_loses_nothing() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    for node in &nodes {
        is_connected(node).await;
    }
    let mut devices = devices(&nodes).await;
    bus.tell("crash");
    all_write(&mut devices, "while", 30).await;
    bus.tell("start");
    for node in &nodes {
        until("it reconnects", || {
            metric(node, "syncline_bus_reconnects_total") > 0
        })
        .await;
    }
    all_are_equal(&mut devices).await;
    // And it is of use again.
    for node in &nodes {
        is_connected(node).await;
    }
    let heard = metric(&nodes[1], "syncline_bus_heard_total{kind=\"commit\"}");
    all_write(&mut devices, "after", 5).await;
    all_are_equal(&mut devices).await;
    until("it hears again", || {
        metric(&nodes[1], "syncline_bus_heard_total{kind=\"commit\"}") > heard
    })
    .await;
}

/// Nobody listens there: port 9 is for what is thrown away.
#[tokio::test]
async fn nodes_without_their_bus_start_serve_and_learn_from_the_store() {
    let database = Postgres::shared().database().await;
    let mut nodes = Vec::new();
    for name in ["n1", "n2"] {
        let setup = on_bus(&database, name, "nats://127.0.0.1:9");
        nodes.push(TestNode::start_with(setup).await);
    }
    let ready = reqwest::get(nodes[0].url("/ready")).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(metric(&nodes[0], "syncline_bus_connected"), 0);
    let mut devices = devices(&nodes).await;
    all_write(&mut devices, "a", 5).await;
    all_are_equal(&mut devices).await;
    for node in nodes {
        node.app.shutdown().await;
    }
}
