//! The contract of the ledger: what changes something goes to the writer, the rest to the readers.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{audit, erase, expire, post, rows};
use crate::ledger::{
    Account, AccountId, AuditCursor, AuditPage, LINES_MAX, LedgerError, LedgerStore, Line, Order,
    PostingId, Reservation,
};
use crate::sqlite::SqliteStore;
use crate::types::StoreError;

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn post(&self, order: &Order) -> Result<Line, LedgerError> {
        let order = order.clone();
        let ids = [PostingId::random()?, PostingId::random()?];
        let answer = self.writer.run(move |conn| post(conn, &order, ids)).await?;
        Ok(answer?)
    }

    async fn account(&self, account: &AccountId) -> Result<Account, StoreError> {
        let account = account.clone();
        self.readers
            .read(move |conn| {
                let found = rows::find(conn, &account)?;
                Ok(found.map(|found| found.account).unwrap_or_default())
            })
            .await
    }

    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let account = account.clone();
        let page = (before, limit.min(LINES_MAX));
        self.readers
            .read(move |conn| match rows::find(conn, &account)? {
                Some(found) => rows::lines(conn, found.no, page),
                None => Ok(Vec::new()),
            })
            .await
    }

    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError> {
        let account = account.clone();
        self.readers
            .read(move |conn| match rows::find(conn, &account)? {
                Some(found) => rows::reservation(conn, found.no, posting),
                None => Ok(None),
            })
            .await
    }

    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
        // The writer is not needed where nothing is over.
        let over = self.readers.read(move |conn| rows::over(conn, now_ms, 1));
        if over.await?.is_empty() {
            return Ok(0);
        }
        self.writer
            .run(move |conn| expire(conn, now_ms, limit))
            .await
    }

    async fn relay(&self, _before_ms: WallMs, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.readers
            .read(move |conn| audit::audit(conn, after, limit))
            .await
    }

    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError> {
        let account = account.clone();
        let nobody = PostingId::random()?.0;
        let cutter = self.checkpointer.cutter();
        self.writer
            .run(move |conn| erase(conn, (&account, nobody), now_ms, &cutter))
            .await
    }
}
