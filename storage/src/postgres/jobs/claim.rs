//! Leasing what is due, space by space. A claim passes over what others hold.

use std::collections::HashMap;

use futures_util::future::join;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::Row;

use super::{COLUMNS, columns, number, stored, text};
use crate::jobs::{
    CLAIM_PASSES_MAX, Claim, JobKind, JobName, JobNo, LEASED, Lease, LeasedJob, Wanted,
};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::{Failure, unreadable};
use crate::postgres::import_rows::column;
use crate::postgres::records::bigint;
use crate::types::StoreError;

/// Whether a queue of these kinds is to be looked at, but for those of full spaces.
///
/// A list of few is a filter behind the index; what is joined to would have all queues read.
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM syncline.job_queues
    WHERE kind = ANY($1::text[]) AND turn_at <= $2 AND sid::text || '/' || kind <> ALL($3::text[]))";

/// The numbers of full spaces, each with the kind of which none is wanted.
const FULL: &str = "SELECT f.kind, s.sid
    FROM unnest($1::text[], $2::text[], $3::text[]) AS f(kind, app, space),
        LATERAL (SELECT sid FROM syncline.spaces
            WHERE app = f.app AND space = f.space LIMIT 1) AS s";

const FIRST: &str = "SELECT min(first.turn_at) FROM unnest($1::text[]) AS k(kind),
    LATERAL (SELECT turn_at FROM syncline.job_queues q WHERE q.kind = k.kind
        ORDER BY turn_at LIMIT 1) AS first";

/// Spaces whose turn it is, the longest due first, held from now on. Full ones are stepped over, and
/// held by nobody.
pub(in crate::postgres) const TAKE_QUEUES: &str = "SELECT sid FROM syncline.job_queues
    WHERE kind = $1 AND turn_at <= $2 AND sid <> ALL($4::bigint[]) ORDER BY turn_at, turn, sid LIMIT $3
    FOR UPDATE SKIP LOCKED";

/// Leases what these spaces have to give, of each the longest due.
pub(in crate::postgres) const LEASE: &str = concat!(
    "WITH due AS MATERIALIZED (
        SELECT d.no FROM unnest($1::bigint[]) AS q(sid),
            LATERAL (SELECT no FROM syncline.jobs
                WHERE kind = $2 AND sid = q.sid AND at <= $3 ORDER BY at, no LIMIT $4
                FOR UPDATE SKIP LOCKED) AS d)
    UPDATE syncline.jobs j SET state = $5, at = $6, attempt = attempt + 1, lease = lease + 1,
        holder = $7
    FROM due WHERE j.no = due.no
    RETURNING ",
    columns!(),
    ", j.no, j.lease, j.sid"
);

/// Says when these spaces are to be looked at next: those that have more to give go behind those
/// that were due before. The kind stands in `next` too: as a constant it would invite a plan that
/// walks all queues of the kind.
pub(in crate::postgres) const SETTLE: &str = "WITH next AS MATERIALIZED (
        SELECT q.sid, $2::text AS kind, (SELECT at FROM syncline.jobs j
            WHERE j.kind = $2 AND j.sid = q.sid AND at IS NOT NULL ORDER BY at LIMIT 1) AS at
        FROM unnest($1::bigint[]) AS q(sid)),
    empty AS (
        DELETE FROM syncline.job_queues q USING next
        WHERE next.at IS NULL AND q.sid = next.sid AND q.kind = next.kind)
    UPDATE syncline.job_queues q SET turn_at = greatest(next.at, $3),
        turn = CASE WHEN next.at <= $3 THEN q.turn + 1 ELSE 0 END
    FROM next WHERE next.at IS NOT NULL AND q.sid = next.sid AND q.kind = next.kind";

const SPACES: &str = "SELECT sid, app, space FROM syncline.spaces WHERE sid = ANY($1::bigint[])";

/// [`crate::JobStore::claim`].
pub(in crate::postgres) struct Claiming<'a>(pub(in crate::postgres) &'a Claim);

impl Call for Claiming<'_> {
    type Answer = Vec<LeasedJob>;

    async fn run(&self, connection: &Connection) -> Result<Vec<LeasedJob>, Failure> {
        let claim = self.0;
        // A lock is a write, so one is taken only where there is something to do.
        let full = full(connection, claim).await?;
        if !is_due(connection, claim, &full).await? {
            return Ok(Vec::new());
        }
        let claiming = async {
            let mut rows = Vec::new();
            for wanted in &claim.wanted {
                let full = full.of(&wanted.kind);
                rows.extend(claim_kind(connection, (claim, wanted), &full).await?);
            }
            leased(connection, claim, &rows).await
        };
        transaction(connection, BEGIN, claiming).await
    }
}

/// Queues of full spaces, a list a column.
#[derive(Default)]
struct Full {
    kind: Vec<String>,
    sid: Vec<i64>,
}

impl Full {
    /// The spaces of a kind.
    fn of(&self, kind: &JobKind) -> Vec<i64> {
        let all = self.kind.iter().zip(&self.sid);
        let of_kind = all.filter(|(of, _)| *of == kind.as_str());
        of_kind.map(|(_, sid)| *sid).collect()
    }
}

