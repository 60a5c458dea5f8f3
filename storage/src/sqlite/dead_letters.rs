//! Changes set aside for people.

use rusqlite::{Connection, Row, Statement, Transaction, params};
use sha2::{Digest, Sha256};
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientId, ClientKey, SpaceKey, UserId};
use syncline_protocol::stamp::WallMs;

use super::space;
use crate::types::{Commit, DEAD_LETTERS_MAX, DeadLetter, StoreError};

const WRITE: &str = "INSERT INTO dead_letters(sid, at, usr, client, tbl, id, code, hash, change)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(sid, usr, client, hash) DO NOTHING";

const FORGET: &str = "DELETE FROM dead_letters WHERE sid = ?1 AND no <=
    (SELECT no FROM dead_letters WHERE sid = ?1 ORDER BY no DESC LIMIT 1 OFFSET ?2)";

const READ: &str = "SELECT at, usr, client, tbl, id, code, change FROM dead_letters
    WHERE sid = ?1 ORDER BY no DESC LIMIT ?2";

pub(super) fn write(tx: &Transaction<'_>, sid: i64, commit: &Commit) -> Result<(), StoreError> {
    if commit.dead_letters.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached(WRITE)?;
    for letter in &commit.dead_letters {
        write_one(&mut statement, (sid, commit.now_ms), letter)?;
    }
    tx.prepare_cached(FORGET)?
        .execute(params![sid, DEAD_LETTERS_MAX as i64])?;
    Ok(())
}

/// Runs a statement that takes the columns `sid, at, usr, client, tbl, id, code, hash, change`.
pub(super) fn write_one(
    statement: &mut Statement<'_>,
    (sid, at_ms): (i64, WallMs),
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    let hash: [u8; 32] = Sha256::digest(letter.change.as_bytes()).into();
    statement.execute(params![
        sid,
        at_ms as i64,
        letter.client.user.as_str(),
        letter.client.client.as_str(),
        letter.table,
        letter.id,
        letter.code.as_str(),
        hash,
        letter.change
    ])?;
    Ok(())
}

/// The newest `limit` of a space.
pub(super) fn read(
    conn: &Connection,
    space: &SpaceKey,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let row = space::get(conn, space)?;
    let mut statement = conn.prepare_cached(READ)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let letters = statement.query_map(params![row.sid, limit], letter)?;
    Ok(letters.collect::<Result<_, _>>()?)
}

pub(super) fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let text = |at| row.get::<_, String>(at);
    Ok(DeadLetter {
        at_ms: row.get::<_, i64>(0)? as u64,
        client: ClientKey {
            user: UserId::trusted(&text(1)?),
            client: ClientId::trusted(&text(2)?),
        },
        table: text(3)?,
        id: text(4)?,
        // A code of a newer version says at least that the change was no good.
        code: Code::parse(&text(5)?).unwrap_or(Code::ChangeInvalid),
        change: text(6)?,
    })
}
