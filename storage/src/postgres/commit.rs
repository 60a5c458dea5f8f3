//! Commits: many spaces' in one transaction, each with its own test, each whole or not at all.
//!
//! A transaction is two statements. The first locks the spaces, always in the order of their
//! numbers, so two transactions never wait for each other. The second then sees what all before
//! it committed, marks included, tests every commit and writes those that pass. All is sent at
//! once, so a transaction costs one way there and back. A commit that is alone has statements of its own
//! ([`super::alone`]).

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::{join, join4};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::PostgresStore;
use super::alone;
use super::batch::Batch;
use super::call::{ROLLBACK, transaction};
use super::connection::Connection;
use super::dead_letters;
use super::error::{Failure, unreadable};
use super::jobs;
use crate::types::{Commit, CommitError, StoreError};

/// Tries of a transaction that lost to another one. Where every commit locks in one order this
/// does not happen; relatives of Postgres have other reasons.
pub(super) const TRIES_MAX: u32 = 8;

/// The second statement must see what the first one waited for.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

pub(super) const END: &str = "COMMIT";

const BEFORE_JOBS: &str = "SAVEPOINT before_jobs";

const BACK_BEFORE_JOBS: &str = "ROLLBACK TO SAVEPOINT before_jobs";

/// A statement that is under way.
trait Query: Future<Output = Result<Vec<Row>, Error>> {}

impl<F: Future<Output = Result<Vec<Row>, Error>>> Query for F {}

/// The index gives them in order. Joined with a list, all spaces there are would be read for it.
pub(super) const LOCK: &str = "SELECT sid FROM syncline.spaces
    WHERE sid = ANY($1::bigint[]) ORDER BY sid FOR UPDATE";

/// Those of them that nobody holds, which this holds for a moment.
const FREE: &str = "SELECT sid FROM syncline.spaces
    WHERE sid = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED";

/// Returns the places of the refused. `stray` are the marks that are not where they are expected;
/// a commit of marks alone leaves the head, so writer numbers given by another node may show only
/// in `writers`. What may be written is told by place, because there a long list of accepted ones
/// would have to be joined with every row, and the refused are few.
pub(super) const COMMIT: &str = "WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[]) WITH ORDINALITY
        AS a(sid, epoch, expected, head, clock, live, writers, no)),
stray AS MATERIALIZED (
    SELECT m.no
    FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
            $33::bigint[])
        AS m(no, sid, usr, client, writer, expected, expected_given)
    JOIN syncline.spaces s ON s.sid = m.sid
    LEFT JOIN syncline.clients c
        ON c.sid = m.sid AND c.usr = m.usr AND c.client = m.client
    WHERE CASE WHEN c.sid IS NULL THEN m.expected IS NOT NULL OR m.writer <= s.writers
            OR m.expected_given <> 0
        ELSE c.writer <> m.writer OR c.last IS DISTINCT FROM m.expected
            OR m.expected_given <> c.given_count END),
accepted AS (
    UPDATE syncline.spaces s
    SET head = a.head, clock = greatest(s.clock, a.clock), live = a.live, writers = a.writers
    FROM asked a
    WHERE s.sid = a.sid AND s.epoch = a.epoch AND s.head = a.expected AND s.writers <= a.writers
        AND a.no <> ALL(ARRAY(SELECT no FROM stray))
    RETURNING a.no),
refused AS MATERIALIZED (
    SELECT ARRAY(SELECT no FROM asked EXCEPT SELECT no FROM accepted) AS all_no),
moved AS (
    INSERT INTO syncline.clients AS c (sid, usr, client, writer, last, used_at, given, given_count)
    SELECT m.sid, m.usr, m.client, m.writer, m.last, m.used_at, m.given, m.given_count
    FROM refused, unnest($8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::bigint[],
            $14::bigint[], $15::bigint[], $16::bytea[], $34::bigint[])
        AS m(no, sid, usr, client, writer, last, used_at, given, given_count)
    WHERE m.no <> ALL(refused.all_no)
    ON CONFLICT (sid, usr, client) DO UPDATE
    SET last = coalesce(excluded.last, c.last), used_at = excluded.used_at,
        given = coalesce(excluded.given, c.given),
        given_count = CASE WHEN excluded.given IS NULL THEN c.given_count
            ELSE excluded.given_count END),
