//! A real log into real stores.

use std::collections::BTreeMap;

use syncline_protocol::ids::{Seq, WriterNo};
use syncline_protocol::stamp::Hlc;

use super::super::{Log, LogError, LogImportError, Summary, import};
use super::old_server::{
    JOB, OldServer, SMALL_PAGES, borrowed, everything, held, shown, some_log, space, sqlite,
};
use super::{DAY_MS, at};
use crate::faulty::Prng;
use crate::postgres::tests::runtime;
use crate::postgres::tests::server::Server;
use crate::postgres::{PostgresOptions, PostgresStore};
use crate::store::Store;
use crate::transfer::{Export, ImportError, Part};

#[test]
fn a_log_becomes_spaces_clients_and_records_with_counts() {
    runtime().block_on(async {
        let [t1, t2, t3, t9] = [1, 2, 3, 9].map(at);
        let created = format!(r#"{{"title": "milk", "done": false, "updatedAt": "{t1}"}}"#);
        let (gone, title) = (
            format!(r#"{{"deletedAt": "{t3}"}}"#),
            format!(r#"{{"title": "{t2}"}}"#),
        );
        let old = OldServer::with(&[
            [
                "todo", "ada", "tasks", "k1", "insert", &created, "{}", "phone", &t9,
            ],
            [
                "todo",
                "ada",
                "tasks",
                "k1",
                "update",
                r#"{"title": "bread"}"#,
                &title,
                "laptop",
                &t9,
            ],
            [
                "todo", "ada", "tasks", "k2", "insert", &created, "{}", "phone", &t9,
            ],
            [
                "todo", "ada", "tasks", "k2", "delete", &gone, "{}", "laptop", &t9,
            ],
            [
                "todo",
                "ada",
                "tasks",
                "k3",
                "update",
                r#"{"title": "x"}"#,
                &title,
                "phone",
                &t9,
            ],
            [
                "todo", "bob", "tasks", "k1", "insert", "{}", "{}", "phone", &t9,
            ],
            [
                "contacts", "ada", "people", "k1", "insert", &created, "{}", "", &t9,
            ],
        ])
        .await;
        let (_dir, store) = sqlite();
        let summary = old.import(&store).await.unwrap();
        let expected = Summary {
            rows: 7,
            folded: 7,
            spaces: 3,
            clients: 3,
            records: 3,
            tombstones: 1,
            hidden: 1,
            rows_unnamed: 1,
            ..Summary::default()
        };
        assert_eq!(summary, expected);
        let ada = space("todo", "ada");
        let bread = format!(r#"{{"done":false,"title":"bread","updatedAt":"{t1}"}}"#);
        assert_eq!(shown(&store, &ada, "k1").await, Some(bread));
        assert_eq!(shown(&store, &ada, "k2").await, None);
        assert_eq!(
            shown(&store, &space("todo", "bob"), "k1").await,
            Some("{}".into())
        );
        let view = store.space(&ada).await.unwrap().unwrap();
        assert_eq!(
            (view.head, view.live, view.writers),
            (Seq(5), 1, WriterNo(2))
        );
        assert_eq!(view.clock, Hlc::default(), "all times were claimed");
        let bob = store.space(&space("todo", "bob")).await.unwrap().unwrap();
        assert_eq!(
            bob.clock.wall_ms(),
            DAY_MS + 9_000,
            "an arrival stands for a time"
        );
        assert!(!store.is_half_imported().await.unwrap());
        let again = old.import(&store).await.unwrap_err();
        assert!(
            matches!(again, LogImportError::Import(ImportError::Imported)),
            "{again}"
        );
    });
}

#[test]
fn a_row_that_cannot_be_stored_is_counted_named_and_kept() {
    runtime().block_on(async {
        let t1 = at(1);
        let long = "x".repeat(200);
        let old = OldServer::with(&[
            ["todo", "ada", "tasks", "k1", "insert", "{}", "{}", "d1", &t1],
            ["todo", "ada", "tasks", "k1", "upsert", "{}", "{}", "d1", &t1],
            ["todo", "ada", "tasks", "k1", "upsert", "{}", "{}", "d1", &t1],
            ["todo", "ada", "tasks", "k1", "update", "[1]", "{}", "", &t1],
            ["todo", "ada", "tasks", &long, "insert", "{}", "{}", "d1", &t1],
            ["todo", "ada", "tasks", "k1", "update", r#"{"n": 9007199254740993}"#, "{}", "d1", &t1],
            ["todo", "ada", "tasks", "k1", "insert", "{}", "{}", "d1", "infinity"],
            ["todo", &long, "tasks", "k1", "insert", "{}", "{}", "d1", &t1],
            ["", "ada", "tasks", "k1", "insert", "{}", "{}", "d1", &t1],
        ])
        .await;
        old.client.batch_execute("INSERT INTO sync_changes DEFAULT VALUES").await.unwrap();
        let (_dir, store) = sqlite();
        let summary = old.import(&store).await.unwrap();
        let aside = [
            ("app_invalid", 2),
            ("change_invalid", 1),
            ("name_invalid", 1),
            ("op_unknown", 2),
            ("stamp_invalid", 1),
            ("user_invalid", 1),
            ("value_invalid", 1),
        ];
        assert_eq!(summary.aside, BTreeMap::from(aside));
        assert_eq!((summary.rows, summary.folded, summary.spaces), (10, 1, 1));
        assert_eq!(summary.dead_letters, 5, "of two that say the same one");
        let names: Vec<&String> = summary.bad_names.iter().collect();
        assert_eq!(names[..2], ["app \"\"", "user \"\""]);
        assert!(names[2].starts_with("user \"xxxx") && names[2].len() < 80, "{names:?}");
        let letters = store.dead_letters(&space("todo", "ada"), 10).await.unwrap();
        assert_eq!(letters.len(), 5);
        let upsert = letters.iter().find(|letter| letter.change.contains("upsert")).unwrap();
        let expected = format!(
            r#"{{"table":"tasks","id":"k1","op":"upsert","data":{{}},"fieldTimestamps":{{}},"createdAt":"{t1}"}}"#
        );
        assert_eq!(upsert.change, expected);
    });
}

/// Whatever order they were written in, down to the bookkeeping.
#[test]
fn a_shuffled_log_gives_the_same_records() {
    runtime().block_on(async {
        for seed in 0..3 {
            let mut rows = some_log(seed);
            let (_one, one) = sqlite();
            let expected = OldServer::with(&borrowed(&rows))
                .await
                .import(&one)
                .await
                .unwrap();
            assert!(
                expected.folded > 50 && expected.aside.len() >= 3,
                "{expected:?}"
            );
            let mut random = Prng::new(seed + 100);
            for at in (1..rows.len()).rev() {
                rows.swap(at, random.below(at as u64 + 1) as usize);
            }
            let (_two, two) = sqlite();
            let shuffled = OldServer::with(&borrowed(&rows))
                .await
                .import(&two)
                .await
                .unwrap();
            assert_eq!(shuffled, expected, "seed {seed}");
            assert_eq!(
                everything(&two).await,
                everything(&one).await,
                "seed {seed}"
            );
        }
    });
}

/// In pages of any size; and with more than Postgres' own order of names.
#[test]
fn postgres_and_sqlite_are_given_the_same() {
    runtime().block_on(async {
        let rows = some_log(9);
        let old = OldServer::with(&borrowed(&rows)).await;
        let (_dir, sqlite) = sqlite();
        let expected = old.import(&sqlite).await.unwrap();
        let database = Server::shared().database().await;
        let options = PostgresOptions::parse(&database.url()).unwrap();
        let postgres = PostgresStore::open(&options).await.unwrap();
        let log = old.log().await;
        let summary = import(&log, &postgres, (SMALL_PAGES, &mut |_| {}))
            .await
            .unwrap();
        assert_eq!(summary, expected);
        // That engine keeps when a record was committed, and the other does not.
        let mut all = everything(&postgres).await;
        for part in all.iter_mut().flat_map(|(_, parts)| parts) {
            if let Part::Records(records) = part {
                records.iter_mut().for_each(|image| {
                    let at_ms = image.committed_at_ms.take().unwrap();
                    assert!(
                        (DAY_MS..DAY_MS + 70_000).contains(&at_ms),
                        "when it arrived"
                    );
                });
            }
        }
        assert_eq!(all, everything(&sqlite).await);
    });
}

/// One record may have any number of rows.
#[test]
fn a_long_history_is_folded() {
    runtime().block_on(async {
        let old = OldServer::with(&[]).await;
        let many = "INSERT INTO sync_changes(app_id, user_id, table_name, record_id, op, data,
                field_timestamps, client_id, created_at)
            SELECT 'todo', 'ada', 'tasks', 'k1', 'insert', jsonb_build_object('n', n), '{}',
                'd' || n % 7, '2026-03-01T00:00:00Z'::timestamptz + n * interval '1 ms'
            FROM generate_series(1, 20000) n";
        old.client.batch_execute(many).await.unwrap();
        let (_dir, store) = sqlite();
        let summary = old.import(&store).await.unwrap();
        assert_eq!(
            (summary.folded, summary.records, summary.clients),
            (20_000, 1, 7)
        );
        let last = shown(&store, &space("todo", "ada"), "k1").await;
        assert_eq!(last.as_deref(), Some(r#"{"n":20000}"#));
        assert_eq!(held(&store, &space("todo", "ada")).await.1.len(), 2);
    });
}

/// It would else be an empty log, and everything lost without a word.
#[test]
fn a_log_whose_rows_are_kept_from_the_role_is_refused() {
    runtime().block_on(async {
        let old = OldServer::with(&[["a", "u", "t", "i", "insert", "{}", "{}", "c", &at(1)]]).await;
        let policy = "CREATE ROLE owner_of_log LOGIN PASSWORD 'secret';
            ALTER TABLE sync_changes OWNER TO owner_of_log;
            ALTER TABLE sync_changes ENABLE ROW LEVEL SECURITY;
            ALTER TABLE sync_changes FORCE ROW LEVEL SECURITY;
            CREATE POLICY own ON sync_changes
                USING (user_id = current_setting('app.current_user_id', true))";
        old.client.batch_execute(policy).await.unwrap();
        let url = old.database.url();
        let (_, place) = url.split_once('@').unwrap();
        let (_dir, store) = sqlite();
        let log = Log::open(&format!("postgres://owner_of_log:secret@{place}"))
            .await
            .unwrap();
        let refused = import(&log, &store, (JOB, &mut |_| {})).await.unwrap_err();
        assert!(refused.to_string().contains("BYPASSRLS"), "{refused}");
        // The other role sees all of it.
        assert_eq!(old.import(&store).await.unwrap().folded, 1);
    });
}

#[test]
fn what_is_no_log_is_told() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let no_table = Log::open(&database.url()).await.unwrap_err();
        assert!(
            no_table.to_string().contains("no table sync_changes"),
            "{no_table}"
        );
        let no_url = Log::open("postgres://u:secret@db:port/d")
            .await
            .unwrap_err();
        assert!(matches!(no_url, LogError::Unopened(_)));
        assert!(!no_url.to_string().contains("secret"), "{no_url}");
    });
}
