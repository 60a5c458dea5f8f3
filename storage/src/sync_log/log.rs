//! The old server's log, read in one statement: of each space its clients, then its rows in the
//! order of their records and of their arrival.
//!
//! Rows come as they are taken, so what waits here is a few messages. The server sorts all of the log
//! once, on its disk where it must, whatever indexes there are.

use std::pin::Pin;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::WriterNo;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row, RowStream};

use super::row::LogRow;
use crate::postgres::{PostgresOptions, connect_elsewhere, told};

/// Which table of which database it is: an import that was interrupted goes on only with this one.
const IDENTITY: &str = "SELECT current_database()::text || ' ' || 'sync_changes'::regclass::oid";

/// Of the server. Not everyone may ask, and not every server knows.
const SYSTEM: &str = "SELECT system_identifier::text FROM pg_control_system()";

/// Rows that went for as many that came show in the times.
const TALLY: &str = "SELECT count(*), coalesce(sum(CASE WHEN isfinite(created_at)
        THEN (extract(epoch FROM created_at) * 1000000)::bigint END), 0)::text
    FROM sync_changes";

/// In one snapshot. A client's number is its place among the names of the space. The last columns
/// of the order decide between rows of one microsecond by what they say; rows that say the same
/// are one.
const ENTRIES: &str = r#"
WITH log AS NOT MATERIALIZED (
    SELECT coalesce(app_id::text, '') COLLATE "C" AS app,
        coalesce(user_id::text, '') COLLATE "C" AS usr,
        coalesce(client_id::text, '') COLLATE "C" AS client,
        coalesce(table_name::text, '') COLLATE "C" AS tbl,
        coalesce(record_id::text, '') COLLATE "C" AS id,
        coalesce(op::text, '') COLLATE "C" AS op,
        data::text COLLATE "C" AS data,
        field_timestamps::text COLLATE "C" AS stamps,
        CASE WHEN isfinite(created_at)
            THEN (extract(epoch FROM created_at) * 1000000)::bigint END AS at
    FROM sync_changes
), clients AS (
    SELECT app, usr, client, row_number() OVER (PARTITION BY app, usr ORDER BY client) AS no
    FROM (SELECT DISTINCT app, usr, client FROM log) AS each
)
SELECT false AS is_row, app, usr, client, no, NULL AS tbl, NULL AS id, NULL AS op, NULL AS data,
    NULL AS stamps, NULL AS at
FROM clients
UNION ALL
SELECT true, app, usr, client, no, tbl, id, op, data, stamps, at
FROM log JOIN clients USING (app, usr, client)
ORDER BY app, usr, is_row, tbl, id, at, no, op, data, stamps"#;

/// Why the log is not read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be reached, or is none, or may not be read whole.
    #[error("the old server's log cannot be read: {0}")]
    Unopened(String),
    /// The way to it was lost.
    #[error("the old server's log was lost while it was read: {0}")]
    Lost(String),
}

/// The log.
pub struct Log {
    client: Client,
    identity: [u8; 32],
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// By which two readings of the log are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows.
    pub(super) rows: u64,
    /// The sum of when they came, in microseconds.
    pub(super) at_us: i128,
}

impl Tally {
    /// Counts a row.
    pub(super) fn add(&mut self, at_us: Option<i64>) {
        self.rows += 1;
        self.at_us += i128::from(at_us.unwrap_or(0));
    }

    /// Rows that came or went since another reading: at least so many.
    pub(super) fn apart(self, then: Tally) -> u64 {
        let of_equal_count = u64::from(self.at_us != then.at_us);
        self.rows.abs_diff(then.rows).max(of_equal_count)
    }
}

/// A client, or a row of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) app: String,
    pub(super) user: String,
    pub(super) of: Of,
}

#[derive(Debug)]
pub(super) enum Of {
    /// Of each space they come first, in the order of their numbers.
    Client(WriterNo, String),
    Row(LogRow),
}

/// The log as it is read.
pub(super) struct Entries(Pin<Box<RowStream>>);

impl Entries {
    /// The next entry; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Entry>, LogError> {
        let row = self
            .0
            .try_next()
            .await
            .map_err(|error| match error.code() {
                // A policy, or a sort without room, is told with the first row.
                Some(code) if !is_ending(code) => unopened(&error),
                _ => LogError::Lost(told(&error)),
            })?;
        let entry = row.as_ref().map(entry).transpose();
        entry.map_err(|error| unopened(&error))
    }
}

impl Log {
    /// Connects to the old server's database. `url` is as that of a Postgres store.
    pub async fn open(url: &str) -> Result<Log, LogError> {
        let options = PostgresOptions::parse(url);
        let options = options.map_err(|why| LogError::Unopened(format!("its URL {why}")))?;
        let client = connect_elsewhere(&options).await;
        let client = client.map_err(|error| LogError::Unopened(error.to_string()))?;
        let table: String = scalar(&client, IDENTITY).await.map_err(|e| unopened(&e))?;
        let system: Option<String> = match scalar(&client, SYSTEM).await {
            Ok(system) => Some(system),
            // The server answered.
            Err(error) if error.code().is_some() => None,
            Err(error) => return Err(unopened(&error)),
        };
        let name = format!("sync-changes {table} {}", system.unwrap_or_default());
        let identity = Sha256::digest(name.as_bytes()).into();
        Ok(Log { client, identity })
    }

    /// What the log is known by.
    pub(super) fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// All of it, as it is now.
    pub(super) async fn entries(&self) -> Result<Entries, LogError> {
        let rows = self.client.query_raw(ENTRIES, [] as [i64; 0]).await;
        let rows = rows.map_err(|error| unopened(&error))?;
        Ok(Entries(Box::pin(rows)))
    }

    /// Of all that it has now.
    pub(super) async fn tally(&self) -> Result<Tally, LogError> {
        let read = async {
            let row = self.client.query_one(TALLY, &[]).await?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        let read: Result<(i64, String), Error> = read.await;
        let (rows, at_us) = read.map_err(|error| LogError::Lost(told(&error)))?;
        Ok(Tally {
            rows: rows as u64,
            at_us: at_us.parse().unwrap_or_default(),
        })
    }
}

async fn scalar<T: for<'a> tokio_postgres::types::FromSql<'a>>(
    client: &Client,
    sql: &str,
) -> Result<T, Error> {
    client.query_one(sql, &[]).await?.try_get(0)
}

/// The server, or who runs it, ends the connection.
fn is_ending(code: &SqlState) -> bool {
    code.code().starts_with("57P") || code.code().starts_with("08")
}

fn unopened(error: &Error) -> LogError {
    LogError::Unopened(match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => {
            format!("it has no table sync_changes: {}", told(error))
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => format!(
            "its row security, or a missing right, keeps rows from this role; take a superuser, \
             or a role with BYPASSRLS: {}",
            told(error)
        ),
        _ => told(error),
    })
}

fn entry(row: &Row) -> Result<Entry, Error> {
    let client: String = row.try_get(3)?;
    let writer = WriterNo(u32::try_from(row.try_get::<_, i64>(4)?).unwrap_or(u32::MAX));
    let of = match row.try_get(0)? {
        false => Of::Client(writer, client),
        true => Of::Row(LogRow {
            writer,
            client,
            table: row.try_get(5)?,
            id: row.try_get(6)?,
            op: row.try_get(7)?,
            data: row.try_get(8)?,
            stamps: row.try_get(9)?,
            at_us: row.try_get(10)?,
        }),
    };
    Ok(Entry {
        app: row.try_get(1)?,
        user: row.try_get(2)?,
        of,
    })
}
