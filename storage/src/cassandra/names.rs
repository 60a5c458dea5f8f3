//! The names of the writers of a page.

use syncline_protocol::ids::{ClientId, RecordKey, SpaceKey, WriterNo};
use syncline_protocol::record::Record;

use super::failure::Failure;
use super::row::kind;
use super::server::{Level, Server};
use super::statements::Text;

/// The clients that last changed `records`, each once, by number. The hub itself (0) and clients
/// no longer remembered have no name. A hint is enough: a client's name never changes, and it was
/// written before or with the first record of its.
pub(super) async fn writers(
    server: &Server,
    space: &SpaceKey,
    records: &[(RecordKey, Record)],
) -> Result<Vec<(WriterNo, ClientId)>, Failure> {
    let numbers = records.iter().map(|(_, record)| i64::from(record.by.0));
    let mut numbers: Vec<(i8, i64)> = numbers
        .filter(|number| *number > 0)
        .map(|number| (kind::WRITER, number))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let values = (space.app.as_str(), space.space.as_str(), numbers);
    let rows = server.ask((Text::Writers, Level::Hint), values).await?;
    let mut named = Vec::new();
    for row in rows.all()? {
        let place = row.place()?;
        let number = super::row::writer_no(place.n)?;
        named.push((number, ClientId::trusted(&place.b)));
    }
    Ok(named)
}
