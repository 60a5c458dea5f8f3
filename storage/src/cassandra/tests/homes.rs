//! A home that is lost, and the datacenter that takes its place.

use super::super::{CassandraOptions, OpenError};
use super::server::Server;
use super::{CassandraStore, options, runtime};

#[test]
fn a_home_that_is_lost_is_taken_by_who_says_so() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let lost = "UPDATE KS.meta SET said = 'local lost' WHERE name = 'home' IF EXISTS";
        store.server.raw(lost).await;
        let taking = CassandraOptions {
            datacenter: Some("datacenter1".to_owned()),
            takes_home: true,
            ..options.clone()
        };
        for refused in [
            CassandraStore::open(&options).await,
            // Who only reads takes nothing.
            CassandraStore::open_as_it_is(&taking).await,
        ] {
            let told = refused.map(drop).unwrap_err();
            assert!(matches!(told, OpenError::Home { .. }), "{told}");
            let told = told.to_string();
            for said in ["take_home=true", "hub new-epoch", "--paxos-only"] {
                assert!(told.contains(said), "{told}");
            }
        }
        for open in [&taking, &taking, &options] {
            assert!(CassandraStore::open(open).await.is_ok());
        }
    });
}

/// Nobody knows then where the commits of before are agreed on.
#[test]
fn a_keyspace_that_knows_no_datacenters_is_not_taken() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let simple = "ALTER KEYSPACE KS WITH replication =
            {'class': 'SimpleStrategy', 'replication_factor': 1}";
        store.server.raw(simple).await;
        let taking = CassandraOptions {
            datacenter: Some("datacenter1".to_owned()),
            takes_home: true,
            ..options
        };
        let told = CassandraStore::open(&taking).await.map(drop).unwrap_err();
        assert!(matches!(told, OpenError::CopiesElsewhere(_)), "{told}");
    });
}
