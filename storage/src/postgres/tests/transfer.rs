//! What of an export and an import is Postgres's own.

use syncline_protocol::stamp::WallMs;

use super::super::PostgresStore;
use super::server::Server;
use super::{opened, options, runtime, sqlite};
use crate::archive::{ArchiveReader, ArchiveWriter, ImportJob, PAGE, export, import, verify};
use crate::conformance::space::{NOW, Space, space_key};
use crate::postgres::OpenError;
use crate::store::Store;
use crate::transfer::{Export, Import};

async fn bring(from: &dyn Export, to: &dyn Import) {
    let writer = ArchiveWriter::begin(Vec::new(), NOW).unwrap();
    let (archive, verified) = export(from, writer, PAGE).await.unwrap();
    assert_eq!(verify(&archive[..]).unwrap(), verified);
    let job = ImportJob {
        verified,
        page: PAGE,
        now_ms: NOW + 9,
    };
    let reader = ArchiveReader::begin(&archive[..]).unwrap();
    import(reader, to, (job, |_| {})).await.unwrap();
}

/// When the view says that a record was committed, and its title.
async fn shown(database: &super::server::Database) -> (WallMs, String) {
    let shown = "SELECT (extract(epoch FROM updated_at) * 1000)::bigint, data->>'title'
        FROM syncline.records WHERE app = 'todo' AND space = 'ada'";
    let row = database.raw().await.query_one(shown, &[]).await.unwrap();
    (row.get::<_, i64>(0) as u64, row.get(1))
}

#[test]
fn the_view_shows_when_a_record_was_committed() {
    runtime().block_on(async {
        let (from, _from) = opened().await;
        let mut space = Space::open(&from).await;
        space.put(&[("tasks", "a")]).await;
        let (to, to_database) = opened().await;
        bring(&from, &to).await;
        assert_eq!(shown(&to_database).await, (NOW, "a".to_owned()));
    });
}

/// SQLite does not keep it, so the newest stamp stands for it.
#[test]
fn the_view_shows_the_newest_stamp_of_what_came_from_sqlite() {
    runtime().block_on(async {
        let (_dir, from) = sqlite();
        Space::open(&from).await.put(&[("tasks", "a")]).await;
        let (to, database) = opened().await;
        bring(&from, &to).await;
        assert_eq!(shown(&database).await, (NOW + 1, "a".to_owned()));
    });
}

/// A hub that runs already is on the same database while an import is unfinished.
#[test]
fn another_hub_makes_no_space_while_an_import_is_unfinished() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let hub = PostgresStore::open(&options(&database)).await.unwrap();
        let run = store.begin_import([3; 32], NOW).await.unwrap().run;
        let key = space_key("todo", "ada");
        assert!(hub.open_space(&key, NOW).await.is_err());
        assert_eq!(hub.is_half_imported().await, Ok(true));
        store.end_import(run, NOW).await.unwrap();
        assert!(hub.open_space(&key, NOW).await.is_ok());
    });
}

/// Of many hubs that make spaces and one import that begins, either all see it or it is refused.
#[test]
fn a_space_made_while_an_import_begins_refuses_it_or_is_not_made() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let hub = PostgresStore::open(&options(&database)).await.unwrap();
        let key = space_key("todo", "ada");
        let (made, begun) =
            tokio::join!(hub.open_space(&key, NOW), store.begin_import([3; 32], NOW));
        assert_ne!(made.is_ok(), begun.is_ok(), "{made:?}, {begun:?}");
    });
}

#[test]
fn who_only_reads_makes_no_schema() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let refused = PostgresStore::open_as_it_is(&options(&database)).await;
        assert!(
            matches!(refused, Err(OpenError::SchemaOlder { .. })),
            "{refused:?}"
        );
        let there = "SELECT to_regnamespace('syncline') IS NOT NULL";
        let row = database.raw().await.query_one(there, &[]).await.unwrap();
        assert!(!row.get::<_, bool>(0));
        drop(PostgresStore::open(&options(&database)).await.unwrap());
        assert!(
            PostgresStore::open_as_it_is(&options(&database))
                .await
                .is_ok()
        );
    });
}
