//! An acknowledged commit survives: the process may be killed and the power may fail at any
//! moment.

mod disk;
mod killed;
mod power;
mod vfs;

use std::path::Path;

use rusqlite::Connection;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::load::{Ack, Loss, check};
use tokio::runtime::{Builder, Runtime};

/// Name of the database file.
const FILE: &str = "hub.db";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Opens what is left as a hub would, and checks it, the database's own check included.
async fn check_left(dir: &Path, spaces: usize, acked: &[Ack]) -> Result<(), Loss> {
    let path = dir.join(FILE);
    let store = SqliteStore::open(&SqliteOptions::new(&path))
        .map_err(|error| Loss::Torn(error.to_string()))?;
    check(&store, spaces, acked).await?;
    let conn = Connection::open(&path).map_err(syncline_storage::types::StoreError::from)?;
    let verdict: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(syncline_storage::types::StoreError::from)?;
    if verdict != "ok" {
        return Err(Loss::Torn(verdict));
    }
    Ok(())
}
