//! A store on a fresh database.

use std::sync::Arc;

use anyhow::Result;
use syncline_storage::cassandra::{CassandraOptions, CassandraStore};
use syncline_storage::postgres::{PostgresOptions, PostgresStore};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use super::{Which, WithJobs};
use crate::cassandra;
use crate::server::Server;

/// What a server with room is given. All that makes commits durable stays on.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=8GB"];

/// A store, and what ends with it.
pub(super) struct Engine {
    pub(super) store: Arc<dyn WithJobs>,
    _kept: Kept,
}

/// What a store needs.
#[allow(dead_code, reason = "it is kept, not read")]
enum Kept {
    Dir(TempDir),
    Server(Server),
    Cluster(cassandra::Server),
}

impl Engine {
    /// SQLite in a new directory below the working one, or a server of its own.
    pub(super) async fn open(which: Which) -> Result<Engine> {
        Ok(match which {
            Which::Sqlite => {
                let dir = tempfile::tempdir_in(".")?;
                let options = SqliteOptions::new(dir.path().join("hub.db"));
                let open = move || SqliteStore::open(&options);
                Engine {
                    store: Arc::new(tokio::task::spawn_blocking(open).await??),
                    _kept: Kept::Dir(dir),
                }
            }
            Which::Postgres => {
                let server = Server::start(&SETTINGS);
                let options = PostgresOptions::parse(server.url()).map_err(anyhow::Error::msg)?;
                Engine {
                    store: Arc::new(PostgresStore::open(&options).await?),
                    _kept: Kept::Server(server),
                }
            }
            Which::Cassandra => {
                let server = cassandra::Server::start(&[]);
                let options = CassandraOptions::parse(&server.new_keyspace());
                let options = options.map_err(anyhow::Error::msg)?;
                Engine {
                    store: Arc::new(CassandraStore::open(&options).await?),
                    _kept: Kept::Cluster(server),
                }
            }
        })
    }
}
