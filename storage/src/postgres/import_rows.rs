//! The rows of a part of a space, written as an array a column.

use sha2::{Digest, Sha256};
use syncline_protocol::codec;
use tokio_postgres::types::ToSql;

use super::batch::slot;
use super::connection::Connection;
use super::error::Failure;
use super::jobs;
use crate::transfer::{ClientImage, Part, RecordImage, VerdictImage};
use crate::types::DeadLetter;

const CLIENTS: &str = "INSERT INTO syncline.clients
        (sid, usr, client, writer, last, used_at, given, given_count)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bytea[], $8::bigint[])";

const VERDICTS: &str = "INSERT INTO syncline.verdicts(sid, writer, slot, m, hash, verdict)
    SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[])";

const RECORDS: &str = "INSERT INTO syncline.record_states
        (sid, seq, committed_at, dead, dead_at, tbl, id, state, data)
    SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::text[],
        $7::text[], $8::bytea[], $9::text[])";

/// Numbered on from the last one.
const DEAD_LETTERS: &str = "INSERT INTO syncline.dead_letters
        (sid, no, at, usr, client, code, hash, tbl_octets, id_octets, change_octets)
    SELECT $1, last.no + l.no, l.at, l.usr, l.client, l.code, l.hash, l.tbl, l.id, l.change
    FROM (SELECT coalesce(max(no), 0) AS no FROM syncline.dead_letters WHERE sid = $1) last,
        unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
            $8::bytea[], $9::bytea[]) WITH ORDINALITY
        AS l(at, usr, client, code, hash, tbl, id, change, no)";

/// Writes a part under a space's number.
pub(super) async fn write(connection: &Connection, sid: i64, part: &Part) -> Result<(), Failure> {
    let writing = Writing { connection, sid };
    match part {
        Part::Clients(all) => writing.clients(all).await,
        Part::Verdicts(all) => writing.verdicts(all).await,
        Part::Records(all) => writing.records(all).await,
        Part::DeadLetters(all) => writing.dead_letters(all).await,
        Part::Jobs(all) => jobs::import(connection, sid, all).await,
    }
}

struct Writing<'a> {
    connection: &'a Connection,
    sid: i64,
}

/// One column of rows.
pub(super) fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

impl Writing<'_> {
    async fn insert(&self, sql: &str, columns: &[&(dyn ToSql + Sync)]) -> Result<(), Failure> {
        let sid: &(dyn ToSql + Sync) = &self.sid;
        let all = [&[sid], columns].concat();
        self.connection.client.execute(sql, &all).await?;
        Ok(())
    }

    async fn clients(&self, all: &[ClientImage]) -> Result<(), Failure> {
        let given = |one: &ClientImage| one.mark.given.as_deref().map(codec::encode_given);
        let count = |one: &ClientImage| one.mark.given.as_ref().map_or(0, |g| g.count as i64);
        let columns: [&(dyn ToSql + Sync); 7] = [
            &column(all, |one| one.key.user.as_str()),
            &column(all, |one| one.key.client.as_str()),
            &column(all, |one| i64::from(one.mark.writer.0)),
            &column(all, |one| one.mark.last.map(|last| last as i64)),
            &column(all, |one| one.used.to_stored()),
            &column(all, given),
            &column(all, count),
        ];
        self.insert(CLIENTS, &columns).await
    }

    async fn verdicts(&self, all: &[VerdictImage]) -> Result<(), Failure> {
        let columns: [&(dyn ToSql + Sync); 5] = [
            &column(all, |one| i64::from(one.writer.0)),
            &column(all, |one| slot(one.remembered.m)),
            &column(all, |one| one.remembered.m as i64),
            &column(all, |one| &one.remembered.hash[..]),
            &column(all, |one| codec::encode_verdict(&one.remembered.verdict)),
        ];
        self.insert(VERDICTS, &columns).await
    }

    async fn records(&self, all: &[RecordImage]) -> Result<(), Failure> {
        let (states, values): (Vec<Vec<u8>>, Vec<String>) = all
            .iter()
            .map(|one| codec::encode_split(&one.record))
            .map(|split| (split.state, split.values))
            .unzip();
        let columns: [&(dyn ToSql + Sync); 8] = [
            &column(all, |one| one.record.seq.0 as i64),
            &column(all, |one| one.committed_or_newest_ms() as i64),
            &column(all, |one| !one.record.is_live()),
            &column(all, |one| one.dead.map(|since| since.to_stored())),
            &column(all, |one| one.key.table.as_str()),
            &column(all, |one| one.key.id.as_str()),
            &states,
            &values,
        ];
        self.insert(RECORDS, &columns).await
    }

    async fn dead_letters(&self, all: &[DeadLetter]) -> Result<(), Failure> {
        let hash = |one: &DeadLetter| Sha256::digest(one.change.as_bytes()).to_vec();
        let columns: [&(dyn ToSql + Sync); 8] = [
            &column(all, |one| one.at_ms as i64),
            &column(all, |one| one.client.user.as_str()),
            &column(all, |one| one.client.client.as_str()),
            &column(all, |one| one.code.as_str()),
            &column(all, hash),
            &column(all, |one| one.table.as_bytes()),
            &column(all, |one| one.id.as_bytes()),
            &column(all, |one| one.change.as_bytes()),
        ];
        self.insert(DEAD_LETTERS, &columns).await
    }
}
