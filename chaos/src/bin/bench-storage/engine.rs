//! An engine on a fresh database, and what can be asked of the database itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rusqlite::Connection;
use scylla::client::session_builder::SessionBuilder;
use syncline_storage::Store;
use syncline_storage::cassandra::{CassandraOptions, CassandraStore};
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::cassandra;
use super::fill::{RECORDS, space_key};
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
    File {
        path: PathBuf,
        _dir: TempDir,
    },
    Server(Server),
    Cluster {
        server: cassandra::Server,
        /// A store's keyspace.
        url: String,
    },
}

impl Engine {
    /// In a new directory below the working one, so on the disk that the code is on.
    pub(crate) async fn sqlite(checkpoints_by_writer: bool) -> anyhow::Result<Engine> {
        let dir = tempfile::tempdir_in(".")?;
        let path = dir.path().join("hub.db");
        let mut options = SqliteOptions::new(&path);
        if checkpoints_by_writer {
            // The thread is never asked, and the writer copies all there is.
            (options.checkpoint_pages, options.restart_pages) = (u32::MAX, 4_000);
        }
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

    /// On a node of its own, with its default for everything but `commitlog_sync` and these settings.
    pub(crate) async fn cassandra(sync: &str, settings: &[String]) -> anyhow::Result<Engine> {
        let sync = format!("commitlog_sync={sync}");
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let server = cassandra::Server::start(&[&[&*sync], &settings[..]].concat());
        let url = server.new_keyspace();
        let options = CassandraOptions::parse(&url).map_err(anyhow::Error::msg)?;
        Ok(Engine {
            store: Arc::new(CassandraStore::open(&options).await?),
            database: Database::Cluster { server, url },
        })
    }

    /// Does what the database would do sooner or later.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        if let Database::Server(server) = &self.database {
            let client = connect(server).await?;
            client.batch_execute("VACUUM ANALYZE").await?;
            client.batch_execute("CHECKPOINT").await?;
        }
        if let Database::Cluster { server, .. } = &self.database {
            // A node that starts writes what its log holds into its tables.
            server.tell("crash");
            server.tell("start");
            while self.store.space(&space_key(0)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
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
            Database::Cluster { url, .. } => disk_usage(url).await?,
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

/// Bytes of a keyspace's table of spaces on the disk, to a mebibyte.
async fn disk_usage(url: &str) -> anyhow::Result<i64> {
    let (address, keyspace) = place(url)?;
    let session = SessionBuilder::new().known_node(address).build().await?;
    let asked = "SELECT mebibytes FROM system_views.disk_usage \
         WHERE keyspace_name = ? AND table_name = 'spaces'";
    let answer = session.query_unpaged(asked, (keyspace,)).await?;
    let (mebibytes,) = answer.into_rows_result()?.first_row::<(i64,)>()?;
    Ok(mebibytes << 20)
}

/// The node and the keyspace of a URL.
pub(crate) fn place(url: &str) -> anyhow::Result<(&str, &str)> {
    let place = url
        .strip_prefix("cassandra://")
        .and_then(|rest| rest.split_once('/'));
    let (address, rest) = place.context("no address")?;
    Ok((address, rest.split('?').next().unwrap_or(rest)))
}
