//! Short ways to say what is ordered and what must be there then.

use syncline_protocol::ids::UserId;
use syncline_protocol::stamp::WallMs;

use super::super::space::NOW;
use crate::LedgerStore;
use crate::ledger::{
    About, Account, AccountId, Books, Credits, LedgerError, LedgerRefusal, Line, Operation, Order,
    OrderKey, PoolId, PostingId, Source,
};
use crate::types::StoreError;

/// When reservations of these behaviours are over.
pub(crate) const OVER_MS: WallMs = NOW + 60_000;

/// Times that an order is handed in whose outcome nobody knows.
const TRIES_MAX: usize = 200;

pub(crate) fn credits(n: u64) -> Credits {
    Credits::new(n).expect("it is not too much")
}

pub(crate) fn user(name: &str) -> AccountId {
    AccountId::User(UserId::trusted(name))
}

pub(crate) fn pool(name: &str) -> AccountId {
    AccountId::Pool(PoolId::trusted(name))
}

pub(crate) fn order(account: &AccountId, key: &str, operation: Operation) -> Order {
    Order {
        account: account.clone(),
        key: OrderKey::trusted(key),
        operation,
        at_ms: NOW,
        about: About::default(),
    }
}

pub(crate) fn granting(n: u64) -> Operation {
    Operation::Grant {
        amount: credits(n),
        source: Source::Granted,
    }
}

pub(crate) fn using(n: u64) -> Operation {
    Operation::Use { amount: credits(n) }
}

pub(crate) fn refunding(of: PostingId, n: u64) -> Operation {
    let amount = credits(n);
    Operation::Refund { of, amount }
}

pub(crate) fn reserving(n: u64) -> Operation {
    Operation::Reserve {
        amount: credits(n),
        expires_at_ms: OVER_MS,
    }
}

pub(crate) fn settling(reservation: PostingId, n: u64) -> Operation {
    Operation::Settle {
        reservation,
        amount: credits(n),
    }
}

pub(crate) fn releasing(reservation: PostingId) -> Operation {
    Operation::Release { reservation }
}

pub(crate) fn bringing(to: &AccountId, n: u64) -> Operation {
    Operation::Transfer {
        to: to.clone(),
        amount: credits(n),
    }
}

/// Somebody's account.
pub(crate) struct Bank<'a> {
    pub(crate) ledger: &'a dyn LedgerStore,
    pub(crate) id: AccountId,
}

impl<'a> Bank<'a> {
    /// Ada's, with so many credits.
    pub(crate) async fn with(ledger: &'a dyn LedgerStore, n: u64) -> Bank<'a> {
        Bank::of(ledger, user("ada"), n).await
    }

    pub(crate) async fn of(ledger: &'a dyn LedgerStore, id: AccountId, n: u64) -> Bank<'a> {
        let bank = Bank { ledger, id };
        if n > 0 {
            bank.done("init", granting(n)).await;
        }
        bank
    }

    pub(crate) async fn post(&self, key: &str, operation: Operation) -> Result<Line, LedgerError> {
        self.ledger.post(&order(&self.id, key, operation)).await
    }

    pub(crate) async fn done(&self, key: &str, operation: Operation) -> Line {
        self.post(key, operation).await.expect("it is done")
    }

    pub(crate) async fn refused(&self, key: &str, operation: Operation) -> LedgerRefusal {
        match self.post(key, operation).await {
            Err(LedgerError::Refused(why)) => why,
            answer => panic!("not refused: {answer:?}"),
        }
    }

    /// Hands an order in until it is told what became of it.
    pub(crate) async fn told(
        &self,
        key: &str,
        operation: Operation,
    ) -> Result<Line, LedgerRefusal> {
        for _ in 0..TRIES_MAX {
            match self.post(key, operation.clone()).await {
                Ok(line) => return Ok(line),
                Err(LedgerError::Refused(why)) => return Err(why),
                Err(LedgerError::Store(StoreError::Unavailable(_))) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("nobody is told what became of an order");
    }

    pub(crate) async fn now(&self) -> Account {
        let account = self.ledger.account(&self.id).await;
        account.expect("it answers")
    }

    pub(crate) async fn balance(&self) -> u64 {
        self.now().await.balance.get()
    }

    pub(crate) async fn lines(&self, before: Option<u64>, limit: usize) -> Vec<Line> {
        let lines = self.ledger.lines(&self.id, before, limit).await;
        lines.expect("it answers")
    }
}

/// All that an audit finds, page by page.
pub(crate) async fn audited(ledger: &dyn LedgerStore, limit: usize) -> Books {
    let (mut books, mut after) = (Books::default(), None);
    loop {
        let page = ledger.audit(after, limit).await.expect("it answers");
        assert!(page.accounts.len() <= limit, "more than was asked for");
        books.add(&page);
        after = page.next;
        if after.is_none() {
            return books;
        }
    }
}

/// Asserts that nothing has drifted and nothing is under way.
pub(crate) async fn are_balanced(ledger: &dyn LedgerStore) {
    let books = audited(ledger, 2).await;
    assert_eq!(books.drifts, []);
    assert_eq!((books.sum(), books.in_transit, books.between), (0, 0, 0));
}
