//! Changes set aside for people.

use sha2::{Digest, Sha256};
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientId, ClientKey, SpaceKey, UserId};
use tokio_postgres::Row;

use super::call::{Call, space_and_rows};
use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::records::bigint;
use crate::types::{Commit, DEAD_LETTERS_MAX, DeadLetter, StoreError};

/// Numbered on from the last one of the space, whose row the transaction holds.
pub(super) const WRITE: &str = "INSERT INTO syncline.dead_letters
    (sid, no, at, usr, client, code, hash, tbl_octets, id_octets, change_octets)
    SELECT $1, coalesce((SELECT max(no) FROM syncline.dead_letters WHERE sid = $1), 0) + 1,
        $2, $3, $4, $5, $6, $7, $8, $9
    ON CONFLICT (sid, usr, client, hash) DO NOTHING";

pub(super) const FORGET: &str = "DELETE FROM syncline.dead_letters WHERE sid = $1 AND no <=
    (SELECT no FROM syncline.dead_letters WHERE sid = $1 ORDER BY no DESC LIMIT 1 OFFSET $2)";

pub(super) const READ: &str = "SELECT at, usr, client, code, tbl_octets, id_octets, change_octets
    FROM syncline.dead_letters
    WHERE sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
    ORDER BY no DESC LIMIT $3";

/// Writes those of a commit that was accepted, in its transaction.
pub(super) async fn write(
    connection: &Connection,
    sid: i64,
    commit: &Commit,
) -> Result<(), Failure> {
    if commit.dead_letters.is_empty() {
        return Ok(());
    }
    let statements = &connection.statements;
    let at = commit.now_ms as i64;
    for letter in &commit.dead_letters {
        let hash: [u8; 32] = Sha256::digest(letter.change.as_bytes()).into();
        let (user, client) = (letter.client.user.as_str(), letter.client.client.as_str());
        connection
            .client
            .execute(
                &statements.write_dead_letters,
                &[
                    &sid,
                    &at,
                    &user,
                    &client,
                    &letter.code.as_str(),
                    &&hash[..],
                    &letter.table.as_bytes(),
                    &letter.id.as_bytes(),
                    &letter.change.as_bytes(),
                ],
            )
            .await?;
    }
    let kept = bigint(DEAD_LETTERS_MAX);
    connection
        .client
        .execute(&statements.forget_dead_letters, &[&sid, &kept])
        .await?;
    Ok(())
}

/// [`crate::Store::dead_letters`].
pub(super) struct DeadLetters<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) limit: usize,
}

impl Call for DeadLetters<'_> {
    type Answer = Vec<DeadLetter>;

    async fn run(&self, connection: &Connection) -> Result<Vec<DeadLetter>, Failure> {
        let limit = bigint(self.limit);
        let statement = &connection.statements.read_dead_letters;
        let asked = (statement, &[&limit as _][..]);
        let (_, rows) = space_and_rows(connection, self.space, asked).await?;
        let letters = rows.iter().map(letter).collect::<Result<_, _>>()?;
        Ok(letters)
    }
}

pub(super) fn letter(row: &Row) -> Result<DeadLetter, StoreError> {
    let text = |at| row.try_get::<_, &str>(at).map_err(|e| unreadable(&e));
    let octets = |at| {
        let octets = row.try_get::<_, Vec<u8>>(at).map_err(|e| unreadable(&e))?;
        String::from_utf8(octets).map_err(|e| StoreError::Damaged(e.to_string()))
    };
    let at: i64 = row.try_get(0).map_err(|e| unreadable(&e))?;
    Ok(DeadLetter {
        at_ms: at as u64,
        client: ClientKey {
            user: UserId::trusted(text(1)?),
            client: ClientId::trusted(text(2)?),
        },
        // A code of a newer version says at least that the change was no good.
        code: Code::parse(text(3)?).unwrap_or(Code::ChangeInvalid),
        table: octets(4)?,
        id: octets(5)?,
        change: octets(6)?,
    })
}
