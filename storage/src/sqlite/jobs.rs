//! Jobs in the file: rows of `jobs`, and for each space and kind with a job that is not dead a row
//! of `job_queues`, which says when to look there and whose turn it is.
//!
//! A queue's time is never later than when it next has something to claim. It is brought forward
//! when a job comes, and put right by a claim; what goes leaves it too early, which costs one look.

pub(super) mod claim;
pub(super) mod finish;
pub(super) mod lanes;
pub(super) mod people;
mod store;

pub(super) use finish::lost;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use syncline_protocol::ids::{Epoch, Seq};
use syncline_protocol::stamp::WallMs;

use crate::jobs::{
    IfThere, Job, JobArgs, JobError, JobKey, JobKind, JobLane, Net, Origin, SCHEDULED,
    StateColumns, StoredJob, TriggerId, net,
};
use crate::types::{Commit, StoreError};

/// Behind the one of its lane that can be claimed, if there is one.
const PUT: &str =
    "INSERT INTO jobs(sid, kind, key, state, due_at, at, behind_at, attempt, lease, depth,
        epoch, seq, origin, args, lane)
    SELECT ?1, ?2, ?3, ?4, ?5, CASE WHEN first.is_there THEN NULL ELSE ?5 END,
        CASE WHEN first.is_there THEN ?5 END, 0, 0, ?6, ?7, ?8, ?9, ?10, ?11
    FROM (SELECT ?11 IS NOT NULL AND EXISTS (SELECT 1 FROM jobs
        WHERE sid = ?1 AND kind = ?2 AND lane = ?11 AND at IS NOT NULL) AS is_there) AS first
    WHERE true
    ON CONFLICT(sid, kind, key) DO NOTHING RETURNING at";

const CANCEL: &str = "DELETE FROM jobs WHERE sid = ?1 AND kind = ?2 AND key = ?3
    RETURNING sid, kind, lane";

/// Brings a queue forward to when a job of it comes.
const FORWARD: &str = "INSERT INTO job_queues(sid, kind, turn_at, turn) VALUES(?1, ?2, ?3, 0)
    ON CONFLICT(sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < turn_at";

/// Everything of a job, as [`stored`] reads it.
macro_rules! columns {
    () => {
        "kind, key, state, due_at, coalesce(at, behind_at), dead_at, holder, attempt, depth, epoch,
        seq, origin, args, error, lane"
    };
}
use columns;

/// Columns of [`columns`].
const COLUMNS: usize = 15;

/// Those of a space, for who exports it, in the order they were put.
pub(super) const ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM jobs WHERE sid = ?1 ORDER BY +no"
);

