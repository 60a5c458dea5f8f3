//! Commits: many spaces' in one transaction, each tested before any of it is written.

use rusqlite::{
    Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params,
};
use syncline_protocol::codec;
use syncline_protocol::ids::WriterNo;
use syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::verdict::Remembered;

use super::space::{self, SpaceRow};
use super::{dead_letters, error, jobs};
use crate::types::{Commit, CommitError, MarkMove, StoreError, used_at_ms};

/// Verdicts kept of a client, and the modulus of their slots.
pub(super) const VERDICT_SLOTS: u64 = MUTATIONS_IN_FLIGHT_MAX as u64;

/// The given stamps are 18 KiB, and megabytes after very large requests, so they are looked at only
/// where they are tested, and only their count is taken: it is in [`codec::GIVEN_COUNT_BYTES`].
const FIND_MARK: &str =
    "SELECT writer, last, CASE WHEN ?4 THEN substr(given, 1, ?5) END, used_at FROM clients
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

const MOVE_SPACE: &str =
    "UPDATE spaces SET head = ?2, clock = ?3, live = ?4, writers = ?5 WHERE sid = ?1";

const WRITE_RECORD: &str = "INSERT INTO records(sid, seq, tbl, id, dead_at, state)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(sid, tbl, id) DO UPDATE
    SET seq = excluded.seq, dead_at = excluded.dead_at, state = excluded.state";

const ADD_MARK: &str = "INSERT INTO clients(sid, usr, client, writer, last, used_at)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6)";

const MOVE_MARK: &str = "UPDATE clients SET last = ?4
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

/// Apart, because naming the column is enough to write its index.
const USE_MARK: &str = "UPDATE clients SET used_at = ?4
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

const MOVE_GIVEN: &str = "UPDATE clients SET given = ?4
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

const WRITE_VERDICT: &str = "INSERT INTO verdicts(sid, writer, slot, m, hash, verdict)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(sid, writer, slot) DO UPDATE
    SET m = excluded.m, hash = excluded.hash, verdict = excluded.verdict";

/// Commits a group in one transaction. A conflict leaves the others alone, because nothing of
/// it was written; a failing statement fails them all, because the transaction is rolled back.
pub(super) fn group(
    conn: &mut Connection,
    commits: &[Commit],
) -> Result<Vec<Result<(), CommitError>>, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = commits
        .iter()
        .map(|commit| test_and_write(&tx, commit))
        .collect::<Result<_, _>>()?;
    tx.commit()?;
    Ok(answers)
}

fn test_and_write(
    tx: &Transaction<'_>,
    commit: &Commit,
) -> Result<Result<(), CommitError>, StoreError> {
    let Some((row, stored)) = expected(tx, commit)? else {
        return Ok(Err(CommitError::Conflict));
    };
    let lost = jobs::lost(tx, row.sid, &commit.ends)?;
    if !lost.is_empty() {
        return Ok(Err(CommitError::LeasesLost(lost)));
    }
    write(tx, &row, commit, &stored).map(Ok)
}

/// What the store holds of a client, tested before anything is written.
enum Stored {
    Nothing,
    Mark { used_at_ms: i64 },
}

/// The space's row and what is stored of each mark, if everything is where the commit expects it.
fn expected(
    tx: &Transaction<'_>,
    commit: &Commit,
) -> Result<Option<(SpaceRow, Vec<Stored>)>, StoreError> {
    let Some(row) = space::find(tx, &commit.space)? else {
        return Ok(None);
    };
    let view = &row.view;
    // A commit of marks alone leaves the head, so writer numbers given by another node may
    // show only here.
    if view.epoch != commit.expect_epoch
        || view.head != commit.expect_head
        || view.writers > commit.writers
    {
        return Ok(None);
    }
    let mut marks = Vec::with_capacity(commit.marks.len());
    for mark in &commit.marks {
        let Some(stored) = expected_mark(tx, &row, mark)? else {
            return Ok(None);
        };
        marks.push(stored);
    }
    Ok(Some((row, marks)))
}

