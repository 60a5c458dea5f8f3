//! Ending leases, each only by who holds it.

use rusqlite::{Connection, OptionalExtension, Params, Transaction, TransactionBehavior, params};
use syncline_protocol::stamp::WallMs;

use super::forward;
use super::lanes::{Lane, lane, settle};
use crate::jobs::{DEAD, Ended, LEASED, Lease, LeaseError, LeaseLost, Outcome, RETRY, SCHEDULED};
use crate::types::StoreError;

const IS_HELD: &str = "SELECT 1 FROM jobs
    WHERE no = ?1 AND lease = ?2 AND state = ?3 AND sid = ?4";

const EXTEND: &str = "UPDATE jobs SET at = ?4 WHERE no = ?1 AND lease = ?2 AND state = ?3";

const DONE: &str = "DELETE FROM jobs WHERE no = ?1 AND lease = ?2 AND state = ?3
    RETURNING sid, kind, lane";

const GIVE_UP: &str = "UPDATE jobs SET state = ?4, at = NULL, dead_at = ?5, error = ?6,
    holder = NULL WHERE no = ?1 AND lease = ?2 AND state = ?3 RETURNING sid, kind, lane";

const TRY_AGAIN: &str = "UPDATE jobs SET state = ?4, at = ?5, error = ?6, holder = NULL
    WHERE no = ?1 AND lease = ?2 AND state = ?3 RETURNING sid, kind, lane";

/// As if it were put again, so under another number, and behind whatever is in its lane.
const DUE_AGAIN: &str = "INSERT OR REPLACE INTO jobs(sid, kind, key, state, due_at, at, behind_at,
        attempt, lease, depth, epoch, seq, origin, args, lane)
    SELECT sid, kind, key, ?4, ?5, CASE WHEN lane IS NULL THEN ?5 END,
        CASE WHEN lane IS NOT NULL THEN ?5 END, 0, 0, depth, epoch, seq, origin, args, lane
    FROM jobs WHERE no = ?1 AND lease = ?2 AND state = ?3 RETURNING sid, kind, lane";

const WAIT: &str = "UPDATE jobs SET
        state = CASE WHEN attempt = 1 AND error IS NULL THEN ?4 ELSE ?5 END,
        at = ?6, attempt = attempt - 1, holder = NULL
    WHERE no = ?1 AND lease = ?2 AND state = ?3 RETURNING sid, kind, lane";

type Answers = Vec<Result<(), LeaseError>>;

/// See [`crate::JobStore::extend`].
pub(super) fn extend(
    conn: &mut Connection,
    leases: &[Lease],
    until_ms: WallMs,
) -> Result<Answers, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(leases.len());
    for lease in leases {
        let (no, number) = numbers(lease);
        let written =
            tx.prepare_cached(EXTEND)?
                .execute(params![no, number, LEASED, until_ms as i64])?;
        answers.push(held(written));
    }
    tx.commit()?;
    Ok(answers)
}

/// See [`crate::JobStore::finish`].
pub(in crate::sqlite) fn finish(
    conn: &mut Connection,
    ended: &[Ended],
    now_ms: WallMs,
) -> Result<Answers, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = ended.iter().map(|one| finish_one(&tx, one, now_ms));
    let answers = answers.collect::<Result<_, _>>()?;
    tx.commit()?;
    Ok(answers)
}

fn numbers(lease: &Lease) -> (i64, i64) {
    (lease.no.0 as i64, lease.number as i64)
}

fn held(written: usize) -> Result<(), LeaseError> {
    match written {
        0 => Err(LeaseLost.into()),
        _ => Ok(()),
    }
}

/// The places of leases of a space that are not held.
pub(in crate::sqlite) fn lost(
    tx: &Transaction<'_>,
    sid: i64,
    ends: &[Ended],
) -> Result<Vec<usize>, StoreError> {
    let mut lost = Vec::new();
    for (place, ended) in ends.iter().enumerate() {
        let (no, number) = numbers(&ended.lease);
        let asked = params![no, number, LEASED, sid];
        if !tx.prepare_cached(IS_HELD)?.exists(asked)? {
            lost.push(place);
        }
    }
    Ok(lost)
}

pub(super) fn finish_one(
    tx: &Transaction<'_>,
    ended: &Ended,
    now_ms: WallMs,
) -> Result<Result<(), LeaseError>, StoreError> {
    let (no, number) = numbers(&ended.lease);
    let now = now_ms as i64;
    let (lane, back_ms) = match &ended.outcome {
        Outcome::Done => {
            let row = params![no, number, LEASED];
            (written(tx, DONE, row)?, None)
        }
        Outcome::Dead { error } => {
            let row = params![no, number, LEASED, DEAD, now, error.as_str()];
            (written(tx, GIVE_UP, row)?, None)
        }
        Outcome::Retry { at_ms, error } => {
            let row = params![no, number, LEASED, RETRY, *at_ms as i64, error.as_str()];
            (written(tx, TRY_AGAIN, row)?, Some(*at_ms))
        }
        Outcome::Again { due_at_ms } => {
            let row = params![no, number, LEASED, SCHEDULED, *due_at_ms as i64];
            (written(tx, DUE_AGAIN, row)?, Some(*due_at_ms))
        }
        Outcome::Wait { at_ms } => {
            let row = params![no, number, LEASED, SCHEDULED, RETRY, *at_ms as i64];
            (written(tx, WAIT, row)?, Some(*at_ms))
        }
    };
    let Some(lane) = lane else {
        return Ok(Err(LeaseLost.into()));
    };
    if let Some(back_ms) = back_ms {
        forward(tx, (lane.sid, &lane.kind), back_ms.max(now_ms))?;
    }
    settle(tx, &lane, now_ms)?;
    Ok(Ok(()))
}

/// Runs a statement that ends a lease. Where the job is, or was; `None` if the lease is lost.
fn written(tx: &Transaction<'_>, sql: &str, row: impl Params) -> Result<Option<Lane>, StoreError> {
    let mut statement = tx.prepare_cached(sql)?;
    Ok(statement.query_row(row, lane).optional()?)
}