async fn full(connection: &Connection, claim: &Claim) -> Result<Full, Failure> {
    let all = claim.wanted.iter().flat_map(|wanted| {
        let spaces = wanted.passed_over().iter();
        spaces.map(|space| (wanted.kind.as_str(), space))
    });
    let all: Vec<(&str, &SpaceKey)> = all.collect();
    let mut full = Full::default();
    if all.is_empty() {
        return Ok(full);
    }
    let asked = [
        &column(&all, |(kind, _)| *kind) as _,
        &column(&all, |(_, space)| space.app.as_str()) as _,
        &column(&all, |(_, space)| space.space.as_str()) as _,
    ];
    for row in connection.client.query(FULL, &asked).await? {
        full.kind.push(text(&row, 0)?.to_owned());
        full.sid.push(number(&row, 1)?);
    }
    Ok(full)
}

async fn is_due(connection: &Connection, claim: &Claim, full: &Full) -> Result<bool, Failure> {
    let wanted = claim.wanted.iter().filter(|wanted| wanted.jobs > 0);
    let kinds: Vec<&str> = wanted.map(|wanted| wanted.kind.as_str()).collect();
    let all = full.kind.iter().zip(&full.sid);
    let passed_over: Vec<String> = all.map(|(kind, sid)| format!("{sid}/{kind}")).collect();
    let asked = [&kinds as _, &(claim.now_ms as i64) as _, &passed_over as _];
    let row = connection.client.query_one(IS_DUE, &asked).await?;
    Ok(row.try_get(0).map_err(|error| unreadable(&error))?)
}

async fn claim_kind(
    connection: &Connection,
    (claim, wanted): (&Claim, &Wanted),
    full: &[i64],
) -> Result<Vec<Row>, Failure> {
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let (kind, now) = (wanted.kind.as_str(), claim.now_ms as i64);
    for _ in 0..CLAIM_PASSES_MAX {
        let limit = bigint(wanted.jobs);
        let asked = [&kind as _, &now as _, &limit as _, &full as _];
        let queues = client.query(&statements.take_queues, &asked).await?;
        let sids = queues.iter().map(|row| number(row, 0));
        let sids: Vec<i64> = sids.collect::<Result<_, _>>()?;
        if sids.is_empty() {
            break;
        }
        let share = (wanted.jobs / sids.len()).clamp(1, claim.per_space.max(1));
        let until = claim.now_ms.saturating_add(claim.lease_ms) as i64;
        let lease = [
            &sids as _,
            &kind as _,
            &now as _,
            &bigint(share) as _,
            &LEASED as _,
            &until as _,
            &claim.holder.as_str() as _,
        ];
        let settle = [&sids as _, &kind as _, &now as _];
        // The second is sent behind the first, and sees what it did.
        let (rows, settled) = join(
            client.query(&statements.lease, &lease),
            client.execute(&statements.settle, &settle),
        )
        .await;
        let rows = rows?;
        settled?;
        // Behind a page of queues that had nothing there may be others.
        if !rows.is_empty() || sids.len() < wanted.jobs {
            return Ok(rows);
        }
    }
    Ok(Vec::new())
}

/// What was leased, of spaces that are there.
async fn leased(
    connection: &Connection,
    claim: &Claim,
    rows: &[Row],
) -> Result<Vec<LeasedJob>, Failure> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sid = |row: &Row| number(row, COLUMNS + 2);
    let sids: Vec<i64> = rows.iter().map(sid).collect::<Result<_, _>>()?;
    let mut spaces = HashMap::new();
    for row in connection.client.query(SPACES, &[&sids]).await? {
        let key = SpaceKey {
            app: AppId::trusted(text(&row, 1)?),
            space: SpaceId::trusted(text(&row, 2)?),
        };
        spaces.insert(number(&row, 0)?, key);
    }
    let until_ms = claim.now_ms.saturating_add(claim.lease_ms);
    let mut leased = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(space) = spaces.get(&sid(row)?) {
            leased.push((stored(row)?.job.due_at_ms, one(row, space, until_ms)?));
        }
    }
    // An update returns them as it finds them.
    leased.sort_by_key(|(due_at_ms, one)| (*due_at_ms, one.lease.no));
    Ok(leased.into_iter().map(|(_, one)| one).collect())
}

fn one(row: &Row, space: &SpaceKey, until_ms: WallMs) -> Result<LeasedJob, StoreError> {
    let stored = stored(row)?;
    Ok(LeasedJob {
        lease: Lease {
            name: JobName {
                space: space.clone(),
                kind: stored.job.kind.clone(),
                key: stored.job.key.clone(),
            },
            no: JobNo(number(row, COLUMNS)? as u64),
            number: number(row, COLUMNS + 1)? as u64,
        },
        job: stored.job,
        attempt: stored.attempt,
        has_failed: stored.error.is_some(),
        until_ms,
    })
}

/// [`crate::JobStore::next_due`].
pub(super) struct NextDue<'a>(pub(super) &'a [JobKind]);

impl Call for NextDue<'_> {
    type Answer = Option<WallMs>;

    async fn run(&self, connection: &Connection) -> Result<Option<WallMs>, Failure> {
        let kinds: Vec<&str> = self.0.iter().map(JobKind::as_str).collect();
        let row = connection.client.query_one(FIRST, &[&kinds]).await?;
        let first: Option<i64> = row.try_get(0).map_err(|error| unreadable(&error))?;
        Ok(first.map(|at| at as u64))
    }
}
