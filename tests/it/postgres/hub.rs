//! A whole hub on Postgres.

use syncline_hub::config::StoreUrl;
use syncline_tests::HUNG;
use syncline_tests::node::{Setup, TestNode};

use super::server::Server;
use crate::two_devices::edit_offline_and_end_equal;

async fn node_on(url: &str) -> TestNode {
    let mut setup = Setup::default();
    setup.config.store.url = Some(StoreUrl::Postgres(url.to_owned()));
    TestNode::start_with(setup).await
}

#[tokio::test]
async fn two_devices_end_equal_on_postgres_and_sql_reads_what_they_show() {
    let database = Server::shared().database().await;
    let node = node_on(&database.url()).await;
    edit_offline_and_end_equal(&node).await;
    let shown = "SELECT data->>'title', (data->'done')::boolean FROM syncline.records
        WHERE app = 'todo' AND space = 'ada' AND table_name = 'tasks' AND id = 'k1'";
    let row = database.raw().await.query_one(shown, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "Buy oat milk");
    assert!(row.get::<_, bool>(1));
    node.app.shutdown().await;
}

/// Asks until the answer is this one.
async fn until_ready_says(node: &TestNode, status: u16) {
    let client = reqwest::Client::new();
    let asking = async {
        while client
            .get(node.url("/ready"))
            .send()
            .await
            .unwrap()
            .status()
            != status
        {
            tokio::task::yield_now().await;
        }
    };
    let said = tokio::time::timeout(HUNG, asking).await;
    assert!(said.is_ok(), "/ready never says {status}");
}

#[tokio::test]
async fn a_node_is_ready_while_its_database_is_there() {
    let server = Server::start(&[]);
    let node = node_on(server.url()).await;
    until_ready_says(&node, 200).await;
    server.tell("crash");
    until_ready_says(&node, 503).await;
    server.tell("start");
    until_ready_says(&node, 200).await;
    edit_offline_and_end_equal(&node).await;
    node.app.shutdown().await;
}
