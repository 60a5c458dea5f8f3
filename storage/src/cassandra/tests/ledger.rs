//! Transfers of which one half was written, hints of nothing, and who wrote meanwhile.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{opened, runtime};
use crate::LedgerStore;
use crate::cassandra::CassandraStore;
use crate::cassandra::interlude::Step;
use crate::conformance::ledger::bank::{
    Bank, OVER_MS, are_balanced, audited, bringing, credits, granting, order, pool, releasing,
    reserving, user, using,
};
use crate::conformance::space::NOW;
use crate::ledger::{AccountId, CREDITS_MAX, LedgerRefusal, Order, PostingId};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Has who hands an order in end at a step, as a process that is killed there.
async fn killed_at(store: &CassandraStore, step: Step, order: &Order) {
    let (came, coming) = oneshot::channel();
    store.server.interludes.once(step, move || async move {
        came.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    let posting = store.post(order);
    tokio::select! {
        answer = posting => panic!("it was to be killed: {answer:?}"),
        came = tokio::time::timeout(LONG, coming) => came.unwrap().unwrap(),
    }
}

fn transfer(from: &AccountId, to: &AccountId) -> Order {
    order(from, "sent", bringing(to, 4))
}

const STEPS: [(Step, u64); 2] = [(Step::DebitAndCredit, 0), (Step::CreditAndClose, 4)];

#[test]
fn a_transfer_left_in_the_middle_is_brought_to_its_end_by_the_relay() {
    for (step, arrived) in STEPS {
        runtime().block_on(async {
            let (store, lent) = opened().await;
            let ada = Bank::with(&store, 10).await;
            let family = Bank::of(&store, pool("family"), 0).await;
            killed_at(&store, step, &transfer(&ada.id, &family.id)).await;
            let half = ada.now().await;
            assert_eq!((half.balance, half.in_transit), (credits(6), credits(4)));
            assert_eq!(family.balance().await, arrived, "{step:?}");
            let books = audited(&store, 9).await;
            assert_eq!((books.drifted, books.in_transit), (0, 4));
            assert_eq!(books.sum(), i128::from(arrived));
            let other = lent.other().await;
            assert_eq!(other.relay(NOW, 9).await, Ok(0), "it was begun just now");
            assert_eq!(other.relay(NOW + 1, 9).await, Ok(1));
            assert_eq!(other.relay(NOW + 1, 9).await, Ok(0));
            assert_eq!((ada.balance().await, family.balance().await), (6, 4));
            assert_eq!((ada.now().await.lines, family.now().await.lines), (2, 1));
            are_balanced(&store).await;
        });
    }
}

#[test]
fn a_transfer_left_in_the_middle_is_brought_to_its_end_by_who_hands_it_in_again() {
    for (step, _) in STEPS {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
            let ada = Bank::with(&store, 10).await;
            let family = Bank::of(&store, pool("family"), 0).await;
            let sent = transfer(&ada.id, &family.id);
            killed_at(&store, step, &sent).await;
            let other = ada.refused("sent", using(1)).await;
            assert_eq!(other, LedgerRefusal::KeyReused);
            let line = store.post(&sent).await.unwrap();
            assert_eq!((line.no, line.amount), (2, credits(4)));
            assert_eq!(store.post(&sent).await, Ok(line));
            assert_eq!((ada.balance().await, family.balance().await), (6, 4));
            are_balanced(&store).await;
        });
    }
}

#[test]
fn a_relay_and_who_it_relays_bring_a_transfer_to_one_end() {
    for (step, _) in STEPS {
        runtime().block_on(async {
            let (store, lent) = opened().await;
            let ada = Bank::with(&store, 10).await;
            let family = Bank::of(&store, pool("family"), 0).await;
            let other = lent.other().await;
            store.server.interludes.once(step, move || async move {
                assert_eq!(other.relay(NOW + 1, 9).await, Ok(1));
            });
            let line = store.post(&transfer(&ada.id, &family.id)).await.unwrap();
            assert_eq!((line.no, line.balance_after), (2, credits(6)));
            assert_eq!((ada.balance().await, family.balance().await), (6, 4));
            are_balanced(&store).await;
        });
    }
}

#[test]
fn what_is_not_received_after_all_goes_back() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let family = Bank::of(&store, pool("family"), 0).await;
        killed_at(&store, Step::DebitAndCredit, &transfer(&ada.id, &family.id)).await;
        family.done("full", granting(CREDITS_MAX)).await;
        assert_eq!(store.relay(NOW + 1, 9).await, Ok(1));
        let now = ada.now().await;
        assert_eq!(
            (now.balance, now.in_transit, now.lines),
            (credits(10), credits(0), 1)
        );
        // Its key is free.
        ada.done("sent", using(1)).await;
        are_balanced(&store).await;
    });
}

