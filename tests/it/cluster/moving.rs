//! A device moves between nodes that tell each other nothing, and is never shown less than it has.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_cluster::faulty::{FaultyBus, Rates};
use syncline_cluster::local::LocalBus;
use syncline_hub::app::Parts;
use syncline_tests::node::TestNode;
use syncline_tests::socket::Socket;

use super::{insert, on};
use crate::postgres::server::Server as Postgres;

/// Two nodes over a bus on which nothing arrives.
async fn two_deaf_nodes() -> [TestNode; 2] {
    let database = Postgres::shared().database().await;
    let nothing = Rates {
        lost: 100,
        repeated: 0,
        reordered: 0,
    };
    let bus = Arc::new(FaultyBus::new(Arc::new(LocalBus::default()), nothing, 0));
    let start = async |name| {
        let mut setup = on(&database, name);
        setup.parts = Parts {
            bus: Some(bus.clone()),
            ..Parts::default()
        };
        TestNode::start_with(setup).await
    };
    [start("n1").await, start("n2").await]
}

#[tokio::test]
async fn who_moves_to_another_node_is_shown_no_less_than_it_has() {
    let nodes = two_deaf_nodes().await;
    // The session of each node is kept awake by another device.
    let _kept = [
        Socket::hello(&nodes[0], "ada", json!({"client": "tv"})).await,
        Socket::hello(&nodes[1], "ada", json!({"client": "car"})).await,
    ];
    let mut cursor = Value::Null;
    for m in 1..=10 {
        let (here, there) = match m % 2 {
            0 => (&nodes[0], &nodes[1]),
            _ => (&nodes[1], &nodes[0]),
        };
        let had = cursor["seq"].as_u64().unwrap_or(0);
        let more = json!({"client": "phone", "cursor": cursor});
        let (mut socket, welcome) = Socket::hello(here, "ada", more).await;
        assert!(welcome["head"].as_u64().unwrap() >= had, "{welcome}");
        assert_eq!(welcome["acked"].as_u64().unwrap_or(0), m - 1);
        let changes = insert(&format!("k{m}"), &json!({"m": m}));
        let push = json!({"t": "push", "muts": [{"m": m, "changes": changes}]});
        socket.send(&push).await;
        let verdicts = socket.message_of("verdicts").await;
        let seq = verdicts["results"][0]["seq"].as_u64().unwrap();
        assert!(seq > had, "{verdicts}");
        socket.cut();
        cursor = json!({"epoch": welcome["epoch"], "seq": seq});
        // The same over HTTP, on the node that took nothing of it.
        let epoch = welcome["epoch"].as_str().unwrap();
        let changes = there.url(&format!("/v1/todo/changes?epoch={epoch}&after={had}"));
        let asked = reqwest::Client::new()
            .get(changes)
            .bearer_auth(there.token("ada"));
        let page: Value = asked.send().await.unwrap().json().await.unwrap();
        assert_eq!(page["to"], seq, "{page}");
    }
}
