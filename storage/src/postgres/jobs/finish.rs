//! Ending leases, each only by who holds it.

use std::collections::HashSet;

use futures_util::future::{OptionFuture, join3, join5};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::number;
use crate::jobs::{DEAD, Ended, LEASED, Lease, LeaseLost, Outcome, RETRY, SCHEDULED};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

/// Brings the queues forward of jobs that are to come back, and holds them. They are found first: were
/// their order asked for beside, all jobs there are would be walked in it.
pub(in crate::postgres) const FORWARD: &str = "WITH back AS MATERIALIZED (
        SELECT j.sid, j.kind, l.at
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS l(no, lease, at)
        JOIN syncline.jobs j ON j.no = l.no AND j.lease = l.lease)
    INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT sid, kind, min(at), 0 FROM back GROUP BY sid, kind ORDER BY sid, kind
    ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at";

/// Jobs that are still leased so, in the order in which everybody takes them; found first, as above.
pub(in crate::postgres) const LOCK: &str = "WITH found AS MATERIALIZED (
        SELECT j.no, j.sid, j.kind, j.key
        FROM unnest($1::bigint[], $2::bigint[]) AS l(no, lease)
        JOIN syncline.jobs j ON j.no = l.no AND j.lease = l.lease AND j.state = $3),
    ordered AS MATERIALIZED (SELECT no FROM found ORDER BY sid, kind, key)
    SELECT FROM ordered o CROSS JOIN LATERAL
        (SELECT FROM syncline.jobs j WHERE j.no = o.no FOR UPDATE OF j) AS locked";

pub(in crate::postgres) const DONE: &str = "DELETE FROM syncline.jobs j
    USING unnest($1::bigint[], $2::bigint[]) AS l(no, lease)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

pub(in crate::postgres) const GIVE_UP: &str = "UPDATE syncline.jobs j
    SET state = $4, at = NULL, dead_at = l.at, error = l.error, holder = NULL
    FROM unnest($1::bigint[], $2::bigint[], $5::bigint[], $6::text[]) AS l(no, lease, at, error)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

pub(in crate::postgres) const TRY_AGAIN: &str = "UPDATE syncline.jobs j
    SET state = $4, at = l.at, error = l.error, holder = NULL
    FROM unnest($1::bigint[], $2::bigint[], $5::bigint[], $6::text[]) AS l(no, lease, at, error)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

/// As if it were put again, so under another number.
pub(in crate::postgres) const DUE_AGAIN: &str = "UPDATE syncline.jobs j
    SET no = DEFAULT, state = $4, due_at = l.at, at = l.at, attempt = 0, error = NULL,
        holder = NULL
    FROM unnest($1::bigint[], $2::bigint[], $5::bigint[]) AS l(no, lease, at)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING l.no, l.lease";

pub(in crate::postgres) const WAIT: &str = "UPDATE syncline.jobs j
    SET state = CASE WHEN j.attempt = 1 AND j.error IS NULL THEN $4::bigint ELSE $5::bigint END,
        at = l.at, attempt = j.attempt - 1, holder = NULL
    FROM unnest($1::bigint[], $2::bigint[], $6::bigint[]) AS l(no, lease, at)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

const EXTEND: &str = "UPDATE syncline.jobs j SET at = $4
    FROM unnest($1::bigint[], $2::bigint[]) AS l(no, lease)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

type Answers = Vec<Result<(), LeaseLost>>;

/// Leases, a list a column.
#[derive(Default)]
struct Leases {
    no: Vec<i64>,
    number: Vec<i64>,
}

impl Leases {
    fn add(&mut self, lease: &Lease) {
        self.no.push(lease.no.0 as i64);
        self.number.push(lease.number as i64);
    }
}

/// Leases as `no` and `lease`.
pub(super) type Written = HashSet<(i64, i64)>;

fn add(written: &mut Written, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        written.insert((number(row, 0)?, number(row, 1)?));
    }
    Ok(())
}

/// Of each lease whether its job was among those that were written.
pub(super) fn answers<'l>(leases: impl Iterator<Item = &'l Lease>, written: &Written) -> Answers {
    let answer = |lease: &Lease| {
        let is_written = written.contains(&(lease.no.0 as i64, lease.number as i64));
        is_written.then_some(()).ok_or(LeaseLost)
    };
    leases.map(answer).collect()
}

/// [`crate::JobStore::extend`].
pub(super) struct Extend<'a> {
    pub(super) leases: &'a [Lease],
    pub(super) until_ms: WallMs,
}

impl Call for Extend<'_> {
    type Answer = Answers;

    async fn run(&self, connection: &Connection) -> Result<Answers, Failure> {
        let mut leases = Leases::default();
        self.leases.iter().for_each(|lease| leases.add(lease));
        let (client, statements) = (&connection.client, &connection.statements.jobs);
        let until = self.until_ms as i64;
        let extending = async {
            let mut written = Written::new();
            let asked = [&leases.no as _, &leases.number as _, &LEASED as _];
            client.query(&statements.lock_leased, &asked).await?;
            let asked = [asked[0], asked[1], asked[2], &until as _];
            add(&mut written, &client.query(EXTEND, &asked).await?)?;
            Ok(written)
        };
        let written = transaction(connection, BEGIN, extending).await?;
        Ok(answers(self.leases.iter(), &written))
    }
}

