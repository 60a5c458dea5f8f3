//! Who waits for whom, and what an order reads.

use tokio_postgres::Client;

use super::costs::{analyze, rows_read_by};
use super::{opened, runtime};
use crate::LedgerStore;
use crate::conformance::ledger::bank::{
    Bank, audited, bringing, granting, order, pool, refunding, user, using,
};
use crate::ledger::{DriftOf, PostingId};
use crate::postgres::PostgresStore;
use crate::postgres::call::Call;
use crate::postgres::ledger::Post;

async fn post(store: &PostgresStore, order: &crate::ledger::Order) {
    let lent = store.calling.lend().await.unwrap();
    let ids = [PostingId::random().unwrap(), PostingId::random().unwrap()];
    let answer = Post { order, ids }.run(&lent.connection).await;
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
    lent.give_back();
}

async fn hold(raw: &Client, name: &str) {
    let lock =
        format!("BEGIN; SELECT FROM syncline.ledger_accounts WHERE name = '{name}' FOR UPDATE");
    raw.batch_execute(&lock).await.unwrap();
}

/// Every order gives to a system account or takes from one, and none of them is a row.
#[test]
fn who_holds_an_account_keeps_nobody_of_another_waiting() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let ada = Bank::with(&store, 10).await;
        let bob = Bank::of(&store, user("bob"), 10).await;
        let raw = database.raw().await;
        hold(&raw, "user:ada").await;
        let used = bob.done("used", using(3)).await.posting;
        bob.done("back", refunding(used, 1)).await;
        bob.done("sent", bringing(&pool("family"), 1)).await;
        Bank::of(&store, user("eve"), 10).await;
        // One of the held account does wait.
        let waiting = ada.post("a", using(1));
        let release = async { raw.batch_execute("ROLLBACK").await.unwrap() };
        let (line, ()) = tokio::join!(waiting, release);
        assert!(line.is_ok(), "{line:?}");
    });
}

#[test]
fn an_order_reads_the_same_however_much_there_is() {
    runtime().block_on(async {
        let (store, _database) = opened().await;
        let mut reads = Vec::new();
        for (name, lines) in [("ada", 3), ("bob", 400)] {
            let bank = Bank::of(&store, user(name), 1_000).await;
            let used = bank.done("used", using(5)).await.posting;
            for n in 0..lines {
                bank.done(&format!("{n}"), using(1)).await;
            }
            for n in 0..lines {
                Bank::of(&store, user(&format!("{name} {n}")), 1).await;
            }
            for counted in ["never", "just now"] {
                if counted == "just now" {
                    analyze(&store).await;
                }
                let key = format!("last, counted {counted}");
                let orders = [
                    order(&bank.id, &format!("{key} 1"), using(1)),
                    order(&bank.id, &format!("{key} 2"), refunding(used, 1)),
                    order(&bank.id, &format!("{key} 3"), bringing(&pool("family"), 1)),
                ];
                let lent = store.calling.lend().await.unwrap();
                let connection = &lent.connection;
                let tables = ["ledger_accounts", "ledger_lines", "ledger_keys"];
                for order in &orders {
                    let ids = [PostingId::random().unwrap(), PostingId::random().unwrap()];
                    let post = Post { order, ids };
                    let posting = async || {
                        let answer = post.run(connection).await;
                        assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
                    };
                    reads.push(rows_read_by(connection, &tables, posting).await);
                }
                lent.give_back();
            }
        }
        assert!(reads.iter().all(|read| *read <= 20), "{reads:?}");
    });
}

#[test]
fn an_audit_finds_a_line_that_is_gone() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let ada = Bank::with(&store, 5).await;
        post(&store, &order(&ada.id, "more", granting(2))).await;
        let raw = database.raw().await;
        let lose = "DELETE FROM syncline.ledger_lines WHERE no = 2";
        assert_eq!(raw.execute(lose, &[]).await.unwrap(), 1);
        let books = audited(&store, 9).await;
        let drifted: Vec<_> = books.drifts.iter().map(|drift| drift.of).collect();
        assert_eq!(
            drifted,
            [DriftOf::Lines, DriftOf::Balance, DriftOf::Granted]
        );
        assert_eq!(store.account(&ada.id).await.unwrap().balance.get(), 7);
    });
}
