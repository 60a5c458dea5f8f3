//! Ending leases, each only by who holds it.

use std::collections::HashSet;

use futures_util::future::{OptionFuture, join4, join5};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::lanes::{another, go_on, hold};
use super::number;
use crate::jobs::{DEAD, Ended, LEASED, Lease, LeaseError, LeaseLost, Outcome, RETRY, SCHEDULED};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

/// A job that is to be claimed again, unless another one of its lane can be.
macro_rules! comes_back {
    () => {
        concat!(
            "at = CASE WHEN ",
            another!(),
            " THEN NULL ELSE l.at END, behind_at = CASE WHEN ",
            another!(),
            " THEN l.at END"
        )
    };
}

/// Jobs that are still leased so, in the order in which everybody takes them. They are found
/// first: were their order asked for beside, all jobs there are would be walked in it.
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

/// Another one of its lane can be claimed if that was put before it, and came back since.
pub(in crate::postgres) const TRY_AGAIN: &str = concat!(
    "UPDATE syncline.jobs j
    SET state = $4, error = l.error, holder = NULL, ",
    comes_back!(),
    " FROM unnest($1::bigint[], $2::bigint[], $5::bigint[], $6::text[]) AS l(no, lease, at, error)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease"
);

/// As if it were put again, so under another number.
pub(in crate::postgres) const DUE_AGAIN: &str = concat!(
    "UPDATE syncline.jobs j
    SET no = DEFAULT, state = $4, due_at = l.at, attempt = 0, error = NULL, holder = NULL, ",
    comes_back!(),
    " FROM unnest($1::bigint[], $2::bigint[], $5::bigint[]) AS l(no, lease, at)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING l.no, l.lease"
);

pub(in crate::postgres) const WAIT: &str = concat!(
    "UPDATE syncline.jobs j
    SET state = CASE WHEN j.attempt = 1 AND j.error IS NULL THEN $4::bigint ELSE $5::bigint END,
        attempt = j.attempt - 1, holder = NULL, ",
    comes_back!(),
    " FROM unnest($1::bigint[], $2::bigint[], $6::bigint[]) AS l(no, lease, at)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease"
);

const EXTEND: &str = "UPDATE syncline.jobs j SET at = $4
    FROM unnest($1::bigint[], $2::bigint[]) AS l(no, lease)
    WHERE j.no = l.no AND j.lease = l.lease AND j.state = $3 RETURNING j.no, j.lease";

type Answers = Vec<Result<(), LeaseError>>;

/// Leases, a list a column.
#[derive(Default)]
pub(super) struct Leases {
    pub(super) no: Vec<i64>,
    pub(super) number: Vec<i64>,
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
        is_written.then_some(()).ok_or(LeaseLost.into())
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
    pub(super) all: Leases,
    /// When they are to be looked at, if they come back.
    pub(super) back_at: Vec<Option<i64>>,
    /// They keep their place in their lane.
    pub(super) stays: Vec<bool>,
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
}

impl<'a> Ends<'a> {
    pub(super) fn add(&mut self, ended: &'a Ended, now_ms: WallMs) {
        let lease = &ended.lease;
        self.all.add(lease);
        let back_ms = back_ms(&ended.outcome);
        self.back_at
            .push(back_ms.map(|back_ms| back_ms.max(now_ms) as i64));
        let stays = matches!(ended.outcome, Outcome::Retry { .. } | Outcome::Wait { .. });
        self.stays.push(stays);
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
fn back_ms(outcome: &Outcome) -> Option<WallMs> {
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
        let finishing = Box::pin(finish(connection, &ends, self.now_ms as i64));
        let written = transaction(connection, BEGIN, finishing).await?;
        Ok(answers(self.ended.iter().map(|one| &one.lease), &written))
    }
}

/// Ends them in the transaction that is open.
async fn finish(connection: &Connection, ends: &Ends<'_>, now_ms: i64) -> Result<Written, Failure> {
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let Leases { no, number } = &ends.all;
    let lock: [&(dyn ToSql + Sync); 3] = [no, number, &LEASED];
    let (no_queues, no_names) = (Default::default(), Default::default());
    // Each is sent when it is first polled, and they are polled in this order.
    let (held, locked, gone_on, written) = join4(
        hold(connection, (&no_queues, &Default::default()), ends),
        query(client, &statements.lock_leased, &lock),
        go_on(connection, (ends, &no_names), now_ms),
        write_ends(connection, ends),
    )
    .await;
    held?;
    locked?;
    gone_on?;
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