/// What ends, by how it does, a list a column.
#[derive(Default)]
pub(super) struct Ends<'a> {
    all: Leases,
    done: Leases,
    dead: Leases,
    dead_at: Vec<i64>,
    dead_error: Vec<&'a str>,
    retry: Leases,
    retry_at: Vec<i64>,
    retry_error: Vec<&'a str>,
    again: Leases,
    again_at: Vec<i64>,
    wait: Leases,
    wait_at: Vec<i64>,
    /// Those that come back, and when they are to be looked at.
    back: Leases,
    back_at: Vec<i64>,
}

impl<'a> Ends<'a> {
    pub(super) fn add(&mut self, ended: &'a Ended, now_ms: WallMs) {
        let lease = &ended.lease;
        self.all.add(lease);
        if let Some(back_ms) = back_ms(&ended.outcome) {
            self.back.add(lease);
            self.back_at.push(back_ms.max(now_ms) as i64);
        }
        match &ended.outcome {
            Outcome::Done => self.done.add(lease),
            Outcome::Dead { error } => {
                self.dead.add(lease);
                self.dead_at.push(now_ms as i64);
                self.dead_error.push(error.as_str());
            }
            Outcome::Retry { at_ms, error } => {
                self.retry.add(lease);
                self.retry_at.push(*at_ms as i64);
                self.retry_error.push(error.as_str());
            }
            Outcome::Again { due_at_ms } => {
                self.again.add(lease);
                self.again_at.push(*due_at_ms as i64);
            }
            Outcome::Wait { at_ms } => {
                self.wait.add(lease);
                self.wait_at.push(*at_ms as i64);
            }
        }
    }
}

/// When a job comes back.
pub(super) fn back_ms(outcome: &Outcome) -> Option<WallMs> {
    match outcome {
        Outcome::Done | Outcome::Dead { .. } => None,
        Outcome::Retry { at_ms, .. } | Outcome::Wait { at_ms } => Some(*at_ms),
        Outcome::Again { due_at_ms } => Some(*due_at_ms),
    }
}

/// [`crate::JobStore::finish`].
pub(in crate::postgres) struct Finish<'a> {
    pub(in crate::postgres) ended: &'a [Ended],
    pub(in crate::postgres) now_ms: WallMs,
}

impl Call for Finish<'_> {
    type Answer = Answers;

    async fn run(&self, connection: &Connection) -> Result<Answers, Failure> {
        let mut ends = Ends::default();
        self.ended.iter().for_each(|one| ends.add(one, self.now_ms));
        // Large, with a place for each statement.
        let finishing = Box::pin(finish(connection, &ends));
        let written = transaction(connection, BEGIN, finishing).await?;
        Ok(answers(self.ended.iter().map(|one| &one.lease), &written))
    }
}

/// Ends them in the transaction that is open.
async fn finish(connection: &Connection, ends: &Ends<'_>) -> Result<Written, Failure> {
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let Ends { back, all, .. } = ends;
    let forward: [&(dyn ToSql + Sync); 3] = [&back.no, &back.number, &ends.back_at];
    let lock: [&(dyn ToSql + Sync); 3] = [&all.no, &all.number, &LEASED];
    let is_forward = !back.no.is_empty();
    let forward = is_forward.then(|| query(client, &statements.forward_leased, &forward));
    // Each is sent when it is first polled, and they are polled in this order.
    let (forwarded, locked, written) = join3(
        OptionFuture::from(forward),
        query(client, &statements.lock_leased, &lock),
        write_ends(connection, ends),
    )
    .await;
    forwarded.transpose()?;
    locked?;
    written
}

/// Ends those that are still held so. Queues and jobs are locked by what was sent before.
pub(super) async fn write_ends(
    connection: &Connection,
    ends: &Ends<'_>,
) -> Result<Written, Failure> {
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let some = |of: &Leases, statement, columns| {
        OptionFuture::from((!of.no.is_empty()).then(|| query(client, statement, columns)))
    };
    let Ends {
        done,
        dead,
        retry,
        again,
        wait,
        ..
    } = ends;
    let over: [&(dyn ToSql + Sync); 3] = [&done.no, &done.number, &LEASED];
    let give_up: [&(dyn ToSql + Sync); 6] = [
        &dead.no,
        &dead.number,
        &LEASED,
        &DEAD,
        &ends.dead_at,
        &ends.dead_error,
    ];
    let try_again: [&(dyn ToSql + Sync); 6] = [
        &retry.no,
        &retry.number,
        &LEASED,
        &RETRY,
        &ends.retry_at,
        &ends.retry_error,
    ];
    let due_again: [&(dyn ToSql + Sync); 5] = [
        &again.no,
        &again.number,
        &LEASED,
        &SCHEDULED,
        &ends.again_at,
    ];
    let give_back: [&(dyn ToSql + Sync); 6] = [
        &wait.no,
        &wait.number,
        &LEASED,
        &SCHEDULED,
        &RETRY,
        &ends.wait_at,
    ];
    let (over, given_up, tried, due, waits) = join5(
        some(done, &statements.done, &over),
        some(dead, &statements.give_up, &give_up),
        some(retry, &statements.try_again, &try_again),
        some(again, &statements.due_again, &due_again),
        some(wait, &statements.wait, &give_back),
    )
    .await;
    let mut written = Written::new();
    for rows in [over, given_up, tried, due, waits].into_iter().flatten() {
        add(&mut written, &rows?)?;
    }
    Ok(written)
}

async fn query(
    client: &Client,
    statement: &Statement,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    client.query(statement, columns).await
}
