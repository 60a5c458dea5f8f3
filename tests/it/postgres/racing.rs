//! Committers of several processes on the same few spaces.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use syncline_storage::Store;
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_tests::race::{Tally, check, space_key};

use super::server::Server;

const PROCESSES: usize = 4;
const COMMITTERS: usize = 16;
const SPACES: u64 = 20;

/// Of every committer.
const GROUPS: u64 = 12;

/// Deadlocks the server has found in this database.
const DEADLOCKS: &str = "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database
    WHERE datname = current_database()";

#[tokio::test]
async fn sixty_four_committers_of_four_processes_lose_nothing_and_never_deadlock() {
    let database = Server::shared().database().await;
    let options = PostgresOptions::parse(&database.url()).unwrap();
    let store = PostgresStore::open(&options).await.unwrap();
    for space in 0..SPACES {
        store.open_space(&space_key(space), 0).await.unwrap();
    }
    let children: Vec<_> = (0..PROCESSES)
        .map(|process| {
            Command::new(env!("CARGO_BIN_EXE_commit_race"))
                .args([database.url(), format!("p{process}")])
                .args([
                    COMMITTERS.to_string(),
                    SPACES.to_string(),
                    GROUPS.to_string(),
                ])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut all: BTreeMap<u64, Tally> = BTreeMap::new();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        for line in String::from_utf8(ended.stdout).unwrap().lines() {
            let (space, tally) = line.split_once(' ').unwrap();
            *all.entry(space.parse().unwrap()).or_default() += Tally::parse(tally).unwrap();
        }
    }
    let mut sum = Tally::default();
    for (space, tally) in all {
        check(&store, space, tally).await.unwrap();
        sum += tally;
    }
    println!("{sum:?}");
    assert!(sum.records > 0 && sum.marks > 0, "{sum:?}");
    assert!(sum.conflicts > 0, "they never met: {sum:?}");
    let deadlocks: i64 = database
        .raw()
        .await
        .query_one(DEADLOCKS, &[])
        .await
        .unwrap()
        .get(1);
    assert_eq!(deadlocks, 0);
}
