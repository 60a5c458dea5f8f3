//! Which levels of consistency are asked for.

use std::collections::HashMap;

use scylla::errors::ExecutionError;
use scylla::statement::{Consistency, SerialConsistency};

use super::super::connect::{home, session_of};
use super::super::server::{Level, Server, Writes};
use super::super::settings::commitlog_sync;
use super::super::statements::Text;
use super::super::{CassandraOptions, CassandraStore, OpenError, Serial};
use super::server::Server as ServerProcess;
use super::{opened, options, runtime};
use crate::conformance::space::Space;

/// Of a read of now, of a hint, of a commit, and of what a commit is agreed on.
fn levels(server: &Server) -> (Consistency, Consistency, Consistency, SerialConsistency) {
    let read = |level| server.statement(Text::Range, level).get_consistency();
    let batch = server.batch(&Writes::default());
    (
        read(Level::Serial).unwrap(),
        read(Level::Hint).unwrap(),
        batch.get_consistency().unwrap(),
        batch.get_serial_consistency().unwrap(),
    )
}

/// The one that is there when the hub starts; one that is added later is not asked.
#[test]
fn a_datacenter_that_is_alone_is_the_home() {
    let options = options("cassandra://localhost/");
    let there = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let alone = home(&options, there(&["one"]));
    assert!(matches!(alone, Ok(Some(name)) if name == "one"));
    assert!(home(&options, there(&["one", "two"])).is_err());
    let global = CassandraOptions {
        serial: Serial::Global,
        ..options
    };
    assert!(matches!(home(&global, there(&["one"])), Ok(None)));
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        assert_eq!(store.server.home(), Some("datacenter1"));
    });
}

#[test]
fn commits_are_agreed_on_in_the_home_datacenter() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let expected = (
            Consistency::LocalSerial,
            Consistency::LocalQuorum,
            Consistency::LocalQuorum,
            SerialConsistency::LocalSerial,
        );
        assert_eq!(levels(&store.server), expected);
    });
}

#[test]
fn commits_are_agreed_on_by_all_datacenters_if_that_is_wanted() {
    runtime().block_on(async {
        let options = CassandraOptions {
            serial: Serial::Global,
            ..options(&ServerProcess::shared().new_keyspace())
        };
        let store = CassandraStore::open(&options).await.unwrap();
        let expected = (
            Consistency::Serial,
            Consistency::Quorum,
            Consistency::Quorum,
            SerialConsistency::Serial,
        );
        assert_eq!(levels(&store.server), expected);
    });
}

/// Without, the driver would ask nodes of other datacenters while those of the home are away.
#[test]
fn nobody_but_the_home_is_asked() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let elsewhere = session_of(&options(&lent.keyspace().url), "elsewhere").await;
        let asked = "SELECT release_version FROM system.local";
        let answer = elsewhere.query_unpaged(asked, ()).await;
        assert!(
            matches!(answer, Err(ExecutionError::EmptyPlan)),
            "{answer:?}"
        );
        // The home that was found is the one that is asked from then on.
        let profile = store
            .server
            .session()
            .get_default_execution_profile_handle();
        let policy = format!("{:?}", profile.to_profile().get_load_balancing_policy());
        assert!(policy.contains("datacenter1"), "{policy}");
    });
}

#[test]
fn a_hub_that_would_have_others_agree_is_refused() {
    runtime().block_on(async {
        let local = options(&ServerProcess::shared().new_keyspace());
        let global = CassandraOptions {
            serial: Serial::Global,
            ..local.clone()
        };
        for (first, second) in [(&local, &global), (&global, &local)] {
            drop(CassandraStore::open(first).await.unwrap());
            for refused in [
                CassandraStore::open(second).await,
                CassandraStore::open_as_it_is(second).await,
            ] {
                let told = refused.map(drop).unwrap_err();
                assert!(matches!(told, OpenError::Home { .. }), "{told}");
            }
            let store = CassandraStore::open_as_it_is(first).await.unwrap();
            let forget = "DELETE FROM KS.meta WHERE name = 'home' IF EXISTS";
            store.server.raw(forget).await;
        }
    });
}

#[test]
fn the_copies_of_a_new_keyspace_are_of_the_home_datacenter() {
    runtime().block_on(async {
        let options = options(&ServerProcess::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let strategy = format!(
            "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{}'",
            options.keyspace
        );
        let rows = store.server.session().query_unpaged(strategy, ()).await;
        let rows = rows.unwrap().into_rows_result().unwrap();
        let (replication,) = rows.first_row::<(HashMap<String, String>,)>().unwrap();
        assert!(replication["class"].ends_with("NetworkTopologyStrategy"));
        assert_eq!(
            replication.get("datacenter1").map(String::as_str),
            Some("1")
        );
    });
}

#[test]
fn how_the_log_is_synced_is_read_from_the_server() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let sync = commitlog_sync(store.server.session()).await;
        assert_eq!(sync.as_deref(), Some("periodic"));
    });
}

#[test]
fn batches_are_counted() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let before = store.attempts().totals();
        space.put(&[("t", "a")]).await;
        space.put(&[("t", "b")]).await;
        let after = store.attempts().totals();
        let counted = (
            after.commits - before.commits,
            after.commit_batches - before.commit_batches,
            after.batches - before.batches,
        );
        assert_eq!(counted, (2, 2, 2));
    });
}
