//! Reading everything of a space, in one snapshot.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use syncline_protocol::codec;
use syncline_protocol::ids::{ClientId, ClientKey, SpaceKey, UserId, WriterNo};
use syncline_protocol::verdict::{Mark, Remembered};
use tokio::sync::mpsc::Sender;

use super::dead_letters::letter;
use super::records::stored;
use super::{error, jobs, space};
use crate::jobs::StoredJob;
use crate::transfer::{
    ClientImage, Filling, Measured, Part, RecordImage, Sent, Since, SpaceImage, VerdictImage,
};
use crate::types::{DeadLetter, PageLimit, StoreError};

const ERASED_AT: &str = "SELECT erased_at FROM spaces WHERE sid = ?1";

const CLIENTS: &str = "SELECT usr, client, writer, last, used_at, given FROM clients
    WHERE sid = ?1 ORDER BY usr, client";

const VERDICTS: &str = "SELECT writer, m, hash, verdict FROM verdicts
    WHERE sid = ?1 ORDER BY writer, slot";

const RECORDS: &str = "SELECT tbl, id, state, dead_at FROM records
    WHERE sid = ?1 ORDER BY tbl, id";

const DEAD_LETTERS: &str = "SELECT at, usr, client, tbl, id, code, change FROM dead_letters
    WHERE sid = ?1 ORDER BY no";

/// Sends a space and its parts. Runs in a read transaction of a thread of its own.
pub(super) fn export(
    conn: &Connection,
    key: &SpaceKey,
    (page, to): (PageLimit, &Sender<Sent>),
) -> Result<(), StoreError> {
    let Some(row) = space::find(conn, key)? else {
        return Ok(());
    };
    let erased_at: i64 = conn.query_row(ERASED_AT, [row.sid], |row| row.get(0))?;
    let image = SpaceImage {
        key: key.clone(),
        view: row.view,
        erased_at_ms: erased_at as u64,
    };
    let sending = Sending {
        sid: row.sid,
        page,
        to,
    };
    let _ = to.blocking_send(Sent::Space(image)).is_ok()
        && sending.rows(conn, CLIENTS, Part::Clients, client)?
        && sending.rows(conn, VERDICTS, Part::Verdicts, verdict)?
        && sending.rows(conn, RECORDS, Part::Records, record)?
        && sending.rows(conn, DEAD_LETTERS, Part::DeadLetters, sized_letter)?
        && sending.rows(conn, jobs::ALL, Part::Jobs, job)?;
    Ok(())
}

struct Sending<'a> {
    sid: i64,
    page: PageLimit,
    to: &'a Sender<Sent>,
}

impl Sending<'_> {
    /// Sends the rows of a statement in pages. `false` if nobody receives.
    fn rows<T>(
        &self,
        conn: &Connection,
        sql: &str,
        part: fn(Vec<T>) -> Part,
        read: fn(&Row<'_>, i64) -> Measured<T>,
    ) -> Result<bool, StoreError> {
        let send = |rows| self.to.blocking_send(Sent::Part(part(rows))).is_ok();
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.sid])?;
        let mut filling = Filling::new(self.page);
        while let Some(row) = rows.next()? {
            let (row, bytes) = read(row, self.sid)?;
            if filling.take(row, bytes).is_some_and(|full| !send(full)) {
                return Ok(false);
            }
        }
        Ok(filling.end().is_none_or(send))
    }
}

fn client(row: &Row<'_>, sid: i64) -> Measured<ClientImage> {
    let given: Option<Vec<u8>> = row.get(5)?;
    let (user, client): (String, String) = (row.get(0)?, row.get(1)?);
    let bytes = user.len() + client.len() + given.as_ref().map_or(0, Vec::len);
    let given = given.map(|stored| codec::decode_given(&stored)).transpose();
    let given = given.map_err(|cause| error::damaged("given stamps", sid, &cause))?;
    let image = ClientImage {
        key: ClientKey {
            user: UserId::trusted(&user),
            client: ClientId::trusted(&client),
        },
        mark: Mark {
            writer: WriterNo(row.get(2)?),
            last: row.get::<_, Option<i64>>(3)?.map(|last| last as u64),
            given: given.map(Arc::new),
        },
        used: Since::from_stored(row.get(4)?),
    };
    Ok((image, bytes))
}

fn verdict(row: &Row<'_>, sid: i64) -> Measured<VerdictImage> {
    let stored: Vec<u8> = row.get(3)?;
    let verdict =
        codec::decode_verdict(&stored).map_err(|cause| error::damaged("a verdict", sid, &cause))?;
    let image = VerdictImage {
        writer: WriterNo(row.get(0)?),
        remembered: Remembered {
            m: row.get::<_, i64>(1)? as u64,
            hash: row.get(2)?,
            verdict,
        },
    };
    Ok((image, stored.len()))
}

fn record(row: &Row<'_>, sid: i64) -> Measured<RecordImage> {
    let read = stored(row, sid)?;
    let (key, record) = read.keyed;
    let image = RecordImage {
        key,
        record,
        dead: row.get::<_, Option<i64>>(3)?.map(Since::from_stored),
        committed_at_ms: None,
    };
    Ok((image, read.bytes))
}

fn sized_letter(row: &Row<'_>, _: i64) -> Measured<DeadLetter> {
    let letter = letter(row)?;
    let bytes = letter.bytes();
    Ok((letter, bytes))
}

fn job(row: &Row<'_>, _: i64) -> Measured<StoredJob> {
    let job = jobs::stored(row)?.unleased();
    let bytes = job.bytes();
    Ok((job, bytes))
}
