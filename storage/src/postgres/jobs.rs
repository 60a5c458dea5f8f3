//! Jobs in the database: rows of `jobs`, and for each space and kind with a job that is not dead a
//! row of `job_queues`, which says when to look there and whose turn it is.
//!
//! A queue's time is never later than when it next has something to claim. It is brought forward
//! when a job comes, and put right by a claim; what goes leaves it too early, which costs one look.
//! So that none comes unseen, whoever brings a job holds its queue until it is committed, and a
//! claim looks for jobs in a statement after the one that took the queue.
//!
//! Locks are taken in one order: spaces, then queues by space and kind, then jobs by space, kind and
//! key, and last those behind others in lanes, whose queues are held ([`lanes`]). Claims wait for
//! nobody: what others hold they pass over.

mod claim;
mod finish;
mod lanes;
mod people;
mod put;
mod store;

use syncline_protocol::ids::{Epoch, Seq};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::import_rows::column;
use crate::jobs::{
    Job, JobArgs, JobError, JobKey, JobKind, JobLane, Origin, StateColumns, StoredJob, TriggerId,
};
use crate::types::StoreError;

#[cfg(test)]
pub(super) use claim::Claiming;
#[cfg(test)]
pub(super) use finish::Finish;
pub(super) use lanes::IMPORTED;
pub(super) use put::write;

/// Everything of a job, as [`stored`] reads it.
macro_rules! columns {
    () => {
        "j.kind, j.key, j.state, j.due_at, coalesce(j.at, j.behind_at), j.dead_at, j.holder,
        j.attempt, j.depth, j.epoch, j.seq, j.origin, j.args, j.error, j.lane"
    };
}
use columns;

/// Columns of [`columns`].
const COLUMNS: usize = 15;

/// Those of a space, for who exports it, in the order they were put. Sorted apart, because the order
/// of all jobs' numbers must not be walked for them.
pub(super) const ALL: &str = concat!(
    "WITH j AS MATERIALIZED (SELECT * FROM syncline.jobs WHERE sid = $1) SELECT ",
    columns!(),
    " FROM j ORDER BY j.no"
);

const IMPORT: &str = "INSERT INTO syncline.jobs(sid, lease, kind, key, state, due_at, at, dead_at,
        holder, attempt, depth, epoch, seq, origin, args, error, lane)
    SELECT $1, 0, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
        $13::text[], $14::text[], $15::text[], $16::text[])";

/// Has the jobs of an imported space be claimed.
pub(super) const IMPORT_QUEUES: &str = "INSERT INTO syncline.job_queues(sid, kind, turn_at, turn)
    SELECT sid, kind, min(at), 0 FROM syncline.jobs
    WHERE sid = $1 AND at IS NOT NULL GROUP BY sid, kind";

/// Everything of a space.
pub(super) const REMOVE: [&str; 2] = [
    "DELETE FROM syncline.job_queues WHERE sid = $1",
    "DELETE FROM syncline.jobs WHERE sid = $1",
];

/// What is prepared on every connection.
pub(super) struct JobStatements {
    hold: Statement,
    go_on: Statement,
    lock: Statement,
    insert: Statement,
    cancel: Statement,
    take_queues: Statement,
    lease: Statement,
    settle: Statement,
    lock_leased: Statement,
    done: Statement,
    give_up: Statement,
    try_again: Statement,
    due_again: Statement,
    wait: Statement,
}

impl JobStatements {
    pub(super) async fn prepare(client: &Client) -> Result<JobStatements, tokio_postgres::Error> {
        let texts = [
            lanes::HOLD,
            lanes::GO_ON,
            put::LOCK,
            put::INSERT,
            put::CANCEL,
            claim::TAKE_QUEUES,
            claim::LEASE,
            claim::SETTLE,
            finish::LOCK,
            finish::DONE,
            finish::GIVE_UP,
            finish::TRY_AGAIN,
            finish::DUE_AGAIN,
            finish::WAIT,
        ];
        let prepared = texts.map(|text| client.prepare(text));
        let prepared = futures_util::future::try_join_all(prepared).await?;
        let mut prepared = prepared.into_iter();
        let mut next = || prepared.next().expect("one a text");
        // In the order of the texts.
        Ok(JobStatements {
            hold: next(),
            go_on: next(),
            lock: next(),
            insert: next(),
            cancel: next(),
            take_queues: next(),
            lease: next(),
            settle: next(),
            lock_leased: next(),
            done: next(),
            give_up: next(),
            try_again: next(),
            due_again: next(),
            wait: next(),
        })
    }
}

fn number(row: &Row, at: usize) -> Result<i64, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

fn text(row: &Row, at: usize) -> Result<&str, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

/// A number of a job that was stored from a smaller one.
fn small<T: TryFrom<i64>>(row: &Row, at: usize) -> Result<T, StoreError> {
    let damaged = |_| StoreError::Damaged("a job's number is too large".to_owned());
    T::try_from(number(row, at)?).map_err(damaged)
}

/// Reads the columns of [`columns`].
pub(super) fn stored(row: &Row) -> Result<StoredJob, StoreError> {
    let some = |at| -> Result<Option<i64>, StoreError> {
        row.try_get(at).map_err(|error| unreadable(&error))
    };
    let some_text = |at| -> Result<Option<&str>, StoreError> {
        row.try_get(at).map_err(|error| unreadable(&error))
    };
    let state = StateColumns {
        state: number(row, 2)?,
        at: some(4)?,
        dead_at: some(5)?,
        holder: some_text(6)?.map(str::to_owned),
    };
    Ok(StoredJob {
        job: Job {
            kind: JobKind::trusted(text(row, 0)?),
            key: JobKey::trusted(text(row, 1)?),
            lane: some_text(14)?.map(JobLane::trusted),
            due_at_ms: number(row, 3)? as u64,
            args: JobArgs::trusted(text(row, 12)?),
            depth: small(row, 8)?,
            origin: Origin {
                epoch: Epoch(number(row, 9)? as u64),
                seq: Seq(number(row, 10)? as u64),
                trigger: TriggerId::trusted(text(row, 11)?),
            },
        },
        state: state.read()?,
        attempt: small(row, 7)?,
        error: some_text(13)?.map(JobError::new),
    })
}

/// Writes jobs of an archive. Their queues come with their space: [`IMPORT_QUEUES`].
pub(super) async fn import(
    connection: &Connection,
    sid: i64,
    all: &[StoredJob],
) -> Result<(), Failure> {
    let states = column(all, StateColumns::of);
    let columns: [&(dyn ToSql + Sync); COLUMNS + 1] = [
        &sid,
        &column(all, |one| one.job.kind.as_str()),
        &column(all, |one| one.job.key.as_str()),
        &column(&states, |one| one.state),
        &column(all, |one| one.job.due_at_ms as i64),
        &column(&states, |one| one.at),
        &column(&states, |one| one.dead_at),
        &column(&states, |one| one.holder.as_deref()),
        &column(all, |one| i64::from(one.attempt)),
        &column(all, |one| i64::from(one.job.depth)),
        &column(all, |one| one.job.origin.epoch.0 as i64),
        &column(all, |one| one.job.origin.seq.0 as i64),
        &column(all, |one| one.job.origin.trigger.as_str()),
        &column(all, |one| one.job.args.as_str()),
        &column(all, |one| one.error.as_ref().map(JobError::as_str)),
        &column(all, |one| one.job.lane.as_ref().map(JobLane::as_str)),
    ];
    connection.client.execute(IMPORT, &columns).await?;
    Ok(())
}
