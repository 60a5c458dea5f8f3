//! Leasing what is due, space by space.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use super::{COLUMNS, columns, stored};
use crate::jobs::{
    CLAIM_PASSES_MAX, Claim, JobKind, JobName, JobNo, LEASED, Lease, LeasedJob, Wanted,
};
use crate::types::StoreError;

/// Spaces whose turn it is, the longest due first.
pub(in crate::sqlite) const QUEUES: &str = "SELECT sid FROM job_queues
    WHERE kind = ?1 AND turn_at <= ?2 ORDER BY turn_at, turn, sid LIMIT ?3";

const SID: &str = "SELECT sid FROM spaces WHERE app = ?1 AND space = ?2";

const SPACE: &str = "SELECT app, space FROM spaces WHERE sid = ?1";

/// What a space has to give, the longest due first.
pub(in crate::sqlite) const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    ", no, lease FROM jobs
    WHERE kind = ?1 AND sid = ?2 AND at <= ?3 ORDER BY at, no LIMIT ?4"
);

const LEASE: &str = "UPDATE jobs SET state = ?2, at = ?3, attempt = attempt + 1,
    lease = lease + 1, holder = ?4 WHERE no = ?1";

/// When a space has something to claim next.
pub(in crate::sqlite) const NEXT: &str = "SELECT at FROM jobs
    WHERE kind = ?1 AND sid = ?2 AND at IS NOT NULL ORDER BY at LIMIT 1";

/// Its turn is over: it goes behind those that were due before.
const BEHIND: &str = "UPDATE job_queues SET turn_at = ?3, turn = turn + 1
    WHERE kind = ?1 AND sid = ?2";

/// Nothing of it is due.
const LATER: &str = "UPDATE job_queues SET turn_at = ?3, turn = 0 WHERE kind = ?1 AND sid = ?2";

const EMPTY: &str = "DELETE FROM job_queues WHERE kind = ?1 AND sid = ?2";

pub(super) const FIRST: &str =
    "SELECT turn_at FROM job_queues WHERE kind = ?1 ORDER BY turn_at LIMIT 1";

/// When the first queue of a kind is to be looked at.
pub(super) fn first_turn(conn: &Connection, kind: &JobKind) -> Result<Option<WallMs>, StoreError> {
    let mut statement = conn.prepare_cached(FIRST)?;
    let at: Option<i64> = statement
        .query_row([kind.as_str()], |row| row.get(0))
        .optional()?;
    Ok(at.map(|at| at as u64))
}

/// Whether a claim would find anything: else the writer is not needed.
pub(super) fn is_due(conn: &Connection, claim: &Claim) -> Result<bool, StoreError> {
    for wanted in claim.wanted.iter().filter(|wanted| wanted.jobs > 0) {
        let full = full(conn, wanted)?;
        if !queues(conn, (claim, wanted), (1, &full))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// See [`crate::JobStore::claim`].
pub(in crate::sqlite) fn claim(
    conn: &mut Connection,
    claim: &Claim,
) -> Result<Vec<LeasedJob>, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut leased = Vec::new();
    for wanted in &claim.wanted {
        claim_kind(&tx, (claim, wanted), &mut leased)?;
    }
    tx.commit()?;
    Ok(leased)
}

fn claim_kind(
    tx: &Transaction<'_>,
    (claim, wanted): (&Claim, &Wanted),
    leased: &mut Vec<LeasedJob>,
) -> Result<(), StoreError> {
    let before = leased.len();
    let full = full(tx, wanted)?;
    for _ in 0..CLAIM_PASSES_MAX {
        let queues = queues(tx, (claim, wanted), (wanted.jobs, &full))?;
        let share = (wanted.jobs / queues.len().max(1)).clamp(1, claim.per_space.max(1));
        for sid in &queues {
            let asked = Asked {
                claim,
                kind: &wanted.kind,
                sid: *sid,
            };
            take_turn(tx, &asked, (share, leased))?;
        }
        // Behind a page of queues that had nothing there may be others.
        if leased.len() > before || queues.len() < wanted.jobs {
            break;
        }
    }
    Ok(())
}

/// The first queues whose turn it is, but for those of full spaces: each has one, so as many more are
/// read.
fn queues(
    conn: &Connection,
    (claim, wanted): (&Claim, &Wanted),
    (count, full): (usize, &[i64]),
) -> Result<Vec<i64>, StoreError> {
    let limit = i64::try_from(count.saturating_add(full.len())).unwrap_or(i64::MAX);
    let asked = params![wanted.kind.as_str(), claim.now_ms as i64, limit];
    let mut statement = conn.prepare_cached(QUEUES)?;
    let sids = statement.query_map(asked, |row| row.get(0))?;
    let mut sids: Vec<i64> = sids.collect::<Result<_, _>>()?;
    sids.retain(|sid| !full.contains(sid));
    sids.truncate(count);
    Ok(sids)
}

/// The numbers of the full spaces that are there.
fn full(conn: &Connection, wanted: &Wanted) -> Result<Vec<i64>, StoreError> {
    let mut statement = conn.prepare_cached(SID)?;
    let mut sids = Vec::new();
    for key in wanted.passed_over() {
        let named = params![key.app.as_str(), key.space.as_str()];
        let sid: Option<i64> = statement.query_row(named, |row| row.get(0)).optional()?;
        sids.extend(sid);
    }
    Ok(sids)
}

struct Asked<'a> {
    claim: &'a Claim,
    kind: &'a JobKind,
    sid: i64,
}