judged AS (
    INSERT INTO syncline.verdicts (sid, writer, slot, m, hash, verdict)
    SELECT v.sid, v.writer, v.slot, v.m, v.hash, v.verdict
    FROM refused, unnest($17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[],
            $21::bigint[], $22::bytea[], $23::bytea[])
        AS v(no, sid, writer, slot, m, hash, verdict)
    WHERE v.no <> ALL(refused.all_no)
    ON CONFLICT (sid, writer, slot) DO UPDATE
    SET m = excluded.m, hash = excluded.hash, verdict = excluded.verdict),
written AS (
    INSERT INTO syncline.record_states
        (sid, seq, committed_at, dead, dead_at, tbl, id, state, data)
    SELECT r.sid, r.seq, r.committed_at, r.dead, CASE WHEN r.dead THEN r.committed_at END,
        r.tbl, r.id, r.state, r.data
    FROM refused, unnest($24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[],
            $28::boolean[], $29::text[], $30::text[], $31::bytea[], $32::text[])
        AS r(no, sid, seq, committed_at, dead, tbl, id, state, data)
    WHERE r.no <> ALL(refused.all_no)
    ON CONFLICT (sid, tbl, id) DO UPDATE
    SET seq = excluded.seq, committed_at = excluded.committed_at, dead = excluded.dead,
        dead_at = excluded.dead_at, state = excluded.state, data = excluded.data)
SELECT unnest(all_no) FROM refused";

/// Commits a group: one transaction, unless a space is in it more than once, or one of them is held
/// by who needs it for longer.
pub(super) async fn group(
    store: &PostgresStore,
    commits: &[Commit],
) -> Vec<Result<(), CommitError>> {
    let mut answers = vec![Err(CommitError::Conflict); commits.len()];
    let mut left: Vec<usize> = (0..commits.len()).collect();
    while !left.is_empty() {
        let mut spaces = HashSet::new();
        let first_of_space = |at: &usize| spaces.insert(&commits[*at].space);
        let (now, later) = left.into_iter().partition::<Vec<_>, _>(first_of_space);
        let round: Vec<&Commit> = now.iter().map(|at| &commits[*at]).collect();
        let outcomes = all_but_the_held(store, &round).await;
        for (at, outcome) in now.into_iter().zip(outcomes) {
            if outcome == Err(CommitError::Conflict) {
                store.sids.invalidate(&commits[at].space);
            }
            answers[at] = outcome;
        }
        left = later;
    }
    answers
}

/// The outcome of each. Where another transaction holds a space for long, as one that erases it does,
/// the others do not wait for it.
async fn all_but_the_held(
    store: &PostgresStore,
    commits: &[&Commit],
) -> Vec<Result<(), CommitError>> {
    let failure = match commit_or_retry(store, commits).await {
        Ok(outcomes) => return outcomes,
        Err(failure) => failure,
    };
    let is_held = failure.is_held_lock() && commits.len() > 1;
    let failed = |failure: Failure| Err(CommitError::Store(failure.into()));
    let mut outcomes = vec![failed(failure); commits.len()];
    let free = match is_held {
        true => free(store, commits).await.unwrap_or_default(),
        false => Vec::new(),
    };
    let places: Vec<usize> = (0..free.len()).filter(|at| free[*at]).collect();
    if places.is_empty() {
        return outcomes;
    }
    let round: Vec<&Commit> = places.iter().map(|at| commits[*at]).collect();
    let answers = match commit_or_retry(store, &round).await {
        Ok(outcomes) => outcomes,
        Err(failure) => vec![failed(failure); round.len()],
    };
    for (at, answer) in places.into_iter().zip(answers) {
        outcomes[at] = answer;
    }
    outcomes
}

fn outcome(accepted: bool) -> Result<(), CommitError> {
    match accepted {
        true => Ok(()),
        false => Err(CommitError::Conflict),
    }
}

/// Of which of these no other transaction holds the space now.
async fn free(store: &PostgresStore, commits: &[&Commit]) -> Result<Vec<bool>, Failure> {
    let lent = store.committing.lend().await?;
    let looking = async {
        let sids = store.sids(&lent.connection, commits).await?;
        let known: Vec<i64> = sids.iter().flatten().copied().collect();
        let rows = lent.connection.client.query(FREE, &[&known]).await?;
        let free = rows.iter().map(|row| row.try_get(0));
        let free: HashSet<i64> = free.collect::<Result<_, _>>()?;
        let is_free = |sid: &Option<i64>| sid.is_none_or(|sid| free.contains(&sid));
        Ok(sids.iter().map(is_free).collect())
    };
    let found = tokio::time::timeout(store.answer_timeout, looking).await;
    let found = found.unwrap_or(Err(Failure::Late));
    match &found {
        Err(failure) => store.after(failure),
        Ok(_) => lent.give_back(),
    }
    found
}

