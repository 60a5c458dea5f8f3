//! Removing everything of a space, so that it is not found in the file either.
//!
//! Deleted content is overwritten with zeros (`secure_delete`), and the WAL, which still holds it,
//! is copied into the database and cut to nothing.

use rusqlite::{Connection, TransactionBehavior, params};
use syncline_protocol::ids::{SpaceKey, TableName};
use syncline_protocol::stamp::WallMs;

use super::checkpoint::Cutter;
use super::jobs;
use super::space::{self, SpaceRow};
use crate::types::{EPOCH_APART_MS, Holdings, StoreError, epoch_after_erasure};

const TABLES: &str = "SELECT tbl, count(*) FROM records
    WHERE sid = ?1 AND dead_at IS NULL GROUP BY tbl ORDER BY tbl";

/// In the order in which they are counted.
const COUNTS: [&str; 4] = [
    "SELECT count(*) FROM records WHERE sid = ?1",
    "SELECT count(*) FROM clients WHERE sid = ?1",
    "SELECT count(*) FROM dead_letters WHERE sid = ?1",
    "SELECT count(*) FROM jobs WHERE sid = ?1",
];

const REMOVE: [&str; 4] = [
    "DELETE FROM records WHERE sid = ?1",
    "DELETE FROM verdicts WHERE sid = ?1",
    "DELETE FROM clients WHERE sid = ?1",
    "DELETE FROM dead_letters WHERE sid = ?1",
];

const EMPTY: &str = "UPDATE spaces SET epoch = ?2, epoch_at = max(?3, epoch_at + ?4),
    erased_at = max(?3, epoch_at + ?4), gc_seq = head, swept = head, live = 0 WHERE sid = ?1";

/// See [`crate::Store::holdings`].
pub(super) fn holdings(conn: &Connection, space: &SpaceKey) -> Result<Holdings, StoreError> {
    counted(conn, space::get(conn, space)?)
}

fn counted(conn: &Connection, row: SpaceRow) -> Result<Holdings, StoreError> {
    let mut statement = conn.prepare_cached(TABLES)?;
    let tables = statement.query_map([row.sid], |row| {
        let table = TableName::trusted(&row.get::<_, String>(0)?);
        Ok((table, row.get::<_, i64>(1)? as u64))
    })?;
    let count = |sql| -> Result<u64, StoreError> {
        let count: i64 = conn.query_row(sql, [row.sid], |row| row.get(0))?;
        Ok(count as u64)
    };
    let [records, clients, dead_letters, jobs] = COUNTS;
    Ok(Holdings {
        view: row.view,
        tables: tables.collect::<Result<_, _>>()?,
        records: count(records)?,
        clients: count(clients)?,
        dead_letters: count(dead_letters)?,
        jobs: count(jobs)?,
        is_exact: true,
    })
}

/// See [`crate::Store::erase`].
pub(super) fn erase(
    conn: &mut Connection,
    space: &SpaceKey,
    (random, now_ms): (u64, WallMs),
    cutter: &Cutter,
) -> Result<Holdings, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let row = space::get(&tx, space)?;
    let mut holdings = counted(&tx, row)?;
    for sql in REMOVE.into_iter().chain(jobs::REMOVE) {
        tx.execute(sql, [row.sid])?;
    }
    let epoch = epoch_after_erasure(row.view.epoch, random);
    tx.execute(
        EMPTY,
        params![
            row.sid,
            epoch.0 as i64,
            now_ms as i64,
            EPOCH_APART_MS as i64
        ],
    )?;
    holdings.view = space::get(&tx, space)?.view;
    tx.commit()?;
    cutter.cut(conn);
    Ok(holdings)
}
