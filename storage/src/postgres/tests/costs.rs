//! What a statement reads follows what it returns. The server counts the rows.

use syncline_protocol::ids::{RecordKey, Seq, SpaceKey, TableName};

use super::super::PostgresStore;
use super::super::call::Call;
use super::super::changes::{Changes, ChangesOf};
use super::super::collect::Collecting;
use super::super::commit::transact;
use super::super::connection::Connection;
use super::super::snapshot::Snapshot;
use super::{opened, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, client, key, records, titled, tombstone};
use crate::types::{After, Collect, Commit, Keys, USED_APART_MS};

/// Rows of a table that this connection has read since its last report, which it makes at most
/// once a second and never inside a transaction.
const READ: &str = "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint
    FROM pg_stat_xact_user_tables WHERE relname = ANY($1)";

/// A space with so many records, ten a commit.
async fn filled(store: &PostgresStore, name: &str, count: u64) -> Seq {
    let mut space = Space::open_named(store, "todo", name).await;
    for commit in 0..count / 10 {
        let ten = (0..10).map(|n| (key("t", &format!("{:06}", commit * 10 + n)), titled("a", 0)));
        space.accept(space.draft(ten.collect())).await;
    }
    space.view.head
}

/// As the server does by itself after a while.
pub(super) async fn analyze(store: &PostgresStore) {
    let lent = store.calling.lend().await.unwrap();
    let analyzed = lent.connection.client.batch_execute("ANALYZE").await;
    analyzed.unwrap();
    lent.give_back();
}

/// Rows of records read by a call.
async fn rows_read<C: Call>(store: &PostgresStore, call: C) -> i64 {
    let lent = store.calling.lend().await.unwrap();
    let connection = &lent.connection;
    let calling = async || assert!(call.run(connection).await.is_ok());
    rows_read_by(connection, &["record_states"], calling).await
}

/// Rows of these tables that the work reads over the connection.
pub(super) async fn rows_read_by(
    connection: &Connection,
    tables: &[&str],
    work: impl AsyncFnOnce(),
) -> i64 {
    let client = &connection.client;
    let count = async || {
        client
            .query_one(READ, &[&tables])
            .await
            .unwrap()
            .get::<_, i64>(0)
    };
    client
        .batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let before = count().await;
    work().await;
    count().await - before
}

#[test]
fn a_commit_costs_its_rows_and_not_the_other_spaces() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        for n in 0..300 {
            let name = format!("other-{n:03}");
            let mut space = Space::open_named(&store, "todo", &name).await;
            space.introduce(&client(&name, "c1")).await;
        }
        for counted in ["never", "just now"] {
            if counted == "just now" {
                analyze(&store).await;
            }
            for group in [3, 1] {
                let read = rows_read_by_a_group(&store, counted, group).await;
                // The space is found, locked, looked at and moved, the mark looked at and moved.
                assert!(
                    (group..=group * 6).contains(&read),
                    "{read} rows of {group}, counted {counted}"
                );
            }
        }
    });
}

/// Rows read to commit a record and a mark in so many spaces, which it makes.
async fn rows_read_by_a_group(store: &PostgresStore, name: &str, count: i64) -> i64 {
    let mut commits = Vec::new();
    for n in 0..count {
        let name = format!("{name}-{count}-{n}");
        let mut space = Space::open_named(store, "todo", &name).await;
        let ada = client("ada", "c1");
        let mark = space.introduce(&ada).await;
        let records = vec![(key("t", "a"), titled("a", 0))];
        commits.push(space.marked(records, &ada, Some(mark)));
    }
    let commits: Vec<&Commit> = commits.iter().collect();
    let lent = store.committing.lend().await.unwrap();
    let connection = &lent.connection;
    let tables = ["spaces", "clients", "record_states", "verdicts"];
    let committing = async || {
        let accepted = transact(store, connection, &commits).await;
        assert!(accepted.is_ok_and(|all| all.len() == commits.len() && !all.contains(&false)));
    };
    rows_read_by(connection, &tables, committing).await
}

