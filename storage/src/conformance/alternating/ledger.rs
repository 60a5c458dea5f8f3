//! The ledger of two hubs in turn.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::Alternating;
use crate::Store;
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LedgerError, LedgerStore, Line, Order, PostingId,
    Reservation,
};
use crate::types::StoreError;

#[async_trait]
impl<S: Store + LedgerStore> LedgerStore for Alternating<S> {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        self.next().post(order).await
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        self.next().account(account).await
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        self.next().lines(account, before, limit).await
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        self.next().reservation(account, posting).await
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        self.next().expire(now_ms, limit).await
    }

    async fn relay(&self, before_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        self.next().relay(before_ms, limit).await
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.next().audit(after, limit).await
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        self.next().erase_account(account, now_ms).await
    }
}
