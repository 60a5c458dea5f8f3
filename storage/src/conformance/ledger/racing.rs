//! Several at once, each of whom hands in its order until it is told what became of it.

use futures_util::future::join_all;

use super::bank::{
    Bank, OVER_MS, are_balanced, bringing, credits, granting, pool, refunding, releasing,
    reserving, settling, user, using,
};
use crate::LedgerStore;
use crate::ledger::{LedgerRefusal, ReservationState};

/// Callers at once.
const CALLERS: usize = 8;

pub async fn an_order_handed_in_by_many_at_once_is_done_once(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let told = (0..CALLERS).map(|_| bank.told("a", using(3)));
    let told = join_all(told).await;
    assert!(told[0].is_ok());
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert_eq!((bank.balance().await, bank.now().await.lines), (7, 2));
}

pub async fn a_first_order_handed_in_by_many_at_once_is_done_once(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 0).await;
    let told = (0..CALLERS).map(|_| bank.told("init", granting(3)));
    let told = join_all(told).await;
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert_eq!((bank.balance().await, bank.now().await.lines), (3, 1));
    are_balanced(ledger).await;
}

pub async fn of_two_orders_of_a_key_at_once_one_is_done(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 100).await;
    let told = (0..CALLERS).map(|n| bank.told("a", using(1 + n as u64 % 2)));
    let told = join_all(told).await;
    let done: Vec<_> = told.iter().flatten().collect();
    let used = done[0].amount;
    assert_eq!(done.len(), CALLERS / 2);
    assert!(done.iter().all(|line| *line == done[0]));
    let refused = told
        .iter()
        .filter(|one| **one == Err(LedgerRefusal::KeyReused));
    assert_eq!(refused.count(), CALLERS / 2);
    assert_eq!(bank.balance().await, 100 - used.get());
}

pub async fn as_many_uses_pass_as_there_are_credits(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    // Each order is handed in twice.
    let told = (0..2 * CALLERS).map(async |n| bank.told(&format!("{}", n / 2), using(2)).await);
    let told = join_all(told).await;
    let done = told.iter().filter(|one| one.is_ok()).count();
    assert_eq!(bank.balance().await, 0);
    assert_eq!(bank.now().await.lines, 6);
    assert_eq!(done, 10, "five orders, each told twice: {told:?}");
    are_balanced(ledger).await;
}

pub async fn transfers_in_a_circle_pass_each_other(ledger: &dyn LedgerStore) {
    let names = ["ada", "bob", "eve"];
    let banks = names.map(|name| Bank::of(ledger, user(name), 10));
    let banks = join_all(banks).await;
    let family = Bank::of(ledger, pool("family"), 0).await;
    let told = (0..CALLERS).map(async |n| {
        let (from, to) = (&banks[n % 3], &banks[(n + 1) % 3]);
        for round in 0..2 {
            let key = format!("{n} {round}");
            let to = if round == 0 { &to.id } else { &family.id };
            // Who is short is told so.
            let told = from.told(&key, bringing(to, 2)).await;
            let is_short = |why: &LedgerRefusal| matches!(why, LedgerRefusal::Short { .. });
            assert!(told.as_ref().err().is_none_or(is_short), "{told:?}");
        }
    });
    join_all(told).await;
    let mut all = family.balance().await;
    for bank in &banks {
        all += bank.balance().await;
    }
    assert_eq!(all, 30);
    are_balanced(ledger).await;
}

pub async fn a_reservation_is_ended_by_one_of_many(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    let ending = (0..CALLERS).map(async |n| match n % 3 {
        0 => bank
            .told(&format!("{n}"), settling(reserved, 4))
            .await
            .is_ok(),
        1 => bank
            .told(&format!("{n}"), releasing(reserved))
            .await
            .is_ok(),
        _ => {
            // It may meet one that is just ended.
            let _ = ledger.expire(OVER_MS, 9).await;
            false
        }
    });
    let ended = join_all(ending)
        .await
        .into_iter()
        .filter(|done| *done)
        .count();
    let found = ledger
        .reservation(&bank.id, reserved)
        .await
        .expect("it answers");
    let state = found.expect("it is kept").state;
    let (ends, balance) = match state {
        ReservationState::Settled => (1, 6),
        ReservationState::Released => (1, 10),
        ReservationState::RanOut => (0, 10),
        ReservationState::Open => panic!("nobody has ended it"),
    };
    assert_eq!((ended, bank.balance().await), (ends, balance), "{state:?}");
    assert_eq!(bank.now().await.reserved, credits(0));
    are_balanced(ledger).await;
}

pub async fn refunds_at_once_are_together_no_more_than_the_use(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let used = bank.done("a", using(10)).await.posting;
    let told = (0..CALLERS).map(async |n| {
        let key = format!("{n}");
        bank.told(&key, refunding(used, 3)).await.is_ok()
    });
    let done = join_all(told)
        .await
        .into_iter()
        .filter(|done| *done)
        .count();
    assert_eq!((done, bank.balance().await), (3, 9));
    are_balanced(ledger).await;
}

pub async fn accounts_begin_beside_each_other(ledger: &dyn LedgerStore) {
    let beginning = (0..CALLERS).map(async |n| {
        let bank = Bank::of(ledger, user(&format!("u{n}")), 0).await;
        for key in ["a", "b"] {
            assert!(bank.told(key, granting(5)).await.is_ok());
        }
        assert!(bank.told("c", using(3)).await.is_ok());
    });
    join_all(beginning).await;
    let books = super::bank::audited(ledger, 3).await;
    assert_eq!(
        (books.accounts, books.balances),
        (CALLERS as u64, 7 * CALLERS as i128)
    );
    are_balanced(ledger).await;
}
