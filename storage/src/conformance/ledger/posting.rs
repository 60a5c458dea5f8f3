//! What orders do.

use syncline_protocol::ids::AppId;
use syncline_protocol::json::Json;

use super::super::space::NOW;
use super::bank::{Bank, are_balanced, bringing, credits, granting, pool, refunding, user, using};
use crate::LedgerStore;
use crate::ledger::{
    About, Account, AccountId, CREDITS_MAX, DESCRIPTION_BYTES_MAX, LedgerRefusal, Line, LineKind,
    METADATA_BYTES_MAX, ORDER_KEY_BYTES_MAX, Operation, Order, OrderKey, PostingId, Source,
};

pub async fn an_account_never_used_is_empty(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 0).await;
    assert_eq!(bank.now().await, Account::default());
    assert_eq!(bank.lines(None, 9).await, []);
}

pub async fn a_grant_brings_credits(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let bought = Operation::Grant {
        amount: credits(5),
        source: Source::Purchased,
    };
    let line = bank.done("bought", bought).await;
    assert_eq!((line.no, line.kind), (2, LineKind::Purchased));
    assert_eq!(line.balance_after, credits(15));
    let account = Account {
        lines: 2,
        balance: credits(15),
        granted: credits(10),
        purchased: credits(5),
        ..Account::default()
    };
    assert_eq!(bank.now().await, account);
    assert_eq!(account.earned(), credits(15));
}

pub async fn a_use_takes_credits(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let line = bank.done("a", using(3)).await;
    assert_eq!(
        (line.kind, line.balance_after),
        (LineKind::Used, credits(7))
    );
    let now = bank.now().await;
    assert_eq!((now.balance, now.consumed), (credits(7), credits(3)));
    bank.done("b", using(7)).await;
    assert_eq!(bank.balance().await, 0);
}

pub async fn who_is_short_is_refused_and_nothing_is_written(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let before = bank.now().await;
    let balance = credits(10);
    assert_eq!(
        bank.refused("a", using(11)).await,
        LedgerRefusal::Short { balance }
    );
    assert_eq!(bank.now().await, before);
    let nobody = Bank::of(ledger, user("bob"), 0).await;
    let balance = credits(0);
    assert_eq!(
        nobody.refused("a", using(1)).await,
        LedgerRefusal::Short { balance }
    );
    assert_eq!(
        ledger.audit(None, 9).await.map(|page| page.accounts.len()),
        Ok(1)
    );
}

pub async fn what_lapses_ends_unused(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let lapse = Operation::Lapse { amount: credits(4) };
    let line = bank.done("a", lapse).await;
    assert_eq!(line.kind, LineKind::Lapsed);
    let now = bank.now().await;
    assert_eq!(
        (now.balance, now.expired, now.consumed),
        (credits(6), credits(4), credits(0))
    );
    are_balanced(ledger).await;
}

pub async fn a_refund_gives_back_what_was_used(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let used = bank.done("a", using(6)).await;
    let line = bank.done("b", refunding(used.posting, 4)).await;
    assert_eq!(
        (line.kind, line.of),
        (LineKind::Refunded, Some(used.posting))
    );
    let now = bank.now().await;
    assert_eq!((now.balance, now.consumed), (credits(8), credits(2)));
    are_balanced(ledger).await;
}

pub async fn refunds_are_together_no_more_than_the_use(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let used = bank.done("a", using(6)).await.posting;
    bank.done("other", using(4)).await;
    bank.done("b", refunding(used, 4)).await;
    let left = credits(2);
    let more = bank.refused("c", refunding(used, 3)).await;
    assert_eq!(more, LedgerRefusal::RefundTooLarge { left });
    bank.done("d", refunding(used, 2)).await;
    let left = credits(0);
    let more = bank.refused("e", refunding(used, 1)).await;
    assert_eq!(more, LedgerRefusal::RefundTooLarge { left });
    assert_eq!(bank.balance().await, 6);
}

pub async fn only_a_use_is_refunded(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let granted = bank.lines(None, 1).await[0].posting;
    for posting in [granted, PostingId(7)] {
        let refused = bank.refused("a", refunding(posting, 1)).await;
        assert_eq!(refused, LedgerRefusal::NoSuchUse);
    }
    let used = bank.done("b", using(1)).await.posting;
    let other = Bank::of(ledger, user("bob"), 5).await;
    let refused = other.refused("a", refunding(used, 1)).await;
    assert_eq!(refused, LedgerRefusal::NoSuchUse, "of another account");
}

pub async fn an_amount_of_0_is_refused(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    for operation in [granting(0), using(0), bringing(&pool("p"), 0)] {
        assert_eq!(bank.refused("a", operation).await, LedgerRefusal::Nothing);
    }
    assert_eq!(bank.now().await.lines, 1);
}

pub async fn an_account_takes_2_to_the_53_less_1_and_no_more(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, CREDITS_MAX - 1).await;
    bank.done("a", granting(1)).await;
    assert_eq!(bank.refused("b", granting(1)).await, LedgerRefusal::Full);
    bank.done("c", using(CREDITS_MAX)).await;
    assert_eq!(bank.balance().await, 0);
    are_balanced(ledger).await;
}

pub async fn a_line_round_trips(ledger: &dyn LedgerStore) {
    let metadata = format!("\"{}\\u0000\"", "m".repeat(METADATA_BYTES_MAX - 8));
    let about = About::new(
        Some(AppId::trusted("todo")),
        "é".repeat(DESCRIPTION_BYTES_MAX / 2),
        Some(Json::trusted(&metadata)),
    );
    let order = Order {
        account: user("ada"),
        key: OrderKey::trusted(&"k".repeat(ORDER_KEY_BYTES_MAX)),
        operation: granting(3),
        at_ms: NOW,
        about: about.expect("it is as large as may be"),
    };
    let line = ledger.post(&order).await.expect("it is done");
    let expected = Line {
        no: 1,
        posting: line.posting,
        kind: LineKind::Granted,
        amount: credits(3),
        balance_after: credits(3),
        at_ms: NOW,
        of: None,
        other: None,
        about: order.about.clone(),
    };
    assert_eq!(line, expected);
    let bank = Bank::with(ledger, 0).await;
    assert_eq!(bank.lines(None, 1).await, [expected]);
}

pub async fn accounts_of_a_user_and_a_pool_of_one_name_share_nothing(ledger: &dyn LedgerStore) {
    let user = Bank::of(ledger, user("ada"), 5).await;
    let pool = Bank::of(ledger, pool("ada"), 7).await;
    user.done("a", using(5)).await;
    assert_eq!((user.balance().await, pool.balance().await), (0, 7));
}

pub async fn nothing_is_done_with_an_account_of_nobody(ledger: &dyn LedgerStore) {
    let nobody = AccountId::Erased(7);
    let bank = Bank::of(ledger, nobody.clone(), 0).await;
    let refused = bank.refused("a", granting(1)).await;
    assert_eq!(refused, LedgerRefusal::NoSuchAccount);
    let ada = Bank::with(ledger, 5).await;
    let refused = ada.refused("a", bringing(&nobody, 1)).await;
    assert_eq!(refused, LedgerRefusal::NoSuchAccount);
}
