//! The ledger asked again: an order that is handed in once more is done once.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{Patient, TRIES_MAX, too_often};
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LedgerError, LedgerStore, Line, Order, PostingId,
    Reservation,
};
use crate::types::StoreError;

#[async_trait]
impl<S: LedgerStore> LedgerStore for Patient<S> {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        for _ in 0..TRIES_MAX {
            match self.0.post(order).await {
                Err(LedgerError::Store(StoreError::Unavailable(_))) => {}
                answer => return answer,
            }
        }
        Err(too_often().into())
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        again!(self.0.account(account))
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        again!(self.0.lines(account, before, limit))
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        again!(self.0.reservation(account, posting))
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        again!(self.0.expire(now_ms, limit))
    }

    async fn relay(&self, before_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        again!(self.0.relay(before_ms, limit))
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        again!(self.0.audit(after, limit))
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        again!(self.0.erase_account(account, now_ms))
    }
}
