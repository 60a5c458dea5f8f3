//! Hubs of two versions beside each other.

use super::server::Server;
use super::{all_are_equal, all_write, devices, is_connected, metric, on, on_bus};
use crate::postgres::server::Server as Postgres;
use syncline_tests::node::TestNode;
use syncline_tests::until;

/// The newer one is played by a node without the bus, whose commits are told by hand: the first
/// byte of a message is its version.
#[tokio::test]
async fn what_a_newer_hub_tells_in_an_unknown_form_is_read_from_the_store() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let old = TestNode::start_with(on_bus(&database, "old", bus.url())).await;
    let new = TestNode::start_with(on(&database, "new")).await;
    is_connected(&old).await;
    let told_by_hand = async_nats::connect(bus.url()).await.unwrap();
    let mut devices = devices([&old, &new]).await;
    all_write(&mut devices[1..], "a", 3).await;
    let newer = "syncline_node_catch_ups_total{cause=\"newer\"}";
    told_by_hand
        .publish("sync.v1.chg.7.todo.ada", vec![2, 1, 2, 3].into())
        .await
        .unwrap();
    all_are_equal(&mut devices).await;
    until("it counts", || metric(&old, newer) > 0).await;
}
