//! Jobs that are due by the clock, once in the cluster.

use std::collections::BTreeSet;

use serde_json::json;
use syncline_hub::config::StoreUrl;
use syncline_protocol::ids::{AppId, NodeId};
use syncline_tests::endpoint::{Endpoint, Reply};
use syncline_tests::node::{Setup, TestNode};

use super::setup;
use crate::postgres::server::Server as Postgres;

/// A node that posts every second.
fn every_second(endpoint: &Endpoint, url: &str, name: &str) -> Setup {
    let mut setup = setup(endpoint, &json!([]));
    setup.config.node = NodeId::parse(name).unwrap();
    setup.config.store.url = Some(StoreUrl::Postgres(url.to_owned()));
    let schedules = json!([{"id": "tick", "cron": "* * * * * *", "job": "webhook",
        "args": {"to": "llm", "data": "tick"}}]);
    let todo = setup.config.app.get_mut(&AppId::trusted("todo")).unwrap();
    todo.schedules = serde_json::from_value(schedules).unwrap();
    setup
}

#[tokio::test]
async fn a_schedule_fires_once_each_time_however_many_nodes_there_are() {
    let (endpoint, database) = (Endpoint::start().await, Postgres::shared().database().await);
    // One that fails is made up for, and is no time of its own.
    endpoint.reply(Reply::With(503, json!({})));
    let url = database.url();
    let start = async |name| TestNode::start_with(every_second(&endpoint, &url, name)).await;
    let nodes = [start("n1").await, start("n2").await];
    let posted = endpoint.until_posted(5).await;
    let ids: BTreeSet<String> = posted.iter().map(|posted| posted.id()).collect();
    assert_eq!(
        ids.len(),
        posted.len() - 1,
        "each time but the one that failed is posted once"
    );
    let event = posted[0].event();
    assert_eq!(
        (&event["trigger"], &event["data"]),
        (&json!("tick"), &json!("tick"))
    );
    assert_eq!(
        (&event["app"], &event["table"]),
        (&json!("todo"), &json!(null))
    );
    for node in nodes {
        node.app.shutdown().await;
    }
}
