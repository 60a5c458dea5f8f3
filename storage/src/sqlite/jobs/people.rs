//! What people ask of jobs: looking at one, cancelling, another time, the dead ones, how many.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use super::{COLUMNS, columns, forward, lanes, stored};
use crate::jobs::{
    DEAD, DeadCursor, DeadJob, JOBS_COUNTED_MAX, JobCounts, JobKey, JobKind, JobName, JobNo,
    LEASED, RETRY, SCHEDULED, StoredJob,
};
use crate::sqlite::space;
use crate::types::StoreError;

const ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM jobs WHERE sid = ?1 AND kind = ?2 AND key = ?3"
);

/// One that is behind stays there.
const SNOOZE: &str = "UPDATE jobs SET due_at = CASE state WHEN ?4 THEN ?5 ELSE due_at END,
        at = CASE WHEN at IS NOT NULL THEN ?5 END,
        behind_at = CASE WHEN behind_at IS NOT NULL THEN ?5 END
    WHERE sid = ?1 AND kind = ?2 AND key = ?3 AND state IN (?4, ?6) RETURNING sid, kind, lane";

/// What waits, and what waits behind others.
const WAITING: &str = "SELECT s.app, s.space, w.key FROM
    (SELECT sid, key FROM jobs WHERE kind = ?1 AND at > ?2 AND at <= ?3 AND state <> ?5
    UNION ALL SELECT sid, key FROM jobs WHERE kind = ?1 AND behind_at > ?2 AND behind_at <= ?3) AS w
    JOIN spaces AS s ON s.sid = w.sid LIMIT ?4";

/// The newest first.
pub(in crate::sqlite) const DEAD_ONES: &str = concat!(
    "SELECT ",
    columns!(),
    ", no, (SELECT app FROM spaces s WHERE s.sid = jobs.sid),
        (SELECT space FROM spaces s WHERE s.sid = jobs.sid)
    FROM jobs
    WHERE kind = ?1 AND (dead_at, no) < (?2, ?3) AND dead_at IS NOT NULL
    ORDER BY dead_at DESC, no DESC LIMIT ?4"
);

/// What comes back. In a lane it is behind until that is settled.
macro_rules! revived {
    ($state:literal, $at:literal) => {
        concat!(
            "UPDATE jobs SET state = ",
            $state,
            ", dead_at = NULL, attempt = 0, at = CASE WHEN lane IS NULL THEN ",
            $at,
            " END, behind_at = CASE WHEN lane IS NOT NULL THEN ",
            $at,
            " END"
        )
    };
}

const REPLAY: &str = concat!(
    revived!("?4", "?5"),
    " WHERE sid = ?1 AND kind = ?2 AND key = ?3 AND state = ?6 RETURNING sid, kind, lane"
);

const OLDEST_DEAD: &str = "SELECT no FROM jobs
    WHERE kind = ?1 AND dead_at <= ?2 ORDER BY dead_at, no LIMIT ?3";

const REPLAY_NO: &str = concat!(
    revived!("?2", "?3"),
    " WHERE no = ?1 RETURNING sid, kind, lane"
);

const FORGET: &str = "DELETE FROM jobs WHERE no IN (SELECT no FROM jobs
    WHERE kind = ?1 AND dead_at < ?2 ORDER BY dead_at, no LIMIT ?3)";

const COUNT_LIVING: &str = "SELECT state, count(*) FROM
    (SELECT state FROM jobs WHERE kind = ?1 AND at IS NOT NULL
    UNION ALL SELECT state FROM jobs WHERE kind = ?1 AND behind_at IS NOT NULL LIMIT ?2)
    GROUP BY state";

const COUNT_DEAD: &str = "SELECT count(*) FROM
    (SELECT 1 FROM jobs WHERE kind = ?1 AND dead_at IS NOT NULL LIMIT ?2)";

fn bigint(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// See [`crate::JobStore::job`].
pub(super) fn job(conn: &Connection, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
    let Some(row) = space::find(conn, &name.space)? else {
        return Ok(None);
    };
    let mut statement = conn.prepare_cached(ONE)?;
    let mut rows = statement.query(params![row.sid, name.kind.as_str(), name.key.as_str()])?;
    rows.next()?.map(stored).transpose()
}

/// See [`crate::JobStore::waiting_jobs`].
pub(super) fn waiting_jobs(
    conn: &Connection,
    kind: &JobKind,
    ((after_ms, to_ms), limit): ((WallMs, WallMs), usize),
) -> Result<Vec<JobName>, StoreError> {
    let at = |ms: WallMs| i64::try_from(ms).unwrap_or(i64::MAX);
    let asked = params![
        kind.as_str(),
        at(after_ms),
        at(to_ms),
        bigint(limit),
        LEASED
    ];
    let mut statement = conn.prepare_cached(WAITING)?;
    let names = statement.query_map(asked, |row| {
        Ok(JobName {
            space: SpaceKey {
                app: AppId::trusted(&row.get::<_, String>(0)?),
                space: SpaceId::trusted(&row.get::<_, String>(1)?),
            },
            kind: kind.clone(),
            key: JobKey::trusted(&row.get::<_, String>(2)?),
        })
    })?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// See [`crate::JobStore::cancel`].
pub(super) fn cancel(conn: &mut Connection, name: &JobName) -> Result<bool, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(row) = space::find(&tx, &name.space)? else {
        return Ok(false);
    };
    // Nobody says what time it is: the next is due since it was.
    let was_there = super::cancel(&tx, (row.sid, &name.kind, &name.key), 0)?;
    tx.commit()?;
    Ok(was_there)
}

/// Runs a change of one job, which brings its queue forward where it was made.
fn change(
    conn: &mut Connection,
    name: &JobName,
    (sql, state, at_ms, before): (&str, i64, WallMs, i64),
) -> Result<bool, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(row) = space::find(&tx, &name.space)? else {
        return Ok(false);
    };
    let (kind, key) = (name.kind.as_str(), name.key.as_str());
    let asked = params![row.sid, kind, key, state, at_ms as i64, before];
    let mut statement = tx.prepare_cached(sql)?;
    let changed = statement.query_row(asked, lanes::lane).optional()?;
    drop(statement);
    if let Some(lane) = &changed {
        forward(&tx, (row.sid, kind), at_ms)?;
        lanes::settle(&tx, lane, 0)?;
    }
    tx.commit()?;
    Ok(changed.is_some())
}

