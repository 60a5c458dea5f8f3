//! A database file opened for reading only, also while a hub runs on it.

use async_trait::async_trait;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::mpsc;

use super::options::{OpenError, SqliteOptions};
use super::workers::Workers;
use super::{connection, export, import, schema, space};
use crate::transfer::{Export, Sent};
use crate::types::{PageLimit, StoreError};

/// Calls waiting for the only reader.
const WAITING_MAX: usize = 1;

/// A file that is read and left as it is. A hub may write it meanwhile; its log (WAL) starts over
/// when a space has been read whole, and grows until then.
#[derive(Debug)]
pub struct SqliteReader {
    reader: Workers,
}

impl SqliteReader {
    /// Opens a file that is there. Errors: it is not, it is no database, or its schema is not this
    /// program's.
    pub fn open(options: &SqliteOptions) -> Result<SqliteReader, OpenError> {
        let conn = connection::open_beside(options)?;
        schema::check(&conn)?;
        let reader = Workers::start("sqlite-export", vec![conn], WAITING_MAX, |_| {})?;
        Ok(SqliteReader { reader })
    }
}

#[async_trait]
impl Export for SqliteReader {
    async fn exported_spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        spaces(&self.reader, after, limit).await
    }

    async fn export_space(
        &self,
        space: &SpaceKey,
        page: PageLimit,
        to: mpsc::Sender<Sent>,
    ) -> Result<(), StoreError> {
        read_space(&self.reader, space, (page, to)).await
    }

    async fn is_half_imported(&self) -> Result<bool, StoreError> {
        is_half_imported(&self.reader).await
    }
}

#[async_trait]
impl Export for super::SqliteStore {
    async fn exported_spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        spaces(&self.readers, after, limit).await
    }

    async fn export_space(
        &self,
        space: &SpaceKey,
        page: PageLimit,
        to: mpsc::Sender<Sent>,
    ) -> Result<(), StoreError> {
        read_space(&self.readers, space, (page, to)).await
    }

    async fn is_half_imported(&self) -> Result<bool, StoreError> {
        is_half_imported(&self.readers).await
    }
}

async fn spaces(
    readers: &Workers,
    after: Option<&SpaceKey>,
    limit: usize,
) -> Result<Vec<SpaceKey>, StoreError> {
    let after = after.cloned();
    readers
        .read(move |conn| space::list(conn, after.as_ref(), limit))
        .await
}

async fn read_space(
    readers: &Workers,
    space: &SpaceKey,
    (page, to): (PageLimit, mpsc::Sender<Sent>),
) -> Result<(), StoreError> {
    let space = space.clone();
    readers
        .read(move |conn| export::export(conn, &space, (page, &to)))
        .await
}

async fn is_half_imported(readers: &Workers) -> Result<bool, StoreError> {
    let found = readers.read(import::unfinished).await?;
    Ok(found.is_some())
}
