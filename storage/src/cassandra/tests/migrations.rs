//! Keyspaces of any age, opened by any number of hubs.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Barrier;

use super::super::schema::table_id;
use super::super::{CassandraOptions, OpenError};
use super::server::Server;
use super::{CassandraStore, options, runtime};
use crate::Store;
use crate::conformance::jobs::desk::{job, keep};
use crate::conformance::space::{Space, key};

const HUBS: usize = 3;

/// Opens stores at the same moment, each by a task of its own, and has all see one schema and what is
/// written by one of them.
async fn open_at_once(options: &CassandraOptions) {
    let begin = Arc::new(Barrier::new(HUBS));
    let opening = (0..HUBS).map(|_| {
        let (begin, options) = (begin.clone(), options.clone());
        tokio::spawn(async move {
            begin.wait().await;
            CassandraStore::open(&options).await.unwrap()
        })
    });
    let stores = join_all(opening.collect::<Vec<_>>()).await.into_iter();
    let stores: Vec<CassandraStore> = stores.map(|opened| opened.unwrap()).collect();
    let named = [
        "dead",
        "dead_jobs",
        "imports",
        "ledger",
        "ledger_hints",
        "ledger_owners",
        "meta",
        "names",
        "spaces",
        "turns",
    ];
    for store in &stores {
        let seen = store.server.tables().await;
        let id = |table| table_id(&options.keyspace, table).replace('-', "");
        let expected = named.map(|table| (table.to_owned(), id(table)));
        assert_eq!(seen, expected);
    }
    for (at, store) in stores.iter().enumerate() {
        let id = format!("of hub {at}");
        Space::open(store).await.put(&[("t", id.as_str())]).await;
        for other in &stores {
            let space = Space::open(other).await;
            assert!(space.record(&key("t", &id)).await.is_some());
        }
    }
}

#[test]
fn hubs_that_start_at_once_define_everything_once() {
    runtime().block_on(async {
        open_at_once(&options(&Server::shared().new_keyspace())).await;
    });
}

#[test]
fn hubs_that_start_at_once_in_an_empty_keyspace_define_one_schema() {
    runtime().block_on(async {
        let mut options = options(&Server::shared().new_keyspace());
        super::super::server::Server::empty_keyspace(&options).await;
        options.replication = None;
        open_at_once(&options).await;
    });
}

#[test]
fn a_keyspace_of_the_first_schema_is_brought_to_the_newest() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        super::super::server::Server::before(&options, 1).await;
        let refused = CassandraStore::open_as_it_is(&options).await;
        assert!(matches!(refused, Err(OpenError::SchemaOlder { .. })));
        let opening = (0..HUBS).map(|_| CassandraStore::open(&options));
        let stores: Result<Vec<_>, _> = join_all(opening).await.into_iter().collect();
        let stores = stores.unwrap();
        let space = Space::open(&stores[0]).await;
        assert_eq!(stores[1].holdings(&space.key).await.unwrap().jobs, 0);
        let mut commit = space.draft(Vec::new());
        commit.jobs = vec![keep(job("a"))];
        assert_eq!(space.commit(commit).await, Ok(()));
        assert_eq!(stores[1].holdings(&space.key).await.unwrap().jobs, 1);
    });
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let newer = "UPDATE KS.meta SET version = 99 WHERE name = 'schema' IF version < 99";
        store.server.raw(newer).await;
        let refused = CassandraStore::open(&options).await.unwrap_err();
        let is_newer = matches!(
            refused,
            OpenError::SchemaNewer {
                found: 99,
                known: 4
            }
        );
        assert!(is_newer, "{refused}");
        assert!(refused.to_string().contains("newer version"), "{refused}");
    });
}

#[test]
fn who_only_reads_defines_nothing() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let refused = CassandraStore::open_as_it_is(&options).await;
        assert!(matches!(refused, Err(OpenError::SchemaOlder { .. })));
        drop(CassandraStore::open(&options).await.unwrap());
        assert!(CassandraStore::open_as_it_is(&options).await.is_ok());
    });
}

#[test]
fn a_datacenter_that_is_not_there_is_refused() {
    runtime().block_on(async {
        let mut options = options(&Server::shared().new_keyspace());
        options.datacenter = Some("elsewhere".to_owned());
        let refused = CassandraStore::open(&options).await;
        let told = refused.map(drop).unwrap_err();
        assert!(
            matches!(&told, OpenError::Datacenter(there) if there == "datacenter1"),
            "{told}"
        );
    });
}

#[test]
fn a_keyspace_is_not_made_without_saying_how_it_is_replicated() {
    runtime().block_on(async {
        let mut options = options(&Server::shared().new_keyspace());
        options.replication = None;
        let refused = CassandraStore::open(&options).await;
        assert!(matches!(refused, Err(OpenError::NoKeyspace(_))));
    });
}
