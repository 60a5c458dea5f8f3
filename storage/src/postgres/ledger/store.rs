//! The contract of the ledger. A call whose connection ended is made once more: an order finds its key, and
//! what had ended is not ended again.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::audit::Audit;
use super::erase::EraseAccount;
use super::expire::{Over, RunOut};
use super::post::Post;
use super::rows;
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LINES_MAX, LedgerError, LedgerStore, Line, Order,
    PostingId, Reservation,
};
use crate::postgres::PostgresStore;
use crate::postgres::call::Call;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::types::StoreError;

#[async_trait]
impl LedgerStore for PostgresStore {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        let ids = [PostingId::random()?, PostingId::random()?];
        Ok(self.call(Post { order, ids }).await??)
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        self.call(One(account)).await
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let page = (before, limit.min(LINES_MAX));
        self.call(Lines { account, page }).await
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        self.call(Reserved { account, posting }).await
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        let over = self.call(Over { now_ms, limit }).await?;
        // Each in a transaction of its own, so that nobody waits for more than one account.
        for (account, reservation) in &over {
            let run_out = RunOut {
                account,
                reservation: *reservation,
                id: PostingId::random()?,
                now_ms,
            };
            self.call(run_out).await?;
        }
        Ok(over.len())
    }

    async fn relay(&self, _before_ms: WallMs, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.call_patiently(Audit { after, limit }).await
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        if matches!(account, AccountId::Erased(_)) {
            return Ok(false);
        }
        let erase = EraseAccount {
            account,
            nobody: AccountId::Erased(PostingId::random()?.0),
            now_ms,
        };
        self.call_patiently(erase).await
    }
}

/// [`LedgerStore::account`].
struct One<'a>(&'a AccountId);

impl Call for One<'_> {
    type Answer = Account;

    async fn run(&self, connection: &Connection) -> Result<Account, Failure> {
        let found = rows::find(connection, self.0).await?;
        Ok(found.map(|found| found.account).unwrap_or_default())
    }
}

/// [`LedgerStore::lines`].
struct Lines<'a> {
    account: &'a AccountId,
    page: (Option<u64>, usize),
}

impl Call for Lines<'_> {
    type Answer = Vec<Line>;

    async fn run(&self, connection: &Connection) -> Result<Vec<Line>, Failure> {
        match rows::find(connection, self.account).await? {
            Some(found) => rows::lines(connection, found.no, self.page).await,
            None => Ok(Vec::new()),
        }
    }
}

/// [`LedgerStore::reservation`].
struct Reserved<'a> {
    account: &'a AccountId,
    posting: PostingId,
}

impl Call for Reserved<'_> {
    type Answer = Option<Reservation>;

    async fn run(&self, connection: &Connection) -> Result<Option<Reservation>, Failure> {
        match rows::find(connection, self.account).await? {
            Some(found) => rows::reservation(connection, found.no, self.posting).await,
            None => Ok(None),
        }
    }
}
