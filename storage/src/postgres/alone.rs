//! A commit that has its transaction for itself, as most have where few write at once. The statement
//! of a group costs more than all of these: it is one plan of many parts, set up anew for each call.
//!
//! What a group finds out for each of its commits is an error here, so that nothing of the
//! transaction stays and the statements behind need not ask.

use futures_util::future::{OptionFuture, join, join5};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::batch::Batch;
use super::commit::{BEGIN, END};
use super::connection::Connection;
use super::error::Failure;

/// Moves the head, after [`super::commit::LOCK`]. If the space or a mark is not where it is expected,
/// it divides by zero. What is asked of marks is what [`super::commit::COMMIT`] asks.
pub(super) const MOVE: &str = "WITH stray AS MATERIALIZED (
    SELECT 1
    FROM unnest($8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[])
        AS m(usr, client, writer, expected, expected_given)
    JOIN syncline.spaces s ON s.sid = $1
    LEFT JOIN syncline.clients c ON c.sid = $1 AND c.usr = m.usr AND c.client = m.client
    WHERE CASE WHEN c.sid IS NULL THEN m.expected IS NOT NULL OR m.writer <= s.writers
            OR m.expected_given <> 0
        ELSE c.writer <> m.writer OR c.last IS DISTINCT FROM m.expected
            OR m.expected_given <> c.given_count END),
moved AS (
    UPDATE syncline.spaces
    SET head = $4, clock = greatest(clock, $5), live = $6, writers = $7
    WHERE sid = $1 AND epoch = $2 AND head = $3 AND writers <= $7
        AND NOT EXISTS (SELECT 1 FROM stray)
    RETURNING 1)
SELECT 1 / (SELECT count(*) FROM moved)";

/// Writes marks.
pub(super) const MARKS: &str = "INSERT INTO syncline.clients AS c
        (sid, usr, client, writer, last, used_at, given, given_count)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[],
        $6::bigint[], $7::bytea[], $8::bigint[])
    ON CONFLICT (sid, usr, client) DO UPDATE
    SET last = coalesce(excluded.last, c.last), used_at = excluded.used_at,
        given = coalesce(excluded.given, c.given),
        given_count = CASE WHEN excluded.given IS NULL THEN c.given_count
            ELSE excluded.given_count END";

/// Writes verdicts.
pub(super) const VERDICTS: &str = "INSERT INTO syncline.verdicts
        (sid, writer, slot, m, hash, verdict)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[],
        $6::bytea[])
    ON CONFLICT (sid, writer, slot) DO UPDATE
    SET m = excluded.m, hash = excluded.hash, verdict = excluded.verdict";

/// Writes records.
pub(super) const RECORDS: &str = "INSERT INTO syncline.record_states
        (sid, seq, committed_at, dead, dead_at, tbl, id, state, data)
    SELECT r.sid, r.seq, r.committed_at, r.dead, CASE WHEN r.dead THEN r.committed_at END,
        r.tbl, r.id, r.state, r.data
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[], $5::text[], $6::text[],
            $7::bytea[], $8::text[])
        AS r(sid, seq, committed_at, dead, tbl, id, state, data)
    ON CONFLICT (sid, tbl, id) DO UPDATE
    SET seq = excluded.seq, committed_at = excluded.committed_at, dead = excluded.dead,
        dead_at = excluded.dead_at, state = excluded.state, data = excluded.data";

/// Commits one. Returns whether it was accepted.
pub(super) async fn commit(connection: &Connection, batch: &Batch<'_>) -> Result<bool, Failure> {
    let (client, statements) = (&connection.client, &connection.statements);
    let Batch {
        spaces,
        marks,
        verdicts,
        records,
    } = batch;
    let locked: [&(dyn ToSql + Sync); 1] = [&spaces.sid];
    let moves: [&(dyn ToSql + Sync); 12] = [
        &spaces.sid[0],
        &spaces.epoch[0],
        &spaces.expected[0],
        &spaces.head[0],
        &spaces.clock[0],
        &spaces.live[0],
        &spaces.writers[0],
        &marks.user,
        &marks.client,
        &marks.writer,
        &marks.expected,
        &marks.expected_given,
    ];
    let marked: [&(dyn ToSql + Sync); 8] = [
        &marks.sid,
        &marks.user,
        &marks.client,
        &marks.writer,
        &marks.last,
        &marks.used_at,
        &marks.given,
        &marks.given_count,
    ];
    let judged: [&(dyn ToSql + Sync); 6] = [
        &verdicts.sid,
        &verdicts.writer,
        &verdicts.slot,
        &verdicts.m,
        &verdicts.hash,
        &verdicts.verdict,
    ];
    let written: [&(dyn ToSql + Sync); 8] = [
        &records.sid,
        &records.seq,
        &records.committed_at,
        &records.dead,
        &records.table,
        &records.id,
        &records.state,
        &records.data,
    ];
    let some = |is_some: bool, statement, columns| {
        OptionFuture::from(is_some.then(|| execute(client, statement, columns)))
    };
    // Each is sent when it is first polled, and they are polled in this order.
    let begin = join(
        client.batch_execute(BEGIN),
        client.query(&statements.lock, &locked),
    );
    let ((began, locked), moved, marks, verdicts, (records, ended)) = join5(
        begin,
        client.query_one(&statements.move_alone, &moves),
        some(!marks.sid.is_empty(), &statements.mark_alone, &marked),
        some(!verdicts.sid.is_empty(), &statements.judge_alone, &judged),
        join(
            some(!records.sid.is_empty(), &statements.write_alone, &written),
            client.batch_execute(END),
        ),
    )
    .await;
    began?;
    locked?;
    if is_refusal(&moved) {
        return Ok(false);
    }
    moved?;
    for written in [marks, verdicts, records].into_iter().flatten() {
        written?;
    }
    ended?;
    Ok(true)
}

async fn execute(
    client: &Client,
    statement: &Statement,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    client.execute(statement, columns).await
}

fn is_refusal(moved: &Result<Row, Error>) -> bool {
    let code = moved.as_ref().err().and_then(Error::code);
    code == Some(&SqlState::DIVISION_BY_ZERO)
}
