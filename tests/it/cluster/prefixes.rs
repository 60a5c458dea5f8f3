//! Two hubs on one NATS, each with a prefix of its own.

use serde_json::json;
use syncline_tests::node::TestNode;
use syncline_tests::until;

use super::ephemeral::{at, is_shown, settled};
use super::server::Server;
use super::{is_connected, lists, metric, on_bus};
use crate::postgres::server::Server as Postgres;

fn heard(node: &TestNode, kind: &str) -> u64 {
    metric(
        node,
        &format!("syncline_bus_heard_total{{kind=\"{kind}\"}}"),
    )
}

#[tokio::test]
async fn hubs_of_two_prefixes_do_not_hear_each_other() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let start = |name, prefix: &str| {
        let mut setup = on_bus(&database, name, bus.url());
        setup.config.nats.prefix = prefix.to_owned();
        TestNode::start_with(setup)
    };
    let alone = start("n1", "test").await;
    is_connected(&alone).await;
    let (one, other) = tokio::join!(start("n2", "staging"), start("n3", "staging"));
    for node in [&one, &other] {
        lists(node.app.admin_addr(), &["n2", "n3"]).await;
    }
    let mut phone = settled(&one, "phone").await;
    let mut laptop = settled(&other, "laptop").await;
    let _unseen = settled(&alone, "tablet").await;
    phone.send(&at("k1")).await;
    is_shown(&mut laptop, "phone", &json!({"at": "k1"})).await;
    // All of it was told to whoever listens, and is told again.
    let (nodes, said) = (heard(&other, "node"), heard(&other, "ephemeral"));
    until("it is told again", || {
        heard(&other, "node") > nodes && heard(&other, "ephemeral") > said
    })
    .await;
    for kind in ["node", "ephemeral"] {
        assert_eq!(heard(&alone, kind), 0, "{kind}");
    }
    lists(alone.app.admin_addr(), &["n1"]).await;
}