#[test]
fn who_is_erased_while_something_is_on_its_way_there_does_not_get_it() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let bob = Bank::of(&store, user("bob"), 1).await;
        killed_at(&store, Step::DebitAndCredit, &transfer(&ada.id, &bob.id)).await;
        assert_eq!(store.erase_account(&bob.id, NOW).await, Ok(true));
        let sent = transfer(&ada.id, &bob.id);
        assert_eq!(store.relay(NOW + 1, 9).await, Ok(1));
        assert_eq!((ada.balance().await, bob.balance().await), (10, 0));
        // By then it is a new account of the same owner.
        assert!(store.post(&sent).await.is_ok());
        assert_eq!((ada.balance().await, bob.balance().await), (6, 4));
        are_balanced(&store).await;
    });
}

#[test]
fn who_is_erased_while_something_is_on_its_way_from_there_has_sent_it() {
    for (step, _) in STEPS {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
            let ada = Bank::with(&store, 10).await;
            let family = Bank::of(&store, pool("family"), 0).await;
            killed_at(&store, step, &transfer(&ada.id, &family.id)).await;
            assert_eq!(store.erase_account(&ada.id, NOW).await, Ok(true));
            assert_eq!(family.balance().await, 4);
            let other = family.lines(None, 1).await[0].other.clone();
            assert!(matches!(other, Some(AccountId::Erased(_))), "{other:?}");
            are_balanced(&store).await;
        });
    }
}

#[test]
fn an_erasure_left_in_the_middle_is_gone_on_with() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let (came, coming) = oneshot::channel();
        let here = Step::CloseAndForget;
        store.server.interludes.once(here, move || async move {
            came.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            answer = store.erase_account(&ada.id, NOW) => panic!("not killed: {answer:?}"),
            came = coming => came.unwrap(),
        }
        assert_eq!(ada.balance().await, 0);
        assert!(
            ada.post("a", granting(1)).await.is_err(),
            "it is being erased"
        );
        assert_eq!(store.erase_account(&ada.id, NOW).await, Ok(true));
        ada.done("a", granting(1)).await;
        assert_eq!((ada.balance().await, ada.now().await.lines), (1, 1));
        are_balanced(&store).await;
    });
}

#[test]
fn a_hint_of_nothing_is_met_once() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let reserved = ada.done("a", reserving(3)).await.posting;
        ada.done("b", releasing(reserved)).await;
        let number = store
            .server
            .raw_blobs("SELECT number FROM KS.ledger_owners")
            .await;
        for what in [0, 1] {
            let shard = i64::from(number[0][15] % 8);
            let id = PostingId(7);
            let number = crate::transfer::hex(&number[0]);
            let put = format!(
                "INSERT INTO KS.ledger_hints(what, shard, at, id, number) \
                 VALUES({what}, {shard}, {NOW}, 0x{id}, 0x{number})"
            );
            store.server.raw(&put).await;
        }
        assert_eq!(store.expire(OVER_MS, 9).await, Ok(1));
        assert_eq!(store.expire(OVER_MS, 9).await, Ok(0));
        assert_eq!(store.relay(OVER_MS, 9).await, Ok(1));
        assert_eq!(store.relay(OVER_MS, 9).await, Ok(0));
        assert_eq!(ada.balance().await, 10);
        are_balanced(&store).await;
    });
}

/// Of each the number is counted, so a change of what an order costs is seen.
#[test]
fn an_order_costs_a_look_and_a_batch() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let cost = async |order: Order| {
            let [asked, batches] = store.server.counted.statements();
            store.post(&order).await.unwrap();
            let [asked_then, batches_then] = store.server.counted.statements();
            (asked_then - asked, batches_then - batches)
        };
        // Its number, and the look.
        assert_eq!(cost(order(&ada.id, "a", using(1))).await, (2, 1));
        assert_eq!(cost(order(&ada.id, "b", reserving(1))).await, (2, 1));
        let family = Bank::of(&store, pool("family"), 1).await;
        let sent = order(&ada.id, "c", bringing(&family.id, 1));
        // Two numbers, and a look before each of the three batches and at what is under way.
        assert_eq!(cost(sent).await, (6, 3));
    });
}

#[test]
fn a_call_that_is_given_up_holds_nobody_up() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let given_up = store.post(&order(&ada.id, "a", using(1))).now_or_never();
        assert!(given_up.is_none());
        ada.done("b", using(1)).await;
        are_balanced(&store).await;
    });
}