/// The outcome of each. A failure says that none took effect or that nobody knows.
async fn commit_or_retry(
    store: &PostgresStore,
    commits: &[&Commit],
) -> Result<Vec<Result<(), CommitError>>, Failure> {
    let mut outcomes = vec![Err(CommitError::Conflict); commits.len()];
    let mut left: Vec<usize> = (0..commits.len()).collect();
    let mut tries = 0;
    while !left.is_empty() {
        let round: Vec<&Commit> = left.iter().map(|at| commits[*at]).collect();
        match try_commit(store, &round).await {
            Ok(accepted) => {
                for (at, accepted) in left.iter().zip(accepted) {
                    outcomes[*at] = outcome(accepted);
                }
                break;
            }
            // The others are tried without them.
            Err(Failure::LeasesLost(lost)) => {
                let round = left.clone();
                for (at, ends) in lost {
                    outcomes[round[at]] = Err(CommitError::LeasesLost(ends));
                    left.retain(|left| *left != round[at]);
                }
            }
            Err(failure) => {
                tries += 1;
                if tries == TRIES_MAX || !failure.is_lost_race() {
                    return Err(failure);
                }
                pause(tries).await;
            }
        }
    }
    Ok(outcomes)
}

/// Up to 2^`tries` milliseconds, so that those who met do not meet again.
async fn pause(tries: u32) {
    let most = 1u64 << tries;
    let random = getrandom::u64().unwrap_or(most);
    tokio::time::sleep(Duration::from_millis(random % (most + 1))).await;
}

/// Which of them took effect.
async fn try_commit(store: &PostgresStore, commits: &[&Commit]) -> Result<Vec<bool>, Failure> {
    let lent = store.committing.lend().await?;
    let done = transact(store, &lent.connection, commits);
    let done = tokio::time::timeout(store.answer_timeout, done).await;
    let outcome = done.unwrap_or(Err(Failure::Late));
    match &outcome {
        Err(failure) if !failure.leaves_connection_usable() => store.after(failure),
        _ => lent.give_back(),
    }
    outcome
}

pub(super) async fn transact(
    store: &PostgresStore,
    connection: &Connection,
    commits: &[&Commit],
) -> Result<Vec<bool>, Failure> {
    let sids = store.sids(connection, commits).await?;
    // What is refused without being asked: a space that was never opened.
    let known = sids.iter().enumerate();
    let mut asked: Vec<(i64, usize)> = known.filter_map(|(at, sid)| Some(((*sid)?, at))).collect();
    asked.sort_unstable();
    let mut batch = Batch::default();
    for (sid, at) in &asked {
        batch.add(*sid, commits[*at]);
    }
    let mut accepted = vec![false; commits.len()];
    if asked.is_empty() {
        return Ok(accepted);
    }
    for (_, at) in &asked {
        accepted[*at] = true;
    }
    let commits: Vec<(i64, &Commit)> = asked.iter().map(|(sid, at)| (*sid, commits[*at])).collect();
    match send(connection, &batch, &commits).await {
        Ok(refused) => refused
            .into_iter()
            .for_each(|no| accepted[asked[no].1] = false),
        Err(Failure::LeasesLost(lost)) => {
            let lost = lost.into_iter().map(|(no, ends)| (asked[no].1, ends));
            return Err(Failure::LeasesLost(lost.collect()));
        }
        Err(failure) => return Err(failure),
    }
    Ok(accepted)
}

