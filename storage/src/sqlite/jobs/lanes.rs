//! Which job of a lane comes before another.

use rusqlite::{Connection, OptionalExtension, params};

use crate::jobs::{Ahead, LEASED, Lease, LeaseLost};
use crate::types::StoreError;

/// The first of the lane that is not dead.
pub(in crate::sqlite) const AHEAD: &str = "SELECT (
        SELECT ahead.at FROM jobs ahead
        WHERE ahead.sid = mine.sid AND ahead.kind = mine.kind
            AND ahead.lane = mine.lane AND ahead.no < mine.no AND ahead.at IS NOT NULL
        ORDER BY ahead.no LIMIT 1)
    FROM jobs mine WHERE mine.no = ?1 AND mine.lease = ?2 AND mine.state = ?3";

/// See [`crate::JobStore::ahead`].
pub(in crate::sqlite) fn ahead(conn: &Connection, lease: &Lease) -> Result<Ahead, StoreError> {
    let asked = params![lease.no.0 as i64, lease.number as i64, LEASED];
    let mut statement = conn.prepare_cached(AHEAD)?;
    let found: Option<Option<i64>> = statement.query_row(asked, |row| row.get(0)).optional()?;
    Ok(found.map(|at| at.map(|at| at as u64)).ok_or(LeaseLost))
}
