//! Which job of a lane can be claimed: the one that is leased, else the first. It has an `at`; the
//! others are behind, and have in `behind_at` what their `at` will be.
//!
//! Whoever puts a job of a lane, ends, cancels or replays one holds its queue first ([`HOLD`]), and so
//! sees what whoever was before it did to the lane: a job is never put behind one that goes at the
//! same time. Jobs of a lane are locked by nobody who does not hold their queue, but for leases that
//! are extended, which are locked in their order and without waiting for a queue, and the old dead,
//! which are passed over if they are locked. So the jobs that [`GO_ON`], [`GO_BEHIND`] and
//! [`COME_FIRST`] change wait for nobody who waits for them, in whatever order they are taken.

use tokio_postgres::types::ToSql;

use super::finish::{Ends, Leases};
use crate::jobs::LEASED;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

/// Brings queues forward to when jobs of theirs come, and holds them; those of jobs that may be in
/// lanes are held alone, if they are there. All in the order in which everybody takes them. Of
/// ends the lists are their leases, and when they come back. What is held is found first: were its order
/// asked for beside, all jobs there are would be walked in it.
pub(super) const HOLD: &str = "WITH ending AS MATERIALIZED (
        SELECT j.sid, j.kind, j.lane, l.at
        FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS l(no, lease, at)
        JOIN syncline.jobs j ON j.no = l.no AND j.lease = l.lease),
    own AS MATERIALIZED (
        SELECT own.sid, own.kind, own.turn_at FROM ending e
        JOIN syncline.job_queues own ON own.sid = e.sid AND own.kind = e.kind
        WHERE e.lane IS NOT NULL
        UNION ALL
        SELECT own.sid, own.kind, own.turn_at
        FROM unnest($7::bigint[], $8::text[]) AS n(sid, kind)
        JOIN syncline.job_queues own ON own.sid = n.sid AND own.kind = n.kind),
    held AS MATERIALIZED (
        SELECT sid, kind COLLATE \"C\" AS kind, turn_at
        FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n(sid, kind, turn_at)
        UNION ALL
        SELECT sid, kind COLLATE \"C\", at FROM ending WHERE at IS NOT NULL
        UNION ALL
        SELECT sid, kind COLLATE \"C\", turn_at FROM own)
    INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT sid, kind, min(turn_at), 0 FROM held GROUP BY sid, kind ORDER BY sid, kind
    ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at";

/// The first of a lane is asked for by a range of lanes that is one, so that only the index of lanes has
/// it in order: all jobs there are might be walked by their numbers otherwise.
///
/// What is behind those that are about to go can be claimed in their place: those that end, of which
/// some stay where they are unless another one of their lane was put before them, and those of these
/// names. Before they go, since then nobody knows which lanes they were in.
pub(in crate::postgres) const GO_ON: &str = "WITH leaving AS MATERIALIZED (
        SELECT j.no, j.sid, j.kind, j.lane, j.at, l.stays
        FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS l(no, lease, stays)
        JOIN syncline.jobs j ON j.no = l.no AND j.lease = l.lease AND j.state = $4
        WHERE j.lane IS NOT NULL
        UNION ALL
        SELECT j.no, j.sid, j.kind, j.lane, j.at, false
        FROM unnest($5::bigint[], $6::text[], $7::text[]) AS n(sid, kind, key)
        JOIN syncline.jobs j ON j.sid = n.sid AND j.kind = n.kind AND j.key = n.key
        WHERE j.lane IS NOT NULL),
    next AS MATERIALIZED (
        SELECT DISTINCT first.no FROM leaving f, LATERAL (
            SELECT b.no FROM syncline.jobs b
            WHERE b.kind = f.kind AND b.sid = f.sid AND b.lane >= f.lane AND b.lane <= f.lane
                AND b.behind_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM leaving g WHERE g.no = b.no)
            ORDER BY b.lane, b.no LIMIT 1) AS first
        WHERE f.at IS NOT NULL AND (NOT f.stays OR first.no < f.no)),
    come AS (
        UPDATE syncline.jobs j SET at = j.behind_at, behind_at = NULL
        FROM next WHERE j.no = next.no RETURNING j.sid, j.kind, j.at)
    INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT sid, kind, greatest(min(at), $8::bigint), 0 FROM come GROUP BY sid, kind
    ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at";

/// Whether another one of the lane of `j` can be claimed.
macro_rules! another {
    () => {
        "EXISTS (SELECT FROM syncline.jobs o WHERE o.sid = j.sid AND o.kind = j.kind
            AND o.lane = j.lane AND o.at IS NOT NULL AND o.no <> j.no)"
    };
}
pub(super) use another;

