//! Reservations whose time is over.

use syncline_protocol::stamp::WallMs;

use super::rows;
use crate::ledger::{AccountId, PostingId, posting_of, run_out};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::postgres::records::bigint;

/// The longest over first.
pub(in crate::postgres) const OVER: &str = "WITH due AS MATERIALIZED (
        SELECT account, posting, expires_at FROM syncline.ledger_reservations
        WHERE state = 0 AND expires_at <= $1 ORDER BY expires_at, account, posting LIMIT $2)
    SELECT d.account, d.posting, a.name FROM due d
    JOIN syncline.ledger_accounts a ON a.no = d.account";

/// The reservations to end, each with its account.
pub(super) struct Over {
    pub(super) now_ms: WallMs,
    pub(super) limit: usize,
}

impl Call for Over {
    type Answer = Vec<(AccountId, PostingId)>;

    async fn run(&self, connection: &Connection) -> Result<Self::Answer, Failure> {
        let now_ms = i64::try_from(self.now_ms).unwrap_or(i64::MAX);
        let asked = [&now_ms as _, &bigint(self.limit) as _];
        let found = connection.client.query(OVER, &asked).await?;
        let mut over = Vec::new();
        for row in &found {
            let posting = posting_of(rows::blob(row, 1)?)?;
            over.push((AccountId::read(rows::text(row, 2)?)?, posting));
        }
        Ok(over)
    }
}

/// Gives one back, unless it has ended since.
pub(super) struct RunOut<'a> {
    pub(super) account: &'a AccountId,
    pub(super) reservation: PostingId,
    pub(super) id: PostingId,
    pub(super) now_ms: WallMs,
}

impl Call for RunOut<'_> {
    type Answer = ();

    async fn run(&self, connection: &Connection) -> Result<(), Failure> {
        transaction(connection, BEGIN, async {
            let names = [self.account.stored()];
            let locked = rows::lock_those_there(connection, &names).await?;
            let Some((_, account)) = locked.first() else {
                // Its owner was erased, and so nothing of it is open.
                return Ok(());
            };
            let found = rows::reservation(connection, account.no, self.reservation).await?;
            let by = (self.id, self.now_ms);
            let decided = found.and_then(|found| run_out(account.account, found, by));
            match decided {
                Some(decided) => rows::write(connection, (account.no, None), &decided).await,
                None => Ok(()),
            }
        })
        .await
    }
}
