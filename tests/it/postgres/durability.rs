//! What was acknowledged is there after the server was ended at once, unless it acknowledged too
//! early.

use std::sync::Arc;

use syncline_storage::Store;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::postgres::{PostgresOptions, PostgresStore, Synchronous};
use syncline_tests::load::{Ack, Loss, SpaceWriter, check};

use super::server::Server;

const SPACES: usize = 4;

/// Of each space.
const COMMITS: usize = 50;

/// What is not yet on disk stays in the server's memory, so that it is lost when it ends.
const LATE_WRITES: [&str; 2] = ["wal_writer_delay=10s", "wal_writer_flush_after=1GB"];

/// Commits to all spaces at once, ends the server, starts it, and checks what is left.
async fn what_a_crash_leaves(server: &Server, synchronous: Synchronous) -> Result<(), Loss> {
    let mut options = PostgresOptions::parse(server.url()).unwrap();
    options.synchronous = synchronous;
    let acked = {
        let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&options).await.unwrap());
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
    options.synchronous = Synchronous::On;
    let store = PostgresStore::open(&options).await.unwrap();
    check(&store, SPACES, &acked).await
}

#[tokio::test]
async fn every_acknowledged_commit_survives_the_end_of_the_server() {
    let server = Server::start(&LATE_WRITES);
    for crash in 0..3 {
        let left = what_a_crash_leaves(&server, Synchronous::On).await;
        assert_eq!(left, Ok(()), "crash {crash}");
    }
}

#[tokio::test]
async fn acknowledged_too_early_the_same_check_finds_commits_lost() {
    let server = Server::start(&LATE_WRITES);
    let left = what_a_crash_leaves(&server, Synchronous::Off).await;
    assert!(matches!(left, Err(Loss::Acknowledged(_))), "{left:?}");
}
