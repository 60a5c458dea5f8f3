//! The names of the writers of a page.

use syncline_protocol::ids::{ClientId, RecordKey, WriterNo};
use syncline_protocol::record::Record;

use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::marks::writer_no;

pub(super) const NAMES: &str = "SELECT writer, client FROM syncline.clients
    WHERE sid = $1 AND writer = ANY($2::bigint[]) ORDER BY writer";

/// The clients that last changed `records`, each once, by number. The hub itself (0) and
/// clients no longer remembered have no name. Asked after the page's own snapshot, since the
/// page says of whom: a client's name never changes, and it had one before it wrote.
pub(super) async fn writers(
    connection: &Connection,
    sid: i64,
    records: &[(RecordKey, Record)],
) -> Result<Vec<(WriterNo, ClientId)>, Failure> {
    let numbers = records.iter().map(|(_, record)| i64::from(record.by.0));
    let mut numbers: Vec<i64> = numbers.filter(|number| *number > 0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let statement = &connection.statements.names;
    let rows = connection
        .client
        .query(statement, &[&sid, &numbers])
        .await?;
    let mut named = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = writer_no(row.try_get(0).map_err(|e| unreadable(&e))?)?;
        let name: &str = row.try_get(1).map_err(|e| unreadable(&e))?;
        named.push((number, ClientId::trusted(name)));
    }
    Ok(named)
}
