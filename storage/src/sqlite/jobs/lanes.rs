//! Which job of a lane comes before another.

use rusqlite::{Connection, OptionalExtension, params};
use syncline_protocol::stamp::WallMs;

use crate::jobs::{LEASED, Lease};
use crate::types::StoreError;

/// The first of the lane that is not dead.
pub(in crate::sqlite) const AHEAD: &str = "SELECT ahead.at FROM jobs mine
    CROSS JOIN jobs ahead ON ahead.sid = mine.sid AND ahead.kind = mine.kind
        AND ahead.lane = mine.lane AND ahead.no < mine.no AND ahead.at IS NOT NULL
    WHERE mine.no = ?1 AND mine.lease = ?2 AND mine.state = ?3
    ORDER BY ahead.no LIMIT 1";

/// See [`crate::JobStore::ahead`].
pub(in crate::sqlite) fn ahead(
    conn: &Connection,
    lease: &Lease,
) -> Result<Option<WallMs>, StoreError> {
    let asked = params![lease.no.0 as i64, lease.number as i64, LEASED];
    let mut statement = conn.prepare_cached(AHEAD)?;
    let at: Option<i64> = statement.query_row(asked, |row| row.get(0)).optional()?;
    Ok(at.map(|at| at as u64))
}
