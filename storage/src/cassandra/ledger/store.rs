//! The contract of the ledger.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{audit, erase, expire, post, read, relay};
use crate::cassandra::CassandraStore;
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LINES_MAX, LedgerError, LedgerStore, Line, Order,
    PostingId, Reservation,
};
use crate::types::StoreError;

#[async_trait]
impl LedgerStore for CassandraStore {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        let answer = post::post(&self.server, order).await;
        Ok(answer.map_err(StoreError::from)??)
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        let found = read::find(&self.server, account).await?;
        Ok(found.map(|(_, found)| found.account).unwrap_or_default())
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let page = (before, limit.min(LINES_MAX));
        match read::find(&self.server, account).await? {
            Some((number, _)) => Ok(read::lines(&self.server, number, page).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        match read::find(&self.server, account).await? {
            Some((number, _)) => Ok(read::reservation(&self.server, number, posting).await?),
            None => Ok(None),
        }
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        Ok(expire::expire(&self.server, (now_ms, limit)).await?)
    }

    async fn relay(&self, before_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        Ok(relay::relay(&self.server, (before_ms, limit)).await?)
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        Ok(audit::audit(&self.server, (after, limit)).await?)
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        Ok(erase::erase(&self.server, account, now_ms).await?)
    }
}
