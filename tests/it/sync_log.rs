//! The first user's old server is left: its log is imported by the program, and its devices go on
//! with the hub.

mod command;
mod devices;

use std::sync::Arc;

use tempfile::TempDir;
use tokio_postgres::Client;

use crate::archive::{directory, done};
use crate::postgres::server::{Database, Server};

/// As that server makes it.
const TABLE: &str = "CREATE TABLE sync_changes(
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), app_id text NOT NULL, table_name text NOT NULL,
    record_id text NOT NULL, user_id text NOT NULL,
    op text NOT NULL CHECK (op IN ('insert', 'update', 'delete')), data jsonb,
    field_timestamps jsonb DEFAULT '{}', client_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX idx_sync_changes_user_app ON sync_changes (user_id, app_id, created_at)";

const ROW: &str = "INSERT INTO sync_changes(app_id, user_id, table_name, record_id, op, data,
        field_timestamps, client_id, created_at)
    VALUES($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9::text::timestamptz)";

/// App, user, table, id, op, data, stamps, client, arrival.
type Row<'a> = [&'a str; 9];

/// A moment of 2026-03-01.
fn at(second: u32) -> String {
    format!("2026-03-01T00:{:02}:{:02}.000Z", second / 60, second % 60)
}

struct OldServer {
    database: Database,
    client: Client,
}

impl OldServer {
    async fn start() -> OldServer {
        let database = Server::shared().new_database().await;
        let client = database.raw().await;
        client.batch_execute(TABLE).await.unwrap();
        OldServer { database, client }
    }

    async fn add(&self, rows: &[Row<'_>]) {
        for row in rows {
            let row: Vec<_> = row.iter().map(|text| text as _).collect();
            self.client.execute(ROW, &row).await.unwrap();
        }
    }

    /// Runs the program. Returns what it says.
    fn import_into(&self, store: &str) -> String {
        let dir: Arc<TempDir> = directory();
        let url = self.database.url();
        done(
            dir.path(),
            store,
            &["import", "--from", "sync-changes", &url],
        )
    }
}
