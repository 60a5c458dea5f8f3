//! Which levels of consistency are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use scylla::errors::ExecutionError;
use syncline_protocol::ids::{NodeId, Seq};

use super::super::connect::{home, session_of};
use super::super::hold::Hold;
use super::super::settings::commitlog_sync;
use super::super::{CassandraOptions, CassandraStore, OpenError, Serial};
use super::server::Server as ServerProcess;
use super::way::{Asked, Way, Wire, behind_a_way, opened_behind, way_to};
use super::{opened, options, runtime};
use crate::conformance::jobs::desk::{job, keep, webhook};
use crate::conformance::space::{NOW, Space, UNLIMITED, key, titled, tombstone};
use crate::jobs::{Claim, Ended, Outcome, Wanted};
use crate::types::{Collect, Keys};
use crate::{JobStore, Store};

/// The levels of a cluster of which only the home agrees, and of one of which all do.
const LOCAL: [Wire; 2] = [Wire::LocalQuorum, Wire::LocalSerial];
const GLOBAL: [Wire; 2] = [Wire::Quorum, Wire::Serial];

/// Statements that write no space, and have no condition: what they say is a hint, or found by one.
const BESIDE: [&str; 5] = [".names", ".turns", ".dead_jobs", ".dead ", ".dead("];

/// Reads that are hints: turns, what is dead, the names of writers and of spaces.
const HINTS: &[&str] = &["SELECT at, ", "(kind, n) IN ?", "SELECT app FROM"];

/// Any read: a commit looks where things stood before.
const ANY: &[&str] = &["SELECT"];

/// Of everything that was asked: what tells is of now, and what is written of a space is agreed on. How many
/// batches there were, and how many reads of now.
fn checked(all: &[Asked], [quorum, serial]: [Wire; 2], hints: &[&str]) -> (usize, usize) {
    let (mut batches, mut reads) = (0, 0);
    for asked in all {
        match asked {
            Asked::Batch(texts, level, agreed) => {
                assert_eq!((*level, *agreed), (quorum, Some(serial)), "{texts:?}");
                assert!(texts.iter().any(|text| text.contains(" IF ")), "{texts:?}");
                batches += 1;
            }
            Asked::One(text, level) if text.starts_with("SELECT") => {
                let is_hint = *level == quorum && hints.iter().any(|hint| text.contains(hint));
                assert!(*level == serial || is_hint, "{level:?}: {text}");
                reads += usize::from(*level == serial);
            }
            Asked::One(text, level) => {
                assert_eq!(*level, quorum, "{text}");
                assert!(BESIDE.iter().any(|table| text.contains(table)), "{text}");
            }
        }
    }
    (batches, reads)
}

/// Does what a hub does with a space, and looks at what was asked for each.
async fn ask_everything((store, way): (CassandraStore, Arc<Way>), levels: [Wire; 2]) {
    let asks = async |hints: &[&str], batches_min: usize, reads_min: usize| {
        let (batches, reads) = checked(&way.asked().await, levels, hints);
        assert!(batches >= batches_min, "{batches} batches");
        assert!(reads >= reads_min, "{reads} reads of now");
    };
    let mut space = Space::open(&store).await;
    asks(HINTS, 1, 1).await;
    let records = vec![
        (key("t", "a"), titled("a", 0)),
        (key("t", "b"), tombstone(1)),
    ];
    let mut commit = space.draft(records);
    commit.jobs = vec![keep(job("a"))];
    assert_eq!(space.commit(commit).await, Ok(()));
    asks(ANY, 1, 0).await;
    let kind = webhook();
    let claim = Claim {
        wanted: vec![Wanted::of(kind, 9)],
        holder: NodeId::trusted("n1"),
        now_ms: NOW + 500,
        lease_ms: 90_000,
        per_space: 9,
    };
    let leased = store.claim(&claim).await.unwrap();
    asks(HINTS, 1, 1).await;
    let lease = leased[0].lease.clone();
    let outcome = Outcome::Done;
    let ended = store.finish(&[Ended { lease, outcome }], NOW + 500).await;
    assert_eq!(ended, Ok(vec![Ok(())]));
    asks(HINTS, 1, 1).await;
    assert_eq!(space.changes(Seq(0), UNLIMITED).await.records.len(), 2);
    asks(HINTS, 0, 2).await;
    assert_eq!(space.snapshot(None, UNLIMITED).await.records.len(), 1);
    asks(HINTS, 0, 1).await;
    let old = Collect {
        dead_before_ms: NOW + 1,
        marks_before_ms: 0,
        keys: Keys::Remove,
        limit: 9,
        bytes: usize::MAX,
    };
    let collected = store.collect(&space.key, old).await;
    assert_eq!(collected.map(|done| done.tombstones), Ok(1));
    // Whether anything may be old is a hint. What goes is found anew.
    asks(ANY, 1, 1).await;
    let hold = Hold::take(&store.server, &space.key).await.unwrap();
    hold.let_go(&store.server, &space.key).await;
    asks(HINTS, 2, 0).await;
    space.refresh().await;
    let changed = store.new_epoch(&space.key, space.view.epoch, NOW).await;
    assert_ne!(changed.map(|view| view.epoch), Ok(space.view.epoch));
    asks(HINTS, 1, 1).await;
    let erased = store.erase(&space.key, NOW).await;
    assert_eq!(erased.map(|held| held.records), Ok(1));
    asks(HINTS, 1, 1).await;
    let held = store.holdings(&space.key).await;
    assert_eq!(held.map(|held| held.records), Ok(0));
    asks(HINTS, 0, 1).await;
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

/// As they are on the wire.
#[test]
fn commits_are_agreed_on_in_the_home_datacenter() {
    runtime().block_on(async {
        ask_everything(behind_a_way().await, LOCAL).await;
    });
}

#[test]
fn commits_are_agreed_on_by_all_datacenters_if_that_is_wanted() {
    runtime().block_on(async {
        let (way, url) = way_to(ServerProcess::shared()).await;
        let options = CassandraOptions {
            serial: Serial::Global,
            ..options(&url)
        };
        ask_everything(opened_behind(way, &options).await, GLOBAL).await;
    });
}

/// A commit that is told nothing of how its records stood looks first, and that look is a hint.
#[test]
fn the_look_of_a_commit_is_a_hint() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        let space = Space::open(&store).await;
        way.asked().await;
        let commit = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        assert_eq!(space.commit(commit).await, Ok(()));
        let asked = way.asked().await;
        let levels: Vec<_> = asked.iter().map(level).collect();
        let agreed = Some(Wire::LocalSerial);
        assert_eq!(
            levels,
            [(Wire::LocalQuorum, None), (Wire::LocalQuorum, agreed)]
        );
    });
}

fn level(asked: &Asked) -> (Wire, Option<Wire>) {
    match asked {
        Asked::One(_, level) => (*level, None),
        Asked::Batch(_, level, agreed) => (*level, *agreed),
    }
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
