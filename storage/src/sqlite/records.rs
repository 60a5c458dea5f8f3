//! Reading records by key, and what every read of records shares.

use rusqlite::{Connection, OptionalExtension, Row, params};
use syncline_protocol::codec;
use syncline_protocol::ids::{RecordId, RecordKey, SpaceKey, TableName};
use syncline_protocol::record::Record;

use super::{error, space};
use crate::page::Stored;
use crate::types::{RecordsRead, StoreError};

const RECORD: &str = "SELECT state FROM records WHERE sid = ?1 AND tbl = ?2 AND id = ?3";

/// The records of the first of `keys`, in their order, up to so many stored bytes.
pub(super) fn records(
    conn: &Connection,
    space: &SpaceKey,
    keys: &[RecordKey],
    bytes_max: usize,
) -> Result<RecordsRead, StoreError> {
    let row = space::get(conn, space)?;
    let mut statement = conn.prepare_cached(RECORD)?;
    let (mut records, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for key in keys {
        let place = params![row.sid, key.table.as_str(), key.id.as_str()];
        let stored: Option<Vec<u8>> = statement.query_row(place, |row| row.get(0)).optional()?;
        bytes += stored.as_ref().map_or(0, Vec::len);
        if bytes > bytes_max && !records.is_empty() {
            break;
        }
        let record = stored.map(|stored| decode(&stored, row.sid)).transpose();
        records.push(record.map_err(|error| error.of(key))?);
    }
    let view = row.view;
    Ok(RecordsRead { view, records })
}

/// Reads the columns `tbl, id, state`, which stand first.
pub(super) fn stored(row: &Row<'_>, sid: i64) -> Result<Stored, StoreError> {
    let text = |at| -> Result<&str, StoreError> {
        row.get_ref(at)?
            .as_str()
            .map_err(|error| StoreError::Damaged(error.to_string()))
    };
    let key = RecordKey {
        table: TableName::trusted(text(0)?),
        id: RecordId::trusted(text(1)?),
    };
    let state = row
        .get_ref(2)?
        .as_blob()
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let record = decode(state, sid).map_err(|error| error.of(&key))?;
    Ok(Stored {
        keyed: (key, record),
        bytes: state.len(),
    })
}

pub(super) fn decode(state: &[u8], sid: i64) -> Result<Record, StoreError> {
    codec::decode_record(state).map_err(|cause| error::damaged("a record", sid, &cause))
}
