//! The ledger of a store that fails.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{FaultyStore, Operation, injected};
use crate::Store;
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LedgerError, LedgerStore, Line, Order, PostingId,
    Reservation,
};
use crate::types::StoreError;

#[async_trait]
impl<S: Store + LedgerStore> LedgerStore for FaultyStore<S> {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        let answer_lost = self.meet(Operation::Post).await?;
        let answer = self.inner.post(order).await;
        if answer_lost {
            return Err(injected("answer lost").into());
        }
        answer
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        let call = self.inner.account(account);
        self.with_fault(Operation::ReadLedger, call).await
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let call = self.inner.lines(account, before, limit);
        self.with_fault(Operation::ReadLedger, call).await
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        let call = self.inner.reservation(account, posting);
        self.with_fault(Operation::ReadLedger, call).await
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        let call = self.inner.expire(now_ms, limit);
        self.with_fault(Operation::Sweep, call).await
    }

    async fn relay(&self, before_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        let call = self.inner.relay(before_ms, limit);
        self.with_fault(Operation::Sweep, call).await
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let call = self.inner.audit(after, limit);
        self.with_fault(Operation::ReadLedger, call).await
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        let call = self.inner.erase_account(account, now_ms);
        self.with_fault(Operation::Sweep, call).await
    }
}