const IMPORT: &str =
    "INSERT INTO jobs(sid, lease, kind, key, state, due_at, at, dead_at, holder, attempt,
        depth, epoch, seq, origin, args, error, lane)
    VALUES(?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

const IMPORT_QUEUES: &str = "INSERT INTO job_queues(sid, kind, turn_at, turn)
    SELECT sid, kind, min(at), 0 FROM jobs WHERE sid = ?1 AND at IS NOT NULL GROUP BY kind";

/// Everything of a space.
pub(super) const REMOVE: [&str; 2] = [
    "DELETE FROM job_queues WHERE sid = ?1",
    "DELETE FROM jobs WHERE sid = ?1",
];

/// Writes what a commit does to the jobs of its space. The leases it ends were [found held](lost).
pub(super) fn write(tx: &Transaction<'_>, sid: i64, commit: &Commit) -> Result<(), StoreError> {
    for ended in &commit.ends {
        let held = finish::finish_one(tx, ended, commit.now_ms)?;
        debug_assert_eq!(held, Ok(()), "{ended:?} is there twice");
    }
    for ((kind, key), net) in net(&commit.jobs) {
        match net {
            Net::Put(job, if_there) => put(tx, (sid, commit.now_ms), (job, if_there))?,
            Net::Cancel => {
                cancel(tx, (sid, kind, key), commit.now_ms)?;
            }
        }
    }
    Ok(())
}

fn put(
    tx: &Transaction<'_>,
    (sid, now_ms): (i64, WallMs),
    (job, if_there): (&Job, IfThere),
) -> Result<(), StoreError> {
    if if_there == IfThere::Replace {
        // The new one has a number of its own: at the end of its lane.
        cancel(tx, (sid, &job.kind, &job.key), now_ms)?;
    }
    let row = params![
        sid,
        job.kind.as_str(),
        job.key.as_str(),
        SCHEDULED,
        job.due_at_ms as i64,
        job.depth,
        job.origin.epoch.0 as i64,
        job.origin.seq.0 as i64,
        job.origin.trigger.as_str(),
        job.args.as_str(),
        job.lane.as_ref().map(JobLane::as_str)
    ];
    let mut statement = tx.prepare_cached(PUT)?;
    let at: Option<Option<i64>> = statement.query_row(row, |row| row.get(0)).optional()?;
    if let Some(Some(_)) = at {
        // What is overdue when it comes goes behind what was due before: else a space could always
        // be the first.
        forward(tx, (sid, job.kind.as_str()), job.due_at_ms.max(now_ms))?;
    }
    Ok(())
}

/// Removes a job, and has its lane go on. False if there was none.
fn cancel(
    tx: &Transaction<'_>,
    (sid, kind, key): (i64, &JobKind, &JobKey),
    now_ms: WallMs,
) -> Result<bool, StoreError> {
    let name = params![sid, kind.as_str(), key.as_str()];
    let mut statement = tx.prepare_cached(CANCEL)?;
    let gone = statement.query_row(name, lanes::lane).optional()?;
    if let Some(lane) = &gone {
        lanes::settle(tx, lane, now_ms)?;
    }
    Ok(gone.is_some())
}

/// Has a queue be looked at by then.
fn forward(
    tx: &Transaction<'_>,
    (sid, kind): (i64, &str),
    turn_at_ms: WallMs,
) -> Result<(), StoreError> {
    let queue = params![sid, kind, turn_at_ms as i64];
    tx.prepare_cached(FORWARD)?.execute(queue)?;
    Ok(())
}

/// Reads the columns of [`columns`].
pub(super) fn stored(row: &Row<'_>) -> Result<StoredJob, StoreError> {
    let state = StateColumns {
        state: row.get(2)?,
        at: row.get(4)?,
        dead_at: row.get(5)?,
        holder: row.get(6)?,
    };
    let error: Option<String> = row.get(13)?;
    let lane: Option<String> = row.get(14)?;
    Ok(StoredJob {
        job: Job {
            kind: JobKind::trusted(&row.get::<_, String>(0)?),
            key: JobKey::trusted(&row.get::<_, String>(1)?),
            lane: lane.map(|lane| JobLane::trusted(&lane)),
            due_at_ms: row.get::<_, i64>(3)? as u64,
            args: JobArgs::trusted(&row.get::<_, String>(12)?),
            depth: row.get(8)?,
            origin: Origin {
                epoch: Epoch(row.get::<_, i64>(9)? as u64),
                seq: Seq(row.get::<_, i64>(10)? as u64),
                trigger: TriggerId::trusted(&row.get::<_, String>(11)?),
            },
        },
        state: state.read()?,
        attempt: row.get(7)?,
        error: error.map(|error| JobError::new(&error)),
    })
}

/// Writes a job of an archive. Its queue comes with its space: [`import_queues`].
pub(super) fn import(tx: &Transaction<'_>, sid: i64, image: &StoredJob) -> Result<(), StoreError> {
    let state = StateColumns::of(image);
    let job = &image.job;
    tx.prepare_cached(IMPORT)?.execute(params![
        sid,
        job.kind.as_str(),
        job.key.as_str(),
        state.state,
        job.due_at_ms as i64,
        state.at,
        state.dead_at,
        state.holder,
        image.attempt,
        job.depth,
        job.origin.epoch.0 as i64,
        job.origin.seq.0 as i64,
        job.origin.trigger.as_str(),
        job.args.as_str(),
        image.error.as_ref().map(JobError::as_str),
        job.lane.as_ref().map(JobLane::as_str)
    ])?;
    Ok(())
}

/// Has the jobs of an imported space be claimed, of each lane the first.
pub(super) fn import_queues(conn: &Connection, sid: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(lanes::IMPORTED)?.execute([sid])?;
    conn.prepare_cached(IMPORT_QUEUES)?.execute([sid])?;
    Ok(())
}