/// See [`crate::JobStore::snooze`].
pub(super) fn snooze(
    conn: &mut Connection,
    name: &JobName,
    due_at_ms: WallMs,
) -> Result<bool, StoreError> {
    change(conn, name, (SNOOZE, SCHEDULED, due_at_ms, RETRY))
}

/// See [`crate::JobStore::replay`].
pub(super) fn replay(
    conn: &mut Connection,
    name: &JobName,
    now_ms: WallMs,
) -> Result<bool, StoreError> {
    change(conn, name, (REPLAY, RETRY, now_ms, DEAD))
}

/// See [`crate::JobStore::dead_jobs`].
pub(in crate::sqlite) fn dead_jobs(
    conn: &Connection,
    kind: &JobKind,
    (after, limit): (Option<DeadCursor>, usize),
) -> Result<Vec<DeadJob>, StoreError> {
    let place = after.map(|after| (after.at_ms as i64, after.no.0 as i64));
    let (at, no) = place.unwrap_or((i64::MAX, i64::MAX));
    let mut statement = conn.prepare_cached(DEAD_ONES)?;
    let mut rows = statement.query(params![kind.as_str(), at, no, bigint(limit)])?;
    let mut dead = Vec::new();
    while let Some(row) = rows.next()? {
        dead.push(DeadJob {
            cursor: DeadCursor {
                at_ms: row.get::<_, i64>(5)? as u64,
                no: JobNo(row.get::<_, i64>(COLUMNS)? as u64),
            },
            space: SpaceKey {
                app: AppId::trusted(&row.get::<_, String>(COLUMNS + 1)?),
                space: SpaceId::trusted(&row.get::<_, String>(COLUMNS + 2)?),
            },
            stored: stored(row)?,
        });
    }
    Ok(dead)
}

/// See [`crate::JobStore::replay_all`].
pub(super) fn replay_all(
    conn: &mut Connection,
    kind: &JobKind,
    (now_ms, limit): (WallMs, usize),
) -> Result<usize, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = now_ms as i64;
    let mut statement = tx.prepare_cached(OLDEST_DEAD)?;
    let asked = params![kind.as_str(), now, bigint(limit)];
    let dead = statement.query_map(asked, |row| row.get(0))?;
    let dead: Vec<i64> = dead.collect::<Result<_, _>>()?;
    drop(statement);
    for no in &dead {
        let mut statement = tx.prepare_cached(REPLAY_NO)?;
        let lane = statement.query_row(params![no, RETRY, now], lanes::lane)?;
        forward(&tx, (lane.sid, kind.as_str()), now_ms)?;
        lanes::settle(&tx, &lane, now_ms)?;
    }
    tx.commit()?;
    Ok(dead.len())
}

/// See [`crate::JobStore::forget_dead`].
pub(super) fn forget_dead(
    conn: &Connection,
    kind: &JobKind,
    (before_ms, limit): (WallMs, usize),
) -> Result<usize, StoreError> {
    let asked = params![kind.as_str(), before_ms as i64, bigint(limit)];
    Ok(conn.prepare_cached(FORGET)?.execute(asked)?)
}

/// See [`crate::JobStore::job_counts`].
pub(in crate::sqlite) fn counts(
    conn: &Connection,
    kind: &JobKind,
) -> Result<JobCounts, StoreError> {
    let most = JOBS_COUNTED_MAX as i64;
    let mut counts = JobCounts::default();
    let mut living = conn.prepare_cached(COUNT_LIVING)?;
    let mut rows = living.query(params![kind.as_str(), most])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(1)? as u64;
        match row.get::<_, i64>(0)? {
            LEASED => counts.leased = count,
            RETRY => counts.retry = count,
            _ => counts.scheduled = count,
        }
    }
    let mut dead = conn.prepare_cached(COUNT_DEAD)?;
    let dead: i64 = dead
        .query_row(params![kind.as_str(), most], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    counts.dead = dead as u64;
    Ok(counts)
}
