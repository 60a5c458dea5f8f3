//! Reading what is remembered of clients.

use rusqlite::{Connection, OptionalExtension, Row, params};
use syncline_protocol::codec;
use syncline_protocol::ids::{ClientKey, SpaceKey, WriterNo};
use syncline_protocol::stamp::Hlc;
use syncline_protocol::verdict::{Clamped, Mark, PayloadHash, Remembered};

use super::commit::VERDICT_SLOTS;
use super::{error, space};
use crate::types::{MarksRead, StoreError, VerdictsRead};

pub(super) const MARK: &str = "SELECT writer, last, clamp_from, clamp_to, clamp_became FROM clients
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

const VERDICT: &str = "SELECT hash, verdict FROM verdicts
    WHERE sid = ?1 AND writer = ?2 AND slot = ?3 AND m = ?4";

/// The marks of `clients`, in their order.
pub(super) fn marks(
    conn: &Connection,
    space: &SpaceKey,
    clients: &[ClientKey],
) -> Result<MarksRead, StoreError> {
    let row = space::get(conn, space)?;
    let mut statement = conn.prepare_cached(MARK)?;
    let mut mark = |key: &ClientKey| {
        let client = params![row.sid, key.user.as_str(), key.client.as_str()];
        let read = statement.query_row(client, |row| {
            Ok(Mark {
                writer: WriterNo(row.get(0)?),
                last: row.get::<_, Option<i64>>(1)?.map(|last| last as u64),
                clamped: clamped(row)?,
            })
        });
        Ok(read.optional()?)
    };
    Ok(MarksRead {
        view: row.view,
        marks: clients
            .iter()
            .map(&mut mark)
            .collect::<Result<_, StoreError>>()?,
    })
}

fn clamped(row: &Row<'_>) -> rusqlite::Result<Option<Clamped>> {
    let bits = |at| row.get::<_, Option<i64>>(at);
    let stamp = |bits: Option<i64>| bits.map(|bits| Hlc::from_bits(bits as u64));
    let (from, to, became) = (stamp(bits(2)?), stamp(bits(3)?), stamp(bits(4)?));
    Ok(from
        .zip(to)
        .zip(became)
        .map(|((from, to), became)| Clamped { from, to, became }))
}

/// The verdicts of one client's mutations `ms`, in their order.
pub(super) fn verdicts(
    conn: &Connection,
    space: &SpaceKey,
    writer: WriterNo,
    ms: &[u64],
) -> Result<VerdictsRead, StoreError> {
    let row = space::get(conn, space)?;
    let mut statement = conn.prepare_cached(VERDICT)?;
    let mut verdict = |m: &u64| {
        let place = params![row.sid, writer.0, (m % VERDICT_SLOTS) as i64, *m as i64];
        let read: Option<(PayloadHash, Vec<u8>)> = statement
            .query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((hash, stored)) = read else {
            return Ok(None);
        };
        let verdict = codec::decode_verdict(&stored)
            .map_err(|cause| error::damaged("a verdict", row.sid, &cause))?;
        Ok(Some(Remembered {
            m: *m,
            hash,
            verdict,
        }))
    };
    Ok(VerdictsRead {
        view: row.view,
        verdicts: ms
            .iter()
            .map(&mut verdict)
            .collect::<Result<_, StoreError>>()?,
    })
}
