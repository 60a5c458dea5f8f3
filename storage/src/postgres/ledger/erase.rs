//! An account that becomes nobody's.

use syncline_protocol::stamp::WallMs;
use tokio_postgres::types::ToSql;

use super::rows::{self, Stored};
use crate::ledger::{AccountId, Decided, PostingId, lapse, run_out};
use crate::postgres::call::{BEGIN_PATIENT, Call, transaction};
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

const OPEN: &str = "SELECT posting, amount, expires_at, state FROM syncline.ledger_reservations
    WHERE account = $1 AND state = 0 ORDER BY posting";

const RENAME: &str = "UPDATE syncline.ledger_accounts SET name = $2 WHERE no = $1";

/// What an erasure leaves of lines.
const EMPTY: &str = "UPDATE syncline.ledger_lines
    SET app = NULL, description = '', metadata = NULL WHERE account = $1
    AND (app IS NOT NULL OR description <> '' OR metadata IS NOT NULL)";

const FORGET_KEYS: &str = "DELETE FROM syncline.ledger_keys WHERE account = $1";

/// [`crate::LedgerStore::erase_account`].
pub(super) struct EraseAccount<'a> {
    pub(super) account: &'a AccountId,
    pub(super) nobody: AccountId,
    pub(super) now_ms: WallMs,
}

impl Call for EraseAccount<'_> {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Failure> {
        transaction(connection, BEGIN_PATIENT, self.in_transaction(connection)).await
    }
}

impl EraseAccount<'_> {
    async fn in_transaction(&self, connection: &Connection) -> Result<bool, Failure> {
        let names = [self.account.stored()];
        let locked = rows::lock_those_there(connection, &names).await?;
        let Some((_, stored)) = locked.into_iter().next() else {
            return Ok(false);
        };
        self.empty(connection, stored).await?;
        let client = &connection.client;
        let nobody = self.nobody.stored();
        let renamed: [&(dyn ToSql + Sync); 2] = [&stored.no, &nobody];
        client.execute(RENAME, &renamed).await?;
        client.execute(EMPTY, &[&stored.no]).await?;
        client.execute(FORGET_KEYS, &[&stored.no]).await?;
        Ok(true)
    }

    /// Gives back what is reserved, and has what is left end unused.
    async fn empty(&self, connection: &Connection, mut stored: Stored) -> Result<(), Failure> {
        for row in &connection.client.query(OPEN, &[&stored.no]).await? {
            let open = rows::read_reservation(row, 0)?;
            let by = (PostingId::random()?, self.now_ms);
            let decided = run_out(stored.account, open, by);
            self.write(connection, &mut stored, decided).await?;
        }
        let decided = lapse(stored.account, (PostingId::random()?, self.now_ms));
        self.write(connection, &mut stored, decided).await
    }

    async fn write(
        &self,
        connection: &Connection,
        stored: &mut Stored,
        decided: Option<Decided>,
    ) -> Result<(), Failure> {
        let Some(decided) = decided else {
            return Ok(());
        };
        rows::write(connection, (stored.no, None), &decided).await?;
        stored.account = decided.account;
        Ok(())
    }
}