/// Leases a space's share and says when it is to be looked at next.
fn take_turn(
    tx: &Transaction<'_>,
    asked: &Asked<'_>,
    (share, leased): (usize, &mut Vec<LeasedJob>),
) -> Result<(), StoreError> {
    let Some(space) = space(tx, asked.sid)? else {
        tx.prepare_cached(EMPTY)?
            .execute(params![asked.kind.as_str(), asked.sid])?;
        return Ok(());
    };
    let now = asked.claim.now_ms as i64;
    let share = i64::try_from(share).unwrap_or(i64::MAX);
    let mut due = tx.prepare_cached(DUE)?;
    let mut rows = due.query(params![asked.kind.as_str(), asked.sid, now, share])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let numbers: (i64, i64) = (row.get(COLUMNS)?, row.get(COLUMNS + 1)?);
        found.push((stored(row)?, numbers));
    }
    let until_ms = asked.claim.now_ms.saturating_add(asked.claim.lease_ms);
    let mut lease = tx.prepare_cached(LEASE)?;
    for (stored, (no, number)) in found {
        let holder = asked.claim.holder.as_str();
        lease.execute(params![no, LEASED, until_ms as i64, holder])?;
        leased.push(LeasedJob {
            lease: Lease {
                name: JobName {
                    space: space.clone(),
                    kind: stored.job.kind.clone(),
                    key: stored.job.key.clone(),
                },
                no: JobNo(no as u64),
                number: number as u64 + 1,
            },
            job: stored.job,
            attempt: stored.attempt + 1,
            has_failed: stored.error.is_some(),
            until_ms,
        });
    }
    settle(tx, asked)
}

fn settle(tx: &Transaction<'_>, asked: &Asked<'_>) -> Result<(), StoreError> {
    let (kind, sid, now) = (asked.kind.as_str(), asked.sid, asked.claim.now_ms as i64);
    let next: Option<i64> = tx
        .prepare_cached(NEXT)?
        .query_row(params![kind, sid], |row| row.get(0))
        .optional()?;
    match next {
        None => tx.prepare_cached(EMPTY)?.execute(params![kind, sid])?,
        Some(at) if at <= now => tx
            .prepare_cached(BEHIND)?
            .execute(params![kind, sid, now])?,
        Some(at) => tx.prepare_cached(LATER)?.execute(params![kind, sid, at])?,
    };
    Ok(())
}

fn space(tx: &Transaction<'_>, sid: i64) -> Result<Option<SpaceKey>, StoreError> {
    let mut statement = tx.prepare_cached(SPACE)?;
    let found = statement.query_row([sid], |row| {
        Ok(SpaceKey {
            app: AppId::trusted(&row.get::<_, String>(0)?),
            space: SpaceId::trusted(&row.get::<_, String>(1)?),
        })
    });
    Ok(found.optional()?)
}
