//! Programs that start at once on a server that has no keyspace of theirs.

use futures_util::future::join_all;
use syncline_storage::Store;
use syncline_storage::cassandra::{CassandraOptions, CassandraStore};

use super::server::Server;
use crate::cluster::processes::{end, hub_with_device};
use crate::cluster::server::Server as Nats;
use crate::cluster::{all_are_equal, all_write};

const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Keyspaces, one after the other: who is first in what is chance.
const ROUNDS: usize = 3;

/// Each has a session of its own. What one writes the others show, so all have the same tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_that_start_at_once_without_a_keyspace_make_one_schema() {
    let (server, bus) = (Server::start(&[]), Nats::start());
    for _ in 0..ROUNDS {
        let url = server.new_keyspace();
        let dirs = NAMES.map(|name| (name, tempfile::tempdir().unwrap()));
        let services = (url.as_str(), bus.url());
        let starting = dirs
            .iter()
            .map(|(name, dir)| hub_with_device(services, (name, dir.path())));
        let (hubs, mut devices): (Vec<_>, Vec<_>) = join_all(starting).await.into_iter().unzip();
        all_write(&mut devices, "a", 3).await;
        all_are_equal(&mut devices).await;
        for hub in hubs {
            assert_eq!(end(hub, "TERM").await, Some(0));
        }
        let options = CassandraOptions::parse(&url).unwrap();
        let store = CassandraStore::open_as_it_is(&options).await.unwrap();
        assert_eq!(store.spaces(None, 9).await.unwrap().len(), 1);
    }
}
