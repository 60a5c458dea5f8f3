//! A space has another history: devices on the other nodes are told at once.

use serde_json::{Value, json};
use syncline_tests::node::TestNode;
use syncline_tests::socket::Socket;

use super::server::Server;
use super::{KEY, is_connected, two};
use crate::postgres::server::Server as Postgres;

/// A socket that has everything, and its welcome.
async fn settled(node: &TestNode, client: &str) -> (Socket, Value) {
    let (mut socket, welcome) = Socket::hello(node, "ada", json!({"client": client})).await;
    socket.message_of("delta").await; // the end of its snapshot
    (socket, welcome)
}

#[tokio::test]
async fn an_erasure_is_told_on_the_other_node() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    is_connected(&nodes[1]).await;
    let (mut phone, _) = settled(&nodes[1], "phone").await;
    let erase = reqwest::Client::new()
        .delete(nodes[0].url("/api/v1/admin/user-data/ada"))
        .header("X-Service-Key", KEY);
    assert_eq!(erase.send().await.unwrap().status(), 200);
    assert_eq!(phone.message_of("reset").await["why"], "erased");
}

/// A client has seen what the store does not hold: it has lost commits.
#[tokio::test]
async fn a_new_epoch_is_told_on_the_other_node() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    is_connected(&nodes[1]).await;
    let (mut phone, welcome) = settled(&nodes[1], "phone").await;
    let cursor = json!({"epoch": welcome["epoch"], "seq": 1_000});
    let ahead = json!({"client": "laptop", "cursor": cursor});
    let (_laptop, again) = Socket::hello(&nodes[0], "ada", ahead).await;
    assert_ne!(again["epoch"], welcome["epoch"]);
    assert_eq!(phone.message_of("reset").await["why"], "epoch");
}

/// The same, by a client that asks over HTTP.
#[tokio::test]
async fn a_new_epoch_that_a_poll_brings_about_is_told_on_the_other_node() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    is_connected(&nodes[1]).await;
    let (mut phone, welcome) = settled(&nodes[1], "phone").await;
    let epoch = welcome["epoch"].as_str().unwrap();
    let ahead = nodes[0].url(&format!("/v1/todo/changes?epoch={epoch}&after=1000"));
    let polled = reqwest::Client::new()
        .get(ahead)
        .bearer_auth(nodes[0].token("ada"));
    let answer: Value = polled.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["why"], "epoch", "{answer}");
    assert_eq!(phone.message_of("reset").await["why"], "epoch");
}
