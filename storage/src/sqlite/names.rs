//! The names of the writers of a page.

use rusqlite::{Connection, OptionalExtension, params};
use syncline_protocol::ids::{ClientId, RecordKey, WriterNo};
use syncline_protocol::record::Record;

use crate::types::StoreError;

pub(super) const NAME: &str = "SELECT client FROM clients WHERE sid = ?1 AND writer = ?2";

/// The clients that last changed `records`, each once, by number. The hub itself (0) and
/// clients no longer remembered have no name.
pub(super) fn writers(
    conn: &Connection,
    sid: i64,
    records: &[(RecordKey, Record)],
) -> Result<Vec<(WriterNo, ClientId)>, StoreError> {
    let mut numbers: Vec<WriterNo> = records.iter().map(|(_, record)| record.by).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut statement = conn.prepare_cached(NAME)?;
    let mut named = Vec::with_capacity(numbers.len());
    for number in numbers {
        let name: Option<String> = statement
            .query_row(params![sid, number.0], |row| row.get(0))
            .optional()?;
        named.extend(name.map(|name| (number, ClientId::trusted(&name))));
    }
    Ok(named)
}
