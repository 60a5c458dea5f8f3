//! Removing everything of a space. What the server keeps of it in dead rows and its log goes with
//! the next vacuum and checkpoint.

use syncline_protocol::ids::{SpaceKey, TableName};
use syncline_protocol::stamp::WallMs;

use super::call::{BEGIN_PATIENT, BEGIN_PATIENT_READ, Call, transaction};
use super::collect::lock;
use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::jobs;
use super::space::{SpaceRow, find, opened};
use crate::types::{EPOCH_APART_MS, Holdings, epoch_after_erasure};

const TABLES: &str = "SELECT tbl, count(*) FROM syncline.record_states
    WHERE sid = $1 AND NOT dead GROUP BY tbl ORDER BY tbl";

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM syncline.record_states WHERE sid = $1),
    (SELECT count(*) FROM syncline.clients WHERE sid = $1),
    (SELECT count(*) FROM syncline.dead_letters WHERE sid = $1),
    (SELECT count(*) FROM syncline.jobs WHERE sid = $1)";

const REMOVE: [&str; 4] = [
    "DELETE FROM syncline.record_states WHERE sid = $1",
    "DELETE FROM syncline.verdicts WHERE sid = $1",
    "DELETE FROM syncline.clients WHERE sid = $1",
    "DELETE FROM syncline.dead_letters WHERE sid = $1",
];

const EMPTY: &str = "UPDATE syncline.spaces SET epoch = $2, epoch_at = greatest($3, epoch_at + $4),
    erased_at = greatest($3, epoch_at + $4), gc_seq = head, swept = head, live = 0 WHERE sid = $1";

/// How long an erasure waits for another one of the same space, or for a commit.
const LOCK_TIMEOUT_MS: u64 = 5_000;

/// [`crate::Store::holdings`].
pub(super) struct Holding<'a>(pub(super) &'a SpaceKey);

impl Call for Holding<'_> {
    type Answer = Holdings;

    async fn run(&self, connection: &Connection) -> Result<Holdings, Failure> {
        let counting = async {
            let row = opened(find(connection, self.0).await?)?;
            counted(connection, row).await
        };
        transaction(connection, BEGIN_PATIENT_READ, counting).await
    }
}

async fn counted(connection: &Connection, row: SpaceRow) -> Result<Holdings, Failure> {
    let client = &connection.client;
    let mut tables = Vec::new();
    for found in client.query(TABLES, &[&row.sid]).await? {
        let table: &str = found.try_get(0).map_err(|e| unreadable(&e))?;
        let count: i64 = found.try_get(1).map_err(|e| unreadable(&e))?;
        tables.push((TableName::trusted(table), count as u64));
    }
    let counts = client.query_one(COUNTS, &[&row.sid]).await?;
    let count = |at| -> Result<u64, Failure> {
        let count: i64 = counts.try_get(at).map_err(|e| unreadable(&e))?;
        Ok(count as u64)
    };
    Ok(Holdings {
        view: row.view,
        tables,
        records: count(0)?,
        clients: count(1)?,
        dead_letters: count(2)?,
        jobs: count(3)?,
        is_exact: true,
    })
}

/// [`crate::Store::erase`].
pub(super) struct Erase<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) random: u64,
    pub(super) now_ms: WallMs,
}

impl Call for Erase<'_> {
    type Answer = Holdings;

    async fn run(&self, connection: &Connection) -> Result<Holdings, Failure> {
        let begin = format!("{BEGIN_PATIENT}; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}");
        transaction(connection, &begin, self.in_transaction(connection)).await
    }
}

impl Erase<'_> {
    async fn in_transaction(&self, connection: &Connection) -> Result<Holdings, Failure> {
        let client = &connection.client;
        let row = lock(connection, self.space).await?;
        let mut holdings = counted(connection, row).await?;
        for sql in REMOVE.into_iter().chain(jobs::REMOVE) {
            client.execute(sql, &[&row.sid]).await?;
        }
        let epoch = epoch_after_erasure(row.view.epoch, self.random).0 as i64;
        let (now_ms, apart) = (self.now_ms as i64, EPOCH_APART_MS as i64);
        client
            .execute(EMPTY, &[&row.sid, &epoch, &now_ms, &apart])
            .await?;
        holdings.view = opened(find(connection, self.space).await?)?.view;
        Ok(holdings)
    }
}
