//! Databases of any age, opened by any number of hubs.

use futures_util::future::join_all;

use super::server::Server;
use super::{options, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, key, space_key};
use crate::postgres::{OpenError, PostgresOptions, PostgresStore, schema};
use crate::types::{Collect, Keys};

const HUBS: usize = 8;

const NEWEST: i64 = schema::STEPS.len() as i64;

#[test]
fn hubs_that_start_at_once_define_everything_once() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let options = options(&database);
        let opening = (0..HUBS).map(|_| PostgresStore::open(&options));
        let stores: Result<Vec<_>, _> = join_all(opening).await.into_iter().collect();
        let stores = stores.unwrap();
        let mut space = Space::open(&stores[0]).await;
        space.put(&[("t", "a")]).await;
        for store in &stores {
            let space = Space::open(store).await;
            assert!(space.record(&key("t", "a")).await.is_some());
        }
        let versions = "SELECT count(*), max(version) FROM syncline.schema_version";
        let row = database.raw().await.query_one(versions, &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, NEWEST));
    });
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let raw = database.raw().await;
        raw.batch_execute(
            "CREATE SCHEMA syncline;
            CREATE TABLE syncline.schema_version(only_row boolean PRIMARY KEY, version bigint);
            INSERT INTO syncline.schema_version VALUES(true, 99)",
        )
        .await
        .unwrap();
        let refused = PostgresStore::open(&options(&database)).await.unwrap_err();
        assert!(matches!(
            refused,
            OpenError::SchemaNewer {
                found: 99,
                known: NEWEST
            }
        ));
        assert!(refused.to_string().contains("newer version"), "{refused}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'syncline'";
        let row = raw.query_one(tables, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 1);
    });
}

#[test]
fn what_a_migration_left_half_done_is_finished() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        drop(PostgresStore::open(&options(&database)).await.unwrap());
        // As in a database that does not roll definitions back.
        let raw = database.raw().await;
        raw.batch_execute(
            "DROP VIEW syncline.records; DROP TABLE syncline.dead_letters;
            UPDATE syncline.schema_version SET version = 0",
        )
        .await
        .unwrap();
        let store = PostgresStore::open(&options(&database)).await.unwrap();
        Space::open(&store).await.put(&[("t", "a")]).await;
        let row = raw.query_one("SELECT count(*) FROM syncline.records", &[]);
        assert_eq!(row.await.unwrap().get::<_, i64>(0), 1);
    });
}

/// A database in which several of a lane could be claimed, and were leased.
#[test]
fn of_a_lane_that_was_claimed_at_once_the_first_leased_keeps_its_lease() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        drop(PostgresStore::open(&options(&database)).await.unwrap());
        let raw = database.raw().await;
        let is_it = |step: &&str| *step == schema::BEHIND;
        let before = schema::STEPS.iter().position(is_it).unwrap();
        // By key, state, time and lane: scheduled, leased, waiting for another try.
        raw.batch_execute(&format!(
            "ALTER TABLE syncline.jobs DROP COLUMN behind_at;
            UPDATE syncline.schema_version SET version = {before};
            INSERT INTO syncline.jobs(sid, kind, key, state, due_at, at, attempt, lease, depth, epoch,
                seq, origin, args, lane)
            SELECT 1, 'webhook', key, state, 5, at, 1, 1, 0, 1, 1, 't', 'null', lane
            FROM (VALUES ('a', 0, 5, 'l'), ('b', 1, 90, 'l'), ('c', 1, 80, 'l'), ('d', 2, 70, 'l'),
                ('e', 0, 5, 'm'), ('f', 0, 5, 'm'), ('g', 1, 90, NULL), ('h', 1, 90, NULL))
                AS n(key, state, at, lane)"
        ))
        .await
        .unwrap();
        for _ in 0..2 {
            drop(PostgresStore::open(&options(&database)).await.unwrap());
            let all = "SELECT key, state, at, behind_at FROM syncline.jobs ORDER BY key";
            let rows = raw.query(all, &[]).await.unwrap();
            type Found = (String, i64, Option<i64>, Option<i64>);
            let found = rows
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)));
            let found: Vec<Found> = found.collect();
            let expected = [
                ("a", 0, None, Some(5)),
                ("b", 1, Some(90), None),
                ("c", 2, None, Some(5)),
                ("d", 2, None, Some(70)),
                ("e", 0, Some(5), None),
                ("f", 0, None, Some(5)),
                ("g", 1, Some(90), None),
                ("h", 1, Some(90), None),
            ];
            let expected =
                expected.map(|(key, state, at, behind)| (key.to_owned(), state, at, behind));
            assert_eq!(found, expected);
            let again = format!("UPDATE syncline.schema_version SET version = {before}");
            raw.batch_execute(&again).await.unwrap();
        }
    });
}

#[test]
fn a_role_that_may_define_nothing_is_enough_once_the_schema_is_there() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        drop(PostgresStore::open(&options(&database)).await.unwrap());
        let raw = database.raw().await;
        raw.batch_execute(
            "CREATE ROLE hub LOGIN; GRANT USAGE ON SCHEMA syncline TO hub;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncline TO hub",
        )
        .await
        .unwrap();
        let url = database.url().replace("//syncline@", "//hub@");
        let options = PostgresOptions::parse(&url).unwrap();
        let store = PostgresStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        assert!(
            raw.batch_execute("DROP OWNED BY hub; DROP ROLE hub")
                .await
                .is_ok()
        );
    });
}

#[test]
fn what_was_deleted_before_there_was_a_retention_is_collected() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let raw = database.raw().await;
        let of_the_first = format!(
            "CREATE SCHEMA syncline;
            CREATE TABLE syncline.schema_version(only_row boolean PRIMARY KEY, version bigint);
            INSERT INTO syncline.schema_version VALUES(true, 1);
            {}
            INSERT INTO syncline.spaces(epoch, epoch_at, lost_at, head, gc_seq, clock, live,
                writers, app, space) VALUES(7, 0, 0, 3, 0, 0, 0, 0, 'todo', 'ada');
            INSERT INTO syncline.record_states(sid, seq, committed_at, dead, tbl, id, state, data)
                SELECT sid, 3, {}, true, 't', 'a', '', '' FROM syncline.spaces",
            schema::STEPS[0],
            NOW - 1
        );
        raw.batch_execute(&of_the_first).await.unwrap();
        let store = PostgresStore::open(&options(&database)).await.unwrap();
        let old = Collect {
            dead_before_ms: NOW,
            marks_before_ms: 0,
            keys: Keys::Remove,
            limit: 10,
            bytes: usize::MAX,
        };
        let collected = store.collect(&space_key("todo", "ada"), old).await;
        assert_eq!(collected.unwrap().tombstones, 1);
    });
}
