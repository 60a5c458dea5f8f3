//! A hub and its store on a real Cassandra.

#[allow(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../services/cassandra.rs"]
pub(crate) mod server;

mod exported;
mod hubs;
mod starting;
mod watcher;

use std::sync::Arc;

use syncline_hub::config::StoreUrl;
use syncline_storage::Store;
use syncline_storage::cassandra::{CassandraOptions, CassandraStore};
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_tests::load::{Ack, SpaceWriter, check};
use syncline_tests::node::{Setup, TestNode};

use self::server::Server;
pub(crate) use crate::postgres::server::script;
use crate::two_devices::edit_offline_and_end_equal;

const SPACES: usize = 4;

/// Of each space.
const COMMITS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_end_equal_and_what_was_acknowledged_survives_the_end_of_the_server() {
    let server = Server::start(&["commitlog_sync=batch"]);
    let mut setup = Setup::default();
    setup.config.store.url = Some(StoreUrl::Cassandra(server.new_keyspace()));
    let node = TestNode::start_with(setup).await;
    edit_offline_and_end_equal(&node).await;
    node.app.shutdown().await;
    let options = CassandraOptions::parse(&server.new_keyspace()).unwrap();
    let acked = {
        let store: Arc<dyn Store> = Arc::new(CassandraStore::open(&options).await.unwrap());
        let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
        let mut writing = tokio::task::JoinSet::new();
        for space in 0..SPACES {
            let (store, group) = (store.clone(), group.clone());
            writing.spawn(async move {
                let mut writer = SpaceWriter::open(&*store, space).await.unwrap();
                let mut acked: Vec<Ack> = Vec::new();
                for _ in 0..COMMITS {
                    acked.push(writer.step(&group).await.unwrap());
                }
                acked
            });
        }
        let acked = writing.join_all().await.concat();
        drop(group);
        server.tell("crash");
        committers.shut_down().await;
        acked
    };
    assert_eq!(acked.len(), SPACES * COMMITS);
    server.tell("start");
    let store = CassandraStore::open(&options).await.unwrap();
    assert_eq!(check(&store, SPACES, &acked).await, Ok(()));
}
