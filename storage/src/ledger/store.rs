//! The contract of a store of credits.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{
    Account, AccountId, AuditCursor, AuditPage, LedgerError, Line, Order, PostingId, Reservation,
};
use crate::types::StoreError;

/// A durable ledger. Every call is durable before it is answered. A [`StoreError`] says that nobody knows
/// whether it was done; then it is asked again.
///
/// An order is done once, whole or not at all, however often and by however many it is handed in at once.
/// Its key is remembered in its account as long as the account is there, so for ever, as lines are. An
/// order that is refused leaves nothing, also no key. No balance is ever less than 0.
///
/// The ledger is of users, not of spaces: it is in no archive, and erasing a space leaves it alone. Who erases
/// a user calls [`LedgerStore::erase_account`].
#[async_trait]
pub trait LedgerStore: Send + Sync + 'static {
    /// Does an order, and returns its line; if it was done before, the line of then. An order of the same key
    /// and another content is refused. A transfer is done once both accounts have their line.
    async fn post(&self, order: &Order) -> Result<Line, LedgerError>;

    /// An account as it is now; all 0 if nothing was ever written there.
    async fn account(&self, account: &AccountId) -> Result<Account, StoreError>;

    /// The lines of an account before a number, the newest first, at most `limit` and [`super::LINES_MAX`].
    /// What is written meanwhile has greater numbers, so pages that go on before the last line returned are
    /// together all lines, each once.
    async fn lines(
        &self,
        account: &AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError>;

    /// A reservation of an account; `None` if there never was one of this posting.
    async fn reservation(
        &self,
        account: &AccountId,
        posting: PostingId,
    ) -> Result<Option<Reservation>, StoreError>;

    /// Ends reservations whose time is over, the longest over first, and gives them back, at most `limit`.
    /// Returns how many were looked at: fewer than `limit` were all.
    async fn expire(&self, now_ms: WallMs, limit: usize) -> Result<usize, StoreError>;

    /// Brings transfers to their end that were begun before then and left in the middle, at most `limit`.
    /// Returns how many were looked at: fewer than `limit` were all. Of an engine whose transfers are one
    /// transaction there are none.
    async fn relay(&self, before_ms: WallMs, limit: usize) -> Result<usize, StoreError>;

    /// Accounts after a place, at most `limit`, each with the sums of all its lines. Reads every line there
    /// is, and writes nothing.
    async fn audit(
        &self,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError>;

    /// Has an account be nobody's. What is reserved of it is given back, what is left ends unused, and its
    /// lines stay under a random name ([`AccountId::Erased`]), also where others name it, without what people
    /// were shown of them and without their keys: so the books stay balanced, and nothing tells whose they
    /// were. A new account of the same owner begins at 0. False if there was none. May be asked again if it
    /// was not answered.
    async fn erase_account(&self, account: &AccountId, now_ms: WallMs) -> Result<bool, StoreError>;
}
