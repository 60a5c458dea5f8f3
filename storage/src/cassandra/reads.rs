//! Reads of some rows by their names: records, marks, verdicts, dead letters.

use std::collections::HashMap;

use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientKey, RecordKey, SpaceKey, WriterNo};
use syncline_protocol::record::Record;
use syncline_protocol::verdict::Remembered;

use super::failure::Failure;
use super::row::{Place, Row, kind};
use super::server::{Columns, Level, Rows, Server};
use super::statements::Text;
use crate::types::{DeadLetter, MarksRead, RecordsRead, StoreError, VerdictsRead};

/// Records that are read without asking first how large they are.
const UNMEASURED_MAX: usize = 16;

/// The rows at these places and, beside them, the space in the same moment.
async fn beside_the_space(
    server: &Server,
    space: &SpaceKey,
    mut places: Vec<Place>,
) -> Result<Rows, Failure> {
    places.push(Place::end(kind::RECORD));
    let asked = (Columns::All, Level::Serial);
    server.at(space, &places, asked).await
}

/// [`crate::Store::records`].
pub(super) async fn records(
    server: &Server,
    space: &SpaceKey,
    (keys, bytes_max): (&[RecordKey], usize),
) -> Result<RecordsRead, Failure> {
    let fit = match keys.len() {
        ..=UNMEASURED_MAX => keys.len(),
        _ => fitting(server, space, (keys, bytes_max)).await?,
    };
    let keys = &keys[..fit];
    let places = keys.iter().map(Place::record).collect();
    let rows = beside_the_space(server, space, places).await?;
    let view = rows.found()?.opened()?.view;
    let mut found: HashMap<RecordKey, (Record, usize)> = HashMap::new();
    for row in rows.all()? {
        let place = row.place()?;
        if place.is_end() || row.seq()?.is_none() {
            continue;
        }
        let key = place.record_key();
        let read = row.record().map_err(|error| error.of(&key))?;
        found.insert(key, read);
    }
    let (mut records, mut bytes) = (Vec::with_capacity(keys.len()), 0usize);
    for key in keys {
        let read = found.get(key);
        bytes = bytes.saturating_add(read.map_or(0, |(_, bytes)| *bytes));
        if bytes > bytes_max && !records.is_empty() {
            break;
        }
        records.push(read.map(|(record, _)| record.clone()));
    }
    Ok(RecordsRead { view, records })
}

/// How many of the first keys have about so many bytes together; one at least.
async fn fitting(
    server: &Server,
    space: &SpaceKey,
    (keys, bytes_max): (&[RecordKey], usize),
) -> Result<usize, Failure> {
    let places: Vec<Place> = keys.iter().map(Place::record).collect();
    let asked = (Columns::Light, Level::Hint);
    let rows = server.at(space, &places, asked).await?;
    let mut sizes: HashMap<RecordKey, usize> = HashMap::new();
    for row in rows.all()? {
        sizes.insert(row.place()?.record_key(), row.bytes()?);
    }
    let mut bytes = 0usize;
    let fits = |key: &&RecordKey| {
        bytes = bytes.saturating_add(sizes.get(*key).copied().unwrap_or(0));
        bytes <= bytes_max
    };
    Ok(keys.iter().take_while(fits).count().max(1))
}

/// [`crate::Store::marks`].
pub(super) async fn marks(
    server: &Server,
    space: &SpaceKey,
    clients: &[ClientKey],
) -> Result<MarksRead, Failure> {
    let places = clients.iter().map(Place::client).collect();
    let rows = beside_the_space(server, space, places).await?;
    let view = rows.found()?.opened()?.view;
    let mut found = HashMap::new();
    for row in rows.all()? {
        if row.is_client()? {
            found.insert(row.place()?.client_key(), row.mark()?.0);
        }
    }
    let marks = clients.iter().map(|client| found.get(client).cloned());
    let marks = marks.collect();
    Ok(MarksRead { view, marks })
}

/// [`crate::Store::verdicts`].
pub(super) async fn verdicts(
    server: &Server,
    space: &SpaceKey,
    (writer, ms): (WriterNo, &[u64]),
) -> Result<VerdictsRead, Failure> {
    let places = ms.iter().map(|m| Place::verdict(writer, *m)).collect();
    let rows = beside_the_space(server, space, places).await?;
    let view = rows.found()?.opened()?.view;
    let mut found: HashMap<u64, Remembered> = HashMap::new();
    for row in rows.all()? {
        if !row.place()?.is_end() {
            let remembered = row.remembered()?.0;
            found.insert(remembered.m, remembered);
        }
    }
    let verdicts = ms.iter().map(|m| found.get(m).cloned()).collect();
    Ok(VerdictsRead { view, verdicts })
}

/// [`crate::Store::dead_letters`].
pub(super) async fn dead_letters(
    server: &Server,
    space: &SpaceKey,
    limit: usize,
) -> Result<Vec<DeadLetter>, Failure> {
    let limit = i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX);
    let (app, name) = (space.app.as_str(), space.space.as_str());
    let values = (app, name, kind::LETTER, limit);
    let rows = server.ask((Text::Last, Level::Serial), values).await?;
    rows.found()?.opened()?;
    let mut letters = Vec::new();
    for row in rows.all()? {
        let place = row.place()?;
        if !place.is_end() {
            letters.push(letter(&row, &place)?);
        }
    }
    Ok(letters)
}

/// The dead letter of a row.
pub(super) fn letter(row: &Row<'_>, place: &Place) -> Result<DeadLetter, StoreError> {
    let (at_ms, code, [table, id, change]) = row.letter()?;
    Ok(DeadLetter {
        at_ms,
        client: place.client_key(),
        // A code of a newer version says at least that the change was no good.
        code: Code::parse(code).unwrap_or(Code::ChangeInvalid),
        table,
        id,
        change,
    })
}