/// Sends the transaction. Returns the places of the refused.
async fn send(
    connection: &Connection,
    batch: &Batch<'_>,
    commits: &[(i64, &Commit)],
) -> Result<Vec<usize>, Failure> {
    let (client, statements) = (&connection.client, &connection.statements);
    let locked: [&(dyn ToSql + Sync); 1] = [&batch.spaces.sid];
    let columns = columns(batch);
    let lock = client.query(&statements.lock, &locked);
    let write = client.query(&statements.commit, &columns);
    let has_more = |(_, commit): &(i64, &Commit)| {
        let moves_jobs = !(commit.jobs.is_empty() && commit.ends.is_empty());
        moves_jobs || !commit.dead_letters.is_empty()
    };
    let has_more = commits.iter().any(has_more);
    if let ([_], false) = (commits, has_more) {
        let is_accepted = alone::commit(connection, batch).await?;
        return Ok(if is_accepted { Vec::new() } else { vec![0] });
    }
    if !has_more {
        // Each is sent when it is first polled, and they are polled in this order.
        let begin = client.batch_execute(BEGIN);
        let end = client.batch_execute(END);
        let (began, locked, written, ended) = join4(begin, lock, write, end).await;
        began?;
        locked?;
        let refused = places(&written?)?;
        ended?;
        return Ok(refused);
    }
    let all = commits.iter().enumerate();
    let all: Vec<(usize, i64, &Commit)> = all
        .map(|(place, (sid, commit))| (place, *sid, *commit))
        .collect();
    if commits
        .iter()
        .all(|(_, commit)| commit.dead_letters.is_empty())
    {
        return with_jobs(connection, (lock, write), &all).await;
    }
    let all = async {
        let (locked, written) = join(lock, write).await;
        locked?;
        let refused = places(&written?)?;
        let accepted = accepted(&all, &refused);
        for (_, sid, commit) in &accepted {
            dead_letters::write(connection, *sid, commit).await?;
        }
        // Large, and most commits have none.
        Box::pin(jobs::write(connection, &accepted)).await?;
        Ok(refused)
    };
    transaction(connection, BEGIN, all).await
}

/// The same for commits that move jobs. All is sent at once, as if none were refused; if one is, what
/// was done to jobs is taken back and done for the others.
async fn with_jobs(
    connection: &Connection,
    (lock, write): (impl Query, impl Query),
    commits: &[(usize, i64, &Commit)],
) -> Result<Vec<usize>, Failure> {
    let client = &connection.client;
    // Each is sent when it is first polled, and they are polled in this order.
    let begin = client.batch_execute(BEGIN);
    let save = client.batch_execute(BEFORE_JOBS);
    // Large.
    let moving = Box::pin(jobs::write(connection, commits));
    let ((began, locked, written, saved), moved) =
        join(join4(begin, lock, write, save), moving).await;
    began?;
    let done = async {
        locked?;
        let refused = places(&written?)?;
        saved?;
        if refused.is_empty() {
            return moved.map(|()| refused);
        }
        client.batch_execute(BACK_BEFORE_JOBS).await?;
        Box::pin(jobs::write(connection, &accepted(commits, &refused))).await?;
        Ok(refused)
    };
    let done = done.await;
    let end = if done.is_ok() { END } else { ROLLBACK };
    client.batch_execute(end).await?;
    done
}

/// Those that are not refused.
fn accepted<'c>(
    commits: &[(usize, i64, &'c Commit)],
    refused: &[usize],
) -> Vec<(usize, i64, &'c Commit)> {
    let accepted = commits
        .iter()
        .filter(|(place, ..)| !refused.contains(place));
    accepted.copied().collect()
}

/// The parameters of [`COMMIT`].
fn columns<'b>(batch: &'b Batch<'_>) -> [&'b (dyn ToSql + Sync); 34] {
    let Batch {
        spaces,
        marks,
        verdicts,
        records,
    } = batch;
    [
        &spaces.sid,
        &spaces.epoch,
        &spaces.expected,
        &spaces.head,
        &spaces.clock,
        &spaces.live,
        &spaces.writers,
        &marks.no,
        &marks.sid,
        &marks.user,
        &marks.client,
        &marks.writer,
        &marks.expected,
        &marks.last,
        &marks.used_at,
        &marks.given,
        &verdicts.no,
        &verdicts.sid,
        &verdicts.writer,
        &verdicts.slot,
        &verdicts.m,
        &verdicts.hash,
        &verdicts.verdict,
        &records.no,
        &records.sid,
        &records.seq,
        &records.committed_at,
        &records.dead,
        &records.table,
        &records.id,
        &records.state,
        &records.data,
        &marks.expected_given,
        &marks.given_count,
    ]
}

/// The places, from 0, of a column that counts from 1.
fn places(rows: &[tokio_postgres::Row]) -> Result<Vec<usize>, Failure> {
    let place = |row: &tokio_postgres::Row| {
        let no: i64 = row.try_get(0).map_err(|e| unreadable(&e))?;
        usize::try_from(no - 1)
            .map_err(|_| StoreError::Damaged(format!("{no} is no place in a group")).into())
    };
    rows.iter().map(place).collect()
}
