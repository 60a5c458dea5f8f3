//! From one account into another.

use super::super::space::NOW;
use super::bank::{Bank, are_balanced, bringing, credits, granting, pool, user, using};
use crate::LedgerStore;
use crate::ledger::{CREDITS_MAX, LedgerRefusal, LineKind};

pub async fn a_transfer_has_a_line_in_both_accounts(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let family = Bank::of(ledger, pool("family"), 0).await;
    let sent = ada.done("a", bringing(&family.id, 4)).await;
    assert_eq!(
        (sent.kind, sent.other.as_ref()),
        (LineKind::Sent, Some(&family.id))
    );
    assert_eq!(sent.balance_after, credits(6));
    let received = &family.lines(None, 9).await[0];
    assert_eq!(
        (received.kind, received.other.as_ref()),
        (LineKind::Received, Some(&ada.id))
    );
    assert_eq!(
        (received.posting, received.amount),
        (sent.posting, credits(4))
    );
    let (from, to) = (ada.now().await, family.now().await);
    assert_eq!(
        (from.balance, from.sent, from.in_transit),
        (credits(6), credits(4), credits(0))
    );
    assert_eq!((to.balance, to.received), (credits(4), credits(4)));
    assert_eq!(ada.lines(None, 1).await, [sent]);
    are_balanced(ledger).await;
}

pub async fn what_was_transferred_is_used(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let bob = Bank::of(ledger, user("bob"), 5).await;
    let family = Bank::of(ledger, pool("family"), 0).await;
    ada.done("a", bringing(&family.id, 4)).await;
    bob.done("a", bringing(&family.id, 5)).await;
    family.done("b", using(9)).await;
    assert_eq!(family.balance().await, 0);
    are_balanced(ledger).await;
}

pub async fn no_more_is_transferred_than_there_is(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 3).await;
    let balance = credits(3);
    let refused = ada.refused("a", bringing(&pool("family"), 4)).await;
    assert_eq!(refused, LedgerRefusal::Short { balance });
    let family = Bank::of(ledger, pool("family"), 0).await;
    assert_eq!((ada.balance().await, family.balance().await), (3, 0));
}

pub async fn a_transfer_handed_in_again_is_done_once(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let family = Bank::of(ledger, pool("family"), 0).await;
    let sent = ada.done("a", bringing(&family.id, 4)).await;
    assert_eq!(ada.done("a", bringing(&family.id, 4)).await, sent);
    let other = ada.refused("a", bringing(&pool("others"), 4)).await;
    assert_eq!(other, LedgerRefusal::KeyReused);
    assert_eq!((ada.balance().await, family.balance().await), (6, 4));
}

pub async fn nothing_is_transferred_to_where_it_comes_from(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let refused = ada.refused("a", bringing(&ada.id, 4)).await;
    assert_eq!(refused, LedgerRefusal::NoSuchAccount);
}

pub async fn what_an_account_does_not_take_stays_where_it_was(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let full = Bank::of(ledger, pool("family"), CREDITS_MAX - 3).await;
    let before = ada.now().await;
    assert_eq!(
        ada.refused("a", bringing(&full.id, 4)).await,
        LedgerRefusal::Full
    );
    assert_eq!(ada.now().await, before);
    assert_eq!(full.now().await.lines, 1);
    // The key is free.
    ada.done("a", bringing(&full.id, 3)).await;
    assert_eq!(
        ada.refused("b", bringing(&full.id, 1)).await,
        LedgerRefusal::Full
    );
    assert_eq!(ada.balance().await, 7);
    are_balanced(ledger).await;
}

pub async fn where_nothing_is_left_in_the_middle_nothing_is_relayed(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    ada.done("a", bringing(&pool("family"), 4)).await;
    ada.done("b", granting(4)).await;
    assert_eq!(ledger.relay(NOW + 1_000, 9).await, Ok(0));
}
