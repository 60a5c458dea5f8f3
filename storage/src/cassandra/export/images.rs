//! Rows that were kept, as parts.

use super::super::jobs;
use super::super::reads::letter;
use super::super::row::{ALIVE, Place, Row, kind, verdict_n, writer_no};
use super::super::value::Cells;
use super::spool::unpacked;
use crate::transfer::{ClientImage, Part, RecordImage, Since, VerdictImage};
use crate::types::StoreError;

/// The part that a frame of rows of a kind holds.
pub(super) fn part(kind: i8, frame: &[u8]) -> Result<Part, StoreError> {
    Ok(match kind {
        kind::CLIENT => Part::Clients(all(frame, client)?),
        kind::VERDICT => Part::Verdicts(all(frame, verdict)?),
        kind::RECORD => Part::Records(all(frame, record)?),
        kind::LETTER => Part::DeadLetters(all(frame, letter)?),
        _ => Part::Jobs(each(frame, |cells| jobs::exported(&cells))?),
    })
}

fn all<T>(
    frame: &[u8],
    read: fn(&Row<'_>, &Place) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    each(frame, |cells| {
        let row = Row::new(cells);
        read(&row, &row.place()?)
    })
}

fn each<T>(
    frame: &[u8],
    read: impl Fn(Cells<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    unpacked(frame)?.into_iter().map(read).collect()
}

fn client(row: &Row<'_>, place: &Place) -> Result<ClientImage, StoreError> {
    Ok(ClientImage {
        key: place.client_key(),
        mark: row.mark()?.0,
        used: Since::from_stored(row.used_at()?),
    })
}

fn verdict(row: &Row<'_>, place: &Place) -> Result<VerdictImage, StoreError> {
    let slots = verdict_n(syncline_protocol::ids::WriterNo(1), 0);
    Ok(VerdictImage {
        writer: writer_no(place.n / slots)?,
        remembered: row.remembered()?.0,
    })
}

fn record(row: &Row<'_>, place: &Place) -> Result<RecordImage, StoreError> {
    let key = place.record_key();
    let (record, _) = row.record().map_err(|error| error.of(&key))?;
    let dead_at = row.dead_at()?;
    Ok(RecordImage {
        key,
        record,
        dead: (dead_at != ALIVE).then(|| Since::from_stored(dead_at)),
        committed_at_ms: row.committed_at()?.map(|at| at as u64),
    })
}
