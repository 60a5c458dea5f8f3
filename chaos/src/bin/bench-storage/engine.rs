//! An engine on a fresh database, and what can be asked of the database itself.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use syncline_storage::Store;
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::fill::RECORDS;
use super::server::Server;

/// What a server with room is given. All that makes commits durable stays on.
const SETTINGS: [&str; 3] = [
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "autovacuum_naptime=5s",
];

/// A store and the way around it.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) database: Database,
}

/// Where the store keeps its data.
pub(crate) enum Database {
    File { path: PathBuf, _dir: TempDir },
    Server(Server),
}

impl Engine {
    /// In a new directory below the working one, so on the disk that the code is on.
    pub(crate) async fn sqlite() -> anyhow::Result<Engine> {
        let dir = tempfile::tempdir_in(".")?;
        let path = dir.path().join("hub.db");
        let options = SqliteOptions::new(&path);
        let open = move || SqliteStore::open(&options);
        Ok(Engine {
            store: Arc::new(tokio::task::spawn_blocking(open).await??),
            database: Database::File { path, _dir: dir },
        })
    }

    /// On a server of its own.
    pub(crate) async fn postgres(committers: Option<usize>) -> anyhow::Result<Engine> {
        let server = Server::start(&SETTINGS);
        let mut options = PostgresOptions::parse(server.url()).map_err(anyhow::Error::msg)?;
        options.committers = committers.unwrap_or(options.committers);
        Ok(Engine {
            store: Arc::new(PostgresStore::open(&options).await?),
            database: Database::Server(server),
        })
    }

    /// Does what the database would do sooner or later.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        if let Database::Server(server) = &self.database {
            let client = connect(server).await?;
            client.batch_execute("VACUUM ANALYZE").await?;
            client.batch_execute("CHECKPOINT").await?;
        }
        Ok(())
    }

    /// Of the tables of records with their indexes.
    pub(crate) async fn bytes_a_record(&self) -> anyhow::Result<f64> {
        let bytes = match &self.database {
            Database::File { path, .. } => {
                let conn = Connection::open(path)?;
                let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
                let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
                pages * page
            }
            Database::Server(server) => {
                let size = "SELECT pg_total_relation_size('syncline.record_states')";
                connect(server).await?.query_one(size, &[]).await?.get(0)
            }
        };
        Ok(bytes as f64 / RECORDS as f64)
    }
}

/// A connection as an application would have it.
pub(crate) async fn connect(server: &Server) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(server.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
