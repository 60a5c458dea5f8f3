//! An order is done once.

use super::super::space::NOW;
use super::bank::{Bank, OVER_MS, bringing, credits, granting, order, pool, user, using};
use crate::LedgerStore;
use crate::ledger::{About, LedgerError, LedgerRefusal, Operation, Order};

pub async fn an_order_handed_in_again_is_done_once(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let first = bank.done("a", using(3)).await;
    bank.done("b", using(1)).await;
    let later = Order {
        at_ms: NOW + 1_000,
        ..order(&bank.id, "a", using(3))
    };
    assert_eq!(ledger.post(&later).await, Ok(first));
    assert_eq!((bank.balance().await, bank.now().await.lines), (6, 3));
}

pub async fn a_key_of_another_order_is_refused(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    bank.done("a", using(3)).await;
    let lapse = Operation::Lapse { amount: credits(3) };
    for other in [using(4), granting(3), lapse, bringing(&pool("p"), 3)] {
        assert_eq!(bank.refused("a", other).await, LedgerRefusal::KeyReused);
    }
    let about = About::new(None, "something else".to_owned(), None);
    let told = Order {
        about: about.expect("it is short"),
        ..order(&bank.id, "a", using(3))
    };
    let refused = LedgerError::Refused(LedgerRefusal::KeyReused);
    assert_eq!(ledger.post(&told).await, Err(refused));
    assert_eq!(bank.balance().await, 7);
}

pub async fn equal_keys_of_two_accounts_share_nothing(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let bob = Bank::of(ledger, user("bob"), 10).await;
    ada.done("a", using(1)).await;
    bob.done("a", using(2)).await;
    assert_eq!((ada.balance().await, bob.balance().await), (9, 8));
}

pub async fn a_refused_order_leaves_its_key_free(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 1).await;
    bank.refused("a", using(2)).await;
    bank.done("b", granting(1)).await;
    bank.done("a", using(2)).await;
    bank.refused("c", using(1)).await;
    bank.done("c", granting(3)).await;
    assert_eq!(bank.balance().await, 3);
}

pub async fn an_order_that_could_not_be_done_any_more_was_done(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 5).await;
    let used = bank.done("a", using(5)).await;
    assert_eq!(bank.done("a", using(5)).await, used);
}

/// Who repeats it reads the clock again.
pub async fn a_reservation_of_another_time_is_the_same_order(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 5).await;
    let reserve = |expires_at_ms| Operation::Reserve {
        amount: credits(2),
        expires_at_ms,
    };
    let first = bank.done("a", reserve(OVER_MS)).await;
    assert_eq!(bank.done("a", reserve(OVER_MS + 1)).await, first);
    assert_eq!(bank.balance().await, 3);
}
