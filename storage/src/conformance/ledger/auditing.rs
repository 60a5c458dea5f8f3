//! The books are balanced, also once somebody is erased.

use syncline_protocol::ids::AppId;

use super::super::space::NOW;
use super::bank::{
    Bank, are_balanced, audited, bringing, credits, granting, order, pool, refunding, reserving,
    settling, user, using,
};
use crate::LedgerStore;
use crate::ledger::{
    About, Account, AccountId, Books, LineKind, Operation, Order, Source, SystemAccount,
};

pub async fn where_there_are_no_accounts_there_is_nothing_to_audit(ledger: &dyn LedgerStore) {
    assert_eq!(audited(ledger, 3).await, Books::default());
}

pub async fn all_entries_together_are_0(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 100).await;
    let bought = Operation::Grant {
        amount: credits(50),
        source: Source::Purchased,
    };
    ada.done("bought", bought).await;
    let used = ada.done("used", using(20)).await.posting;
    ada.done("back", refunding(used, 5)).await;
    let reserved = ada.done("aside", reserving(30)).await.posting;
    ada.done("settled", settling(reserved, 10)).await;
    ada.done("aside again", reserving(7)).await;
    let lapse = Operation::Lapse { amount: credits(3) };
    ada.done("lapsed", lapse).await;
    ada.done("sent", bringing(&pool("family"), 40)).await;
    let books = audited(ledger, 1).await;
    assert_eq!((books.accounts, books.drifted, books.sum()), (2, 0, 0));
    assert_eq!((books.balances, books.reserved), (115, 7));
    let systems = [
        (SystemAccount::Granted, -100),
        (SystemAccount::Purchased, -50),
        (SystemAccount::Consumed, 25),
        (SystemAccount::Expired, 3),
    ];
    for (account, expected) in systems {
        assert_eq!(books.system(account), expected, "{account:?}");
    }
}

pub async fn an_audit_sees_every_account_once(ledger: &dyn LedgerStore) {
    for n in 0..7 {
        Bank::of(ledger, user(&format!("u{n}")), n + 1).await;
    }
    for limit in [1, 3, 7, 100] {
        let books = audited(ledger, limit).await;
        assert_eq!(
            (books.accounts, books.balances),
            (7, 28),
            "{limit} at a time"
        );
    }
}

pub async fn an_erased_account_is_nobodys(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let about = About::new(Some(AppId::trusted("todo")), "a poem".to_owned(), None);
    let told = Order {
        about: about.expect("it is short"),
        ..order(&ada.id, "a", using(2))
    };
    ledger.post(&told).await.expect("it is done");
    ada.done("aside", reserving(5)).await;
    assert_eq!(ledger.erase_account(&ada.id, NOW).await, Ok(true));
    assert_eq!(ada.now().await, Account::default());
    assert_eq!(ada.lines(None, 9).await, []);
    let page = ledger.audit(None, 9).await.expect("it answers");
    let [only] = &page.accounts[..] else {
        panic!("not one account: {page:?}");
    };
    assert!(matches!(only.id, AccountId::Erased(_)), "{}", only.id);
    let left = (
        only.stored.balance,
        only.stored.reserved,
        only.stored.expired,
    );
    assert_eq!(left, (credits(0), credits(0), credits(8)));
    let lines = ledger.lines(&only.id, None, 9).await.expect("it answers");
    let kinds: Vec<_> = lines.iter().map(|line| line.kind).collect();
    let expected = [
        LineKind::Lapsed,
        LineKind::RanOut,
        LineKind::Reserved,
        LineKind::Used,
        LineKind::Granted,
    ];
    assert_eq!(kinds, expected);
    assert!(lines.iter().all(|line| line.about == About::default()));
    are_balanced(ledger).await;
}

pub async fn others_name_nobody_once_somebody_is_erased(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let family = Bank::of(ledger, pool("family"), 0).await;
    ada.done("a", bringing(&family.id, 4)).await;
    ledger
        .erase_account(&ada.id, NOW)
        .await
        .expect("it answers");
    let other = family.lines(None, 1).await[0].other.clone();
    assert!(matches!(other, Some(AccountId::Erased(_))), "{other:?}");
    assert_eq!(family.balance().await, 4);
    are_balanced(ledger).await;
}

pub async fn who_was_erased_begins_at_0(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    ada.done("a", using(2)).await;
    ledger
        .erase_account(&ada.id, NOW)
        .await
        .expect("it answers");
    assert_eq!(ledger.erase_account(&ada.id, NOW).await, Ok(false));
    let again = ada.done("init", granting(3)).await;
    assert_eq!((again.no, again.balance_after), (1, credits(3)));
    are_balanced(ledger).await;
}

pub async fn an_account_that_is_not_there_is_not_erased(ledger: &dyn LedgerStore) {
    assert_eq!(ledger.erase_account(&user("ada"), NOW).await, Ok(false));
    let nobody = AccountId::Erased(7);
    assert_eq!(ledger.erase_account(&nobody, NOW).await, Ok(false));
}
