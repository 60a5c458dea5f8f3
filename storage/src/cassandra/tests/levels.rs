//! Which levels of consistency are asked for.

use scylla::statement::{Consistency, SerialConsistency};

use super::super::connect::home;
use super::super::server::{Level, Server, Writes};
use super::super::statements::Text;
use super::super::{CassandraOptions, CassandraStore, Serial};
use super::{opened, options, runtime};

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
        let (_, lent) = opened().await;
        let options = CassandraOptions {
            serial: Serial::Global,
            ..options(&lent.keyspace().url)
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
