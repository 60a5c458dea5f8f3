//! Reading records by key, and what every read of records shares.

use syncline_protocol::codec;
use syncline_protocol::ids::{RecordId, RecordKey, Seq, SpaceKey, TableName};
use syncline_protocol::record::Record;
use tokio_postgres::Row;

use super::call::{Call, space_and_rows};
use super::connection::Connection;
use super::error::{Failure, damaged, unreadable};
use crate::page::{Page, Stored};
use crate::types::{RecordsRead, StoreError};

/// A row for every key, in the order asked, up to so many bytes: `upto` counts those of the rows
/// before as well. The length of a long value is read without the value.
pub(super) const RECORDS: &str = "SELECT state, data FROM (
        SELECT asked.no, r.state, r.data,
            sum(coalesce(octet_length(r.state) + octet_length(r.data), 0))
                OVER (ORDER BY asked.no ROWS UNBOUNDED PRECEDING) AS upto
        FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS asked(tbl, id, no)
        LEFT JOIN syncline.record_states r
            ON r.sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
            AND r.tbl = asked.tbl AND r.id = asked.id) found
    WHERE upto <= $5::bigint OR no = 1 ORDER BY no";

/// [`crate::Store::records`].
pub(super) struct Records<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) keys: &'a [RecordKey],
    pub(super) bytes_max: usize,
}

impl Call for Records<'_> {
    type Answer = RecordsRead;

    async fn run(&self, connection: &Connection) -> Result<RecordsRead, Failure> {
        let tables: Vec<&str> = self.keys.iter().map(|key| key.table.as_str()).collect();
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        let bytes_max = bigint(self.bytes_max);
        let statement = &connection.statements.records;
        let asked = (statement, &[&tables as _, &ids as _, &bytes_max as _][..]);
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        let mut records = Vec::with_capacity(rows.len());
        for (found, key) in rows.iter().zip(self.keys) {
            let read = record(found, (0, 1), row.sid).map_err(|error| error.of(key))?;
            records.push(read.map(|(record, _)| record));
        }
        let view = row.view;
        Ok(RecordsRead { view, records })
    }
}

/// Takes rows `tbl, id, seq, state, data` into a page until one does not fit.
pub(super) fn fill(page: &mut Page, rows: &[Row], sid: i64) -> Result<(), StoreError> {
    for row in rows {
        let Some(stored) = stored(row, sid)? else {
            let seq: i64 = row.try_get(2).map_err(|e| unreadable(&e))?;
            page.end_before(Seq(seq as u64));
            break;
        };
        if !page.take(stored) {
            break;
        }
    }
    Ok(())
}

/// `None` if the row only says that there is one more.
fn stored(row: &Row, sid: i64) -> Result<Option<Stored>, StoreError> {
    let text = |at| row.try_get::<_, &str>(at).map_err(|e| unreadable(&e));
    let key = RecordKey {
        table: TableName::trusted(text(0)?),
        id: RecordId::trusted(text(1)?),
    };
    let read = record(row, (3, 4), sid).map_err(|error| error.of(&key))?;
    Ok(read.map(|(record, bytes)| Stored {
        keyed: (key, record),
        bytes,
    }))
}

/// The record of two columns that are there.
pub(super) fn record_there(
    row: &Row,
    columns: (usize, usize),
    sid: i64,
) -> Result<Record, Failure> {
    let missing = || StoreError::Damaged(format!("a record without state in space number {sid}"));
    let (record, _) = record(row, columns, sid)?.ok_or_else(missing)?;
    Ok(record)
}

/// The record of two columns, and their bytes; `None` if they are null.
pub(super) fn record(
    row: &Row,
    (state, data): (usize, usize),
    sid: i64,
) -> Result<Option<(Record, usize)>, StoreError> {
    let state: Option<&[u8]> = row.try_get(state).map_err(|e| unreadable(&e))?;
    let data: Option<&str> = row.try_get(data).map_err(|e| unreadable(&e))?;
    let Some((state, data)) = state.zip(data) else {
        return Ok(None);
    };
    let record = codec::decode_split(state, data).map_err(|e| damaged("a record", sid, &e))?;
    Ok(Some((record, state.len() + data.len())))
}

/// A limit as a parameter.
pub(super) fn bigint(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
