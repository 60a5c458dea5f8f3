//! Presence and broadcasts reach devices on other nodes, and go with whoever showed them.

use serde_json::{Value, json};
use syncline_tests::hub_process::HubProcess;
use syncline_tests::node::TestNode;
use syncline_tests::socket::{Got, Socket};
use syncline_tests::until;

use super::processes::{end, start_hub, token};
use super::server::Server;
use super::{lists, metric, on_bus, two};
use crate::postgres::server::Server as Postgres;

/// A device that has everything there is.
pub(super) async fn settled(node: &TestNode, client: &str) -> Socket {
    let (mut socket, _) = Socket::hello(node, "ada", json!({"client": client})).await;
    socket.message_of("delta").await; // the end of its snapshot
    socket
}

pub(super) fn at(place: &str) -> Value {
    json!({"t": "presence", "state": {"at": place}})
}

/// Waits until a socket is told this of a client.
pub(super) async fn is_shown(socket: &mut Socket, client: &str, state: &Value) {
    loop {
        let told = socket.message_of("presence").await;
        if told["client"] == client && told["state"] == *state {
            return;
        }
    }
}

/// Waits until nodes know of each other, so that they tell each other everything.
async fn know_each_other(nodes: &[TestNode], names: &[&str]) {
    for node in nodes {
        lists(node.app.admin_addr(), names).await;
    }
}

#[tokio::test]
async fn presence_on_one_node_is_shown_on_the_others_changes_and_ends_with_its_socket() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let start = |name| TestNode::start_with(on_bus(&database, name, bus.url()));
    let nodes = tokio::join!(start("n1"), start("n2"), start("n3"));
    let nodes = [nodes.0, nodes.1, nodes.2];
    know_each_other(&nodes, &["n1", "n2", "n3"]).await;
    let mut phone = settled(&nodes[0], "phone").await;
    let mut laptop = settled(&nodes[1], "laptop").await;
    phone.send(&at("k1")).await;
    is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
    phone.send(&at("k2")).await;
    is_shown(&mut laptop, "phone", &json!({"at": "k2"})).await;
    // Who comes later is shown it too, where nobody was before and where somebody was.
    for (node, client) in [(2, "tablet"), (1, "tv")] {
        let (mut late, _) = Socket::hello(&nodes[node], "ada", json!({"client": client})).await;
        is_shown(&mut late, "phone", &json!({"at": "k2"})).await;
    }
    let (_bob, _) = Socket::hello(&nodes[1], "bob", json!({"client": "bobs"})).await;
    phone
        .send(&json!({"t": "broadcast", "room": "r", "data": 7}))
        .await;
    let said = laptop.message_of("broadcast").await;
    assert_eq!(
        said,
        json!({"t": "broadcast", "room": "r", "from": "phone", "data": 7})
    );
    phone.cut();
    is_shown(&mut laptop, "phone", &Value::Null).await;
}

/// Its last socket leaves a session that sleeps: nobody is there to say goodbye.
#[tokio::test]
async fn presence_of_a_sleeping_session_ends_with_its_socket() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let start = |name| {
        let mut setup = on_bus(&database, name, bus.url());
        setup.config.session.idle_ms = 20;
        TestNode::start_with(setup)
    };
    let nodes = tokio::join!(start("n1"), start("n2"));
    let nodes = [nodes.0, nodes.1];
    know_each_other(&nodes, &["n1", "n2"]).await;
    let mut phone = settled(&nodes[0], "phone").await;
    let mut laptop = settled(&nodes[1], "laptop").await;
    // One of the first user's clients stays where the phone was: it is shown nothing, and keeps the
    // session from ending.
    let mut watcher = Socket::connect_to(&nodes[0], "/ws/todo").await;
    let auth = json!({"type": "auth", "token": nodes[0].token("ada")});
    watcher.send(&auth).await;
    assert_eq!(watcher.message().await, json!({"type": "auth-ok"}));
    phone.send(&at("k1")).await;
    is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
    for node in &nodes {
        until("its session sleeps", || {
            metric(node, "syncline_sessions_asleep") == 1
        })
        .await;
    }
    phone.cut();
    is_shown(&mut laptop, "phone", &Value::Null).await;
}

async fn phone_on(hub: &HubProcess) -> Socket {
    let more = json!({"client": "phone", "token": token(hub).await});
    let (mut phone, _) = Socket::hello_at(hub.public, more).await;
    phone.send(&at("k1")).await;
    phone
}

#[tokio::test]
async fn presence_ends_with_its_node_however_that_ends() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let url = database.url();
    let node = TestNode::start_with(on_bus(&database, "n1", bus.url())).await;
    let mut laptop = settled(&node, "laptop").await;
    for (dir, signal) in dirs.iter().zip(["KILL", "TERM"]) {
        let hub = start_hub((&url, bus.url()), ("n2", dir.path())).await;
        lists(hub.admin, &["n1", "n2"]).await;
        let phone = phone_on(&hub).await;
        is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
        end(hub, signal).await;
        is_shown(&mut laptop, "phone", &Value::Null).await;
        phone.cut();
    }
}

/// Nothing is heard of a node any more, though it is there: what it showed is gone, until it is
/// heard again.
#[tokio::test]
async fn presence_of_a_node_that_is_cut_off_goes_and_comes_back_with_it() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    know_each_other(&nodes, &["n1", "n2"]).await;
    let mut phone = settled(&nodes[0], "phone").await;
    let mut laptop = settled(&nodes[1], "laptop").await;
    phone.send(&at("k1")).await;
    is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
    bus.tell("pause");
    is_shown(&mut laptop, "phone", &Value::Null).await;
    bus.tell("resume");
    is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
}

/// Its outbox is full when another node's device comes and goes.
#[tokio::test]
async fn a_device_that_does_not_read_is_told_the_last_word_when_it_does() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let nodes = two(&database, bus.url()).await;
    know_each_other(&nodes, &["n1", "n2"]).await;
    let mut phone = settled(&nodes[0], "phone").await;
    let mut slow = settled(&nodes[1], "slow").await;
    let mut writer = settled(&nodes[1], "writer").await;
    for m in 1..=40 {
        let data = json!({"x": "y".repeat(200_000), "m": m});
        let edit = json!([{"table": "t", "id": "k1", "op": "insert", "data": data}]);
        writer
            .send(&json!({"t": "push", "muts": [{"m": m, "changes": edit}]}))
            .await;
        writer.message_of("verdicts").await;
    }
    for place in ["k1", "k2"] {
        phone.send(&at(place)).await;
        is_shown(&mut writer, "phone", &json!({"at": place})).await;
    }
    let mut shown = Vec::new();
    while shown.last() != Some(&json!({"at": "k2"})) {
        match slow.next().await {
            Got::Message(told) if told["t"] == "presence" => shown.push(told["state"].clone()),
            Got::Message(_) => {}
            Got::Closed(code) => panic!("closed with {code:?}"),
        }
    }
    // There may have been no room for the first word; it comes before the last or not at all.
    assert!(shown.len() <= 2, "{shown:?}");
}
