//! The model's ledger keeps the contract.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::Shared;
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LedgerError, LedgerStore, Line, Order, PostingId,
    Reservation,
};
use crate::types::StoreError;

#[async_trait]
impl LedgerStore for Shared {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        self.0.lock().unwrap().post(order)
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        Ok(self.0.lock().unwrap().account(account))
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        Ok(self.0.lock().unwrap().lines(account, before, limit))
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        Ok(self.0.lock().unwrap().reservation(account, posting))
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        Ok(self.0.lock().unwrap().expire(now_ms, limit))
    }

    async fn relay(&self, _before_ms: WallMs, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        Ok(self.0.lock().unwrap().audit(after, limit))
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().erase_account(account, now_ms))
    }
}