fn expected_mark(
    tx: &Transaction<'_>,
    row: &SpaceRow,
    mark: &MarkMove,
) -> Result<Option<Stored>, StoreError> {
    let client = params![
        row.sid,
        mark.client.user.as_str(),
        mark.client.client.as_str(),
        mark.expect_given.is_some(),
        codec::GIVEN_COUNT_BYTES as i64
    ];
    type Found = (u32, Option<i64>, Option<Vec<u8>>, i64);
    let found: Option<Found> = tx
        .prepare_cached(FIND_MARK)?
        .query_row(client, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((writer, last, given, used_at_ms)) = found else {
        let is_new = mark.expect_last.is_none() && mark.expect_given.unwrap_or(0) == 0;
        return Ok((is_new && mark.writer > row.view.writers).then_some(Stored::Nothing));
    };
    let given = given.map_or(Ok(0), |stored| codec::decode_given_count(&stored));
    let given = given.map_err(|cause| error::damaged("given stamps", row.sid, &cause))?;
    let is_expected = writer == mark.writer.0
        && last == mark.expect_last.map(|last| last as i64)
        && mark.expect_given.is_none_or(|expected| expected == given);
    Ok(is_expected.then_some(Stored::Mark { used_at_ms }))
}

fn write(
    tx: &Transaction<'_>,
    row: &SpaceRow,
    commit: &Commit,
    stored: &[Stored],
) -> Result<(), StoreError> {
    let sid = row.sid;
    // Two nodes may both have ticked the clock without moving the head.
    let clock = commit.clock.max(row.view.clock);
    tx.prepare_cached(MOVE_SPACE)?.execute(params![
        sid,
        commit.head.0 as i64,
        clock.to_bits() as i64,
        commit.live as i64,
        commit.writers.0
    ])?;
    write_records(tx, sid, commit)?;
    for (mark, stored) in commit.marks.iter().zip(stored) {
        write_mark(tx, (sid, commit.now_ms), mark, stored)?;
    }
    dead_letters::write(tx, sid, commit)?;
    jobs::write(tx, sid, commit)
}

fn write_records(tx: &Transaction<'_>, sid: i64, commit: &Commit) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(WRITE_RECORD)?;
    for (key, record) in &commit.records {
        debug_assert_eq!(record.seq, commit.head, "a record of another commit: {key}");
        let dead_at = (!record.is_live()).then_some(commit.now_ms as i64);
        statement.execute(params![
            sid,
            record.seq.0 as i64,
            key.table.as_str(),
            key.id.as_str(),
            dead_at,
            codec::encode_record(record)
        ])?;
    }
    Ok(())
}

fn write_mark(
    tx: &Transaction<'_>,
    (sid, now_ms): (i64, WallMs),
    mark: &MarkMove,
    stored: &Stored,
) -> Result<(), StoreError> {
    let (user, client) = (mark.client.user.as_str(), mark.client.client.as_str());
    let last = mark.last.map(|last| last as i64);
    let now_ms = used_at_ms(now_ms) as i64;
    match stored {
        Stored::Nothing => {
            let row = params![sid, user, client, mark.writer.0, last, now_ms];
            tx.prepare_cached(ADD_MARK)?.execute(row)?;
        }
        Stored::Mark { used_at_ms } => {
            if let Some(last) = last {
                let row = params![sid, user, client, last];
                tx.prepare_cached(MOVE_MARK)?.execute(row)?;
            }
            if *used_at_ms != now_ms {
                let row = params![sid, user, client, now_ms];
                tx.prepare_cached(USE_MARK)?.execute(row)?;
            }
        }
    }
    if let Some(given) = &mark.given {
        let row = params![sid, user, client, codec::encode_given(given)];
        tx.prepare_cached(MOVE_GIVEN)?.execute(row)?;
    }
    let mut statement = tx.prepare_cached(WRITE_VERDICT)?;
    for remembered in &mark.verdicts {
        write_verdict(&mut statement, (sid, mark.writer), remembered)?;
    }
    Ok(())
}

/// Runs a statement that takes the columns `sid, writer, slot, m, hash, verdict`.
pub(super) fn write_verdict(
    statement: &mut Statement<'_>,
    (sid, writer): (i64, WriterNo),
    remembered: &Remembered,
) -> Result<(), StoreError> {
    statement.execute(params![
        sid,
        writer.0,
        (remembered.m % VERDICT_SLOTS) as i64,
        remembered.m as i64,
        remembered.hash,
        codec::encode_verdict(&remembered.verdict)
    ])?;
    Ok(())
}