/// Those that wait although one that came back was put before them go behind it.
pub(super) const GO_BEHIND: &str = "UPDATE syncline.jobs h SET at = NULL, behind_at = h.at
    FROM (SELECT DISTINCT j.sid, j.kind, j.lane FROM syncline.jobs j
        WHERE j.no = ANY($1::bigint[]) AND j.lane IS NOT NULL) AS l
    WHERE h.sid = l.sid AND h.kind = l.kind AND h.lane = l.lane AND h.at IS NOT NULL
        AND h.state <> $2
        AND EXISTS (SELECT FROM syncline.jobs b WHERE b.kind = l.kind AND b.sid = l.sid
            AND b.lane = l.lane AND b.behind_at IS NOT NULL AND b.no < h.no)";

/// The first of each of their lanes of which none can be claimed.
pub(super) const COME_FIRST: &str = "UPDATE syncline.jobs j SET at = j.behind_at, behind_at = NULL
    FROM (SELECT first.no FROM (SELECT DISTINCT j.sid, j.kind, j.lane FROM syncline.jobs j
            WHERE j.no = ANY($1::bigint[]) AND j.lane IS NOT NULL) AS l,
        LATERAL (SELECT b.no FROM syncline.jobs b
            WHERE b.kind = l.kind AND b.sid = l.sid AND b.lane >= l.lane AND b.lane <= l.lane
                AND b.behind_at IS NOT NULL ORDER BY b.lane, b.no LIMIT 1) AS first
        WHERE NOT EXISTS (SELECT FROM syncline.jobs h WHERE h.sid = l.sid AND h.kind = l.kind
            AND h.lane = l.lane AND h.at IS NOT NULL)) AS next
    WHERE j.no = next.no";

/// Of a space that comes from an archive: of each lane all but the first.
pub(in crate::postgres) const IMPORTED: &str = "UPDATE syncline.jobs j
    SET at = NULL, behind_at = j.at
    WHERE j.sid = $1 AND j.lane IS NOT NULL AND j.at IS NOT NULL AND EXISTS (
        SELECT FROM syncline.jobs o WHERE o.sid = j.sid AND o.kind = j.kind AND o.lane = j.lane
            AND o.at IS NOT NULL AND o.no < j.no)";

/// Queues, a list a column.
#[derive(Default)]
pub(super) struct Queues<'c> {
    pub(super) sid: Vec<i64>,
    pub(super) kind: Vec<&'c str>,
    pub(super) turn_at: Vec<i64>,
}

/// Queues that are held, whatever comes to them, a list a column.
#[derive(Default)]
pub(super) struct Held<'c> {
    pub(super) sid: Vec<i64>,
    pub(super) kind: Vec<&'c str>,
}

/// Names of jobs, a list a column.
#[derive(Default)]
pub(super) struct Names<'c> {
    pub(super) sid: Vec<i64>,
    pub(super) kind: Vec<&'c str>,
    pub(super) key: Vec<&'c str>,
}

impl<'c> Names<'c> {
    pub(super) fn add(&mut self, sid: i64, (kind, key): (&'c str, &'c str)) {
        self.sid.push(sid);
        self.kind.push(kind);
        self.key.push(key);
    }

    pub(super) fn columns(&self) -> [&(dyn ToSql + Sync); 3] {
        [&self.sid, &self.kind, &self.key]
    }
}

/// Holds queues until the transaction ends.
pub(super) async fn hold(
    connection: &Connection,
    (come, held): (&Queues<'_>, &Held<'_>),
    ends: &Ends<'_>,
) -> Result<u64, tokio_postgres::Error> {
    let Leases { no, number } = &ends.all;
    let asked: [&(dyn ToSql + Sync); 8] = [
        &come.sid,
        &come.kind,
        &come.turn_at,
        no,
        number,
        &ends.back_at,
        &held.sid,
        &held.kind,
    ];
    let statement = &connection.statements.jobs.hold;
    connection.client.execute(statement, &asked).await
}

/// Has lanes go on without those that are about to go.
pub(super) async fn go_on(
    connection: &Connection,
    (ends, gone): (&Ends<'_>, &Names<'_>),
    now_ms: i64,
) -> Result<u64, tokio_postgres::Error> {
    let Leases { no, number } = &ends.all;
    let asked: [&(dyn ToSql + Sync); 8] = [
        no,
        number,
        &ends.stays,
        &LEASED,
        &gone.sid,
        &gone.kind,
        &gone.key,
        &now_ms,
    ];
    let statement = &connection.statements.jobs.go_on;
    connection.client.execute(statement, &asked).await
}

/// Gives those that came back their places.
pub(super) async fn settle(connection: &Connection, came: &Vec<i64>) -> Result<(), Failure> {
    let client = &connection.client;
    client.execute(GO_BEHIND, &[came, &LEASED]).await?;
    client.execute(COME_FIRST, &[came]).await?;
    Ok(())
}
