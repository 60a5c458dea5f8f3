//! Which job of a lane can be claimed: the one that is leased, else the first. It has an `at`; the
//! others are behind, and have in `behind_at` what their `at` will be.
//!
//! Who puts a job puts it behind if any of its lane can be claimed. Whoever changes another one has
//! its lane [settled](settle), which costs a step in the index of those behind, and another one if
//! there are any.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use syncline_protocol::stamp::WallMs;

use super::forward;
use crate::jobs::LEASED;
use crate::types::StoreError;

/// The first of those that are behind.
pub(in crate::sqlite) const FIRST_BEHIND: &str = "SELECT no, behind_at FROM jobs
    WHERE sid = ?1 AND kind = ?2 AND lane = ?3 AND behind_at IS NOT NULL ORDER BY no LIMIT 1";

/// The one that can be claimed.
pub(in crate::sqlite) const FIRST: &str = "SELECT no, state FROM jobs
    WHERE sid = ?1 AND kind = ?2 AND lane = ?3 AND at IS NOT NULL ORDER BY no LIMIT 1";

const GO_BEHIND: &str = "UPDATE jobs SET at = NULL, behind_at = at WHERE no = ?1";

const COME_FIRST: &str = "UPDATE jobs SET at = behind_at, behind_at = NULL WHERE no = ?1";

/// Of a space that comes from an archive: of each lane all but the first.
pub(super) const IMPORTED: &str = "UPDATE jobs SET at = NULL, behind_at = at
    WHERE sid = ?1 AND lane IS NOT NULL AND at IS NOT NULL AND EXISTS (SELECT 1 FROM jobs first
        WHERE first.sid = jobs.sid AND first.kind = jobs.kind AND first.lane = jobs.lane
            AND first.at IS NOT NULL AND first.no < jobs.no)";

/// A lane of a space and kind, of a job that may have none.
pub(super) struct Lane {
    pub(super) sid: i64,
    pub(super) kind: String,
    pub(super) lane: Option<String>,
}

/// Reads the columns `sid, kind, lane`.
pub(super) fn lane(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(Lane {
        sid: row.get(0)?,
        kind: row.get(1)?,
        lane: row.get(2)?,
    })
}

/// Has the job be claimable that is to be, and its queue be looked at when it is due.
pub(super) fn settle(tx: &Transaction<'_>, lane: &Lane, now_ms: WallMs) -> Result<(), StoreError> {
    let Lane { sid, kind, lane } = lane;
    let Some(lane) = lane else {
        return Ok(());
    };
    let of_lane = params![sid, kind, lane];
    let mut behind = tx.prepare_cached(FIRST_BEHIND)?;
    let behind = behind.query_row(of_lane, |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((next, at)): Option<(i64, i64)> = behind.optional()? else {
        return Ok(());
    };
    let mut first = tx.prepare_cached(FIRST)?;
    let first = first.query_row(of_lane, |row| Ok((row.get(0)?, row.get(1)?)));
    let first: Option<(i64, i64)> = first.optional()?;
    match first {
        Some((_, LEASED)) => return Ok(()),
        Some((first, _)) if first < next => return Ok(()),
        Some((first, _)) => tx.prepare_cached(GO_BEHIND)?.execute([first])?,
        None => 0,
    };
    tx.prepare_cached(COME_FIRST)?.execute([next])?;
    forward(tx, (*sid, kind), (at as u64).max(now_ms))
}