#[test]
fn a_page_costs_its_rows_and_not_the_history() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        for (name, count) in [("small", 100), ("large", 3_000)] {
            let head = filled(&store, name, count).await;
            let space = Space::open_named(&store, "todo", name).await.key;
            let changes = |seq: u64| After::from(Seq(seq));
            let (first, last) = (changes(0), changes(head.0 - 1));
            for (after, limit, most) in [(&first, 10, 11), (&last, 1_000, 10)] {
                let call = Changes {
                    space: &space,
                    after,
                    limit: records(limit),
                };
                let read = rows_read(&store, call).await;
                assert!(read <= most, "{name}: {read} rows for {most}");
                assert!(read >= 10, "{name}: {read} rows were counted");
            }
            let middle: RecordKey = key("t", &format!("{:06}", count / 2));
            let call = Snapshot {
                space: &space,
                tables: None,
                after: Some(&middle),
                limit: records(10),
            };
            let read = rows_read(&store, call).await;
            assert!(
                (10..=11).contains(&read),
                "{name}: {read} rows of a snapshot"
            );
        }
    });
}

/// A space with so many commits, each of ten files and a task.
async fn mixed(store: &PostgresStore, name: &str, commits: u64) -> SpaceKey {
    let mut space = Space::open_named(store, "todo", name).await;
    for commit in 0..commits {
        let files = (0..10).map(|n| key("files", &format!("{:06}", commit * 10 + n)));
        let task = key("tasks", &format!("{commit:06}"));
        let records = files.chain([task]).map(|key| (key, titled("a", 0)));
        space.accept(space.draft(records.collect())).await;
    }
    space.key
}

#[test]
fn a_page_of_a_table_costs_its_rows_and_neither_other_tables_nor_the_history() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        let (small, large) = (30, 300);
        let spaces = [
            (mixed(&store, "small", small).await, small),
            (mixed(&store, "large", large).await, large),
        ];
        let tasks = TableName::trusted("tasks");
        for counted in ["never", "just now"] {
            if counted == "just now" {
                analyze(&store).await;
            }
            for (space, head) in &spaces {
                let ends = [(0, 10, 11), (head - 10, 1_000, 10)];
                for (after, limit, most) in ends {
                    let call = ChangesOf {
                        space,
                        table: &tasks,
                        after: &After::from(Seq(after)),
                        limit: records(limit),
                    };
                    let read = rows_read(&store, call).await;
                    assert!(
                        (10..=most).contains(&read),
                        "{read} rows after {after} of {head}, counted {counted}"
                    );
                }
            }
        }
    });
}

#[test]
fn collecting_costs_what_is_collected() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        let old = Collect {
            dead_before_ms: NOW,
            marks_before_ms: NOW - USED_APART_MS,
            keys: Keys::Keep,
            limit: 10_000,
            bytes: usize::MAX,
        };
        let spaces = [("small", 20), ("large", 3_000)];
        for (name, others) in spaces {
            filled(&store, name, others).await;
            let mut space = Space::open_named(&store, "todo", name).await;
            let bury = |space: &Space<'_>, now_ms, count| {
                let head = space.view.head;
                let dead = (0..count).map(|n| (key("d", &format!("{head}-{n:06}")), tombstone(0)));
                let mut commit = space.draft(dead.collect());
                commit.now_ms = now_ms;
                commit
            };
            let long_ago = NOW - 9 * USED_APART_MS;
            space.accept(bury(&space, long_ago, others)).await;
            analyze(&store).await;
            let kept = store.collect(&space.key, old).await.unwrap();
            assert_eq!(kept.tombstones as u64, others);
            space.refresh().await;
            space.accept(bury(&space, NOW, others)).await;
            space.accept(bury(&space, long_ago, 10)).await;
        }
        analyze(&store).await;
        for (name, others) in spaces {
            let space = Space::open_named(&store, "todo", name).await;
            let collecting = Collecting {
                space: &space.key,
                collect: old,
            };
            let read = rows_read(&store, collecting).await;
            // One is looked at, ten are found, read and written.
            assert!((10..=31).contains(&read), "{name}: {read} rows of {others}");
        }
    });
}
