//! Reading what is remembered of clients.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use syncline_protocol::codec;
use syncline_protocol::ids::{ClientKey, SpaceKey, WriterNo};
use syncline_protocol::verdict::{Mark, PayloadHash, Remembered};

use super::commit::VERDICT_SLOTS;
use super::{error, space};
use crate::types::{MarksRead, StoreError, VerdictsRead};

pub(super) const MARK: &str = "SELECT writer, last, given FROM clients
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
        let read: Option<(u32, Option<i64>, Option<Vec<u8>>)> = statement
            .query_row(client, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((writer, last, given)) = read else {
            return Ok(None);
        };
        let given = given.map(|stored| codec::decode_given(&stored)).transpose();
        let given = given.map_err(|cause| error::damaged("given stamps", row.sid, &cause))?;
        Ok(Some(Mark {
            writer: WriterNo(writer),
            last: last.map(|last| last as u64),
            given: given.map(Arc::new),
        }))
    };
    Ok(MarksRead {
        view: row.view,
        marks: clients
            .iter()
            .map(&mut mark)
            .collect::<Result<_, StoreError>>()?,
    })
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
