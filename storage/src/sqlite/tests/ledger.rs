//! What the ledger's statements walk, what an erasure leaves in the file, and what an audit finds.

use rusqlite::Connection;

use super::{FILE, opened, runtime};
use crate::LedgerStore;
use crate::conformance::ledger::bank::{
    Bank, audited, bringing, credits, granting, order, pool, user, using,
};
use crate::conformance::space::NOW;
use crate::ledger::{About, DriftOf, LINES_MAX, Order};
use crate::sqlite::ledger::rows;

fn plan(conn: &Connection, sql: &str) -> String {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = statement.parameter_count();
    let none = std::iter::repeat_n(rusqlite::types::Null, count);
    let steps = statement.query_map(rusqlite::params_from_iter(none), |row| row.get(3));
    let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
    steps.join("; ")
}

#[test]
fn what_is_asked_of_the_ledger_is_found_by_an_index() {
    let opened = opened();
    let conn = opened.raw();
    let asked = [
        (rows::LINES, "PRIMARY KEY (account=? AND no<?)"),
        (rows::USED, "ledger_lines_posting (account=? AND posting=?)"),
        (
            rows::REFUNDED,
            "ledger_lines_of (account=? AND of_posting=?",
        ),
        (rows::OVER, "ledger_reservations_over (expires_at<?)"),
    ];
    for (sql, index) in asked {
        let plan = plan(&conn, sql);
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
    }
}

#[test]
fn what_was_told_of_orders_is_not_found_in_the_file_once_an_account_is_erased() {
    let opened = opened();
    runtime().block_on(async {
        let ada = Bank::of(&opened.store, user("ada of nowhere"), 5).await;
        let about = About::new(None, "a secret errand".to_owned(), None).unwrap();
        let told = Order {
            about,
            ..order(&ada.id, "a key of hers", using(1))
        };
        opened.store.post(&told).await.unwrap();
        ada.done("sent", bringing(&pool("family"), 1)).await;
        assert_eq!(opened.store.erase_account(&ada.id, NOW).await, Ok(true));
    });
    let all = std::fs::read_dir(opened.dir.path()).unwrap();
    for file in all {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for text in ["a secret errand", "a key of hers", "ada of nowhere"] {
            let is_there = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(!is_there, "{text:?} is in {}", path.display());
        }
    }
    assert!(opened.dir.path().join(FILE).exists());
}

#[test]
fn an_audit_finds_a_balance_that_no_line_has_made() {
    let opened = opened();
    runtime().block_on(async {
        let ada = Bank::with(&opened.store, 5).await;
        Bank::of(&opened.store, user("bob"), 5).await;
        let raise = "UPDATE ledger_accounts SET balance = balance + 1 WHERE name = 'user:ada'";
        opened.raw().execute(raise, []).unwrap();
        let books = audited(&opened.store, 1).await;
        assert_eq!((books.drifted, books.sum()), (1, 1));
        let drift = &books.drifts[0];
        assert_eq!((&drift.account, drift.of), (&ada.id, DriftOf::Balance));
        assert_eq!((drift.stored, drift.summed), (6, 5));
    });
}

#[test]
fn no_balance_below_0_can_be_written() {
    let opened = opened();
    runtime().block_on(async {
        let ada = Bank::with(&opened.store, 5).await;
        let lower = "UPDATE ledger_accounts SET balance = -1";
        assert!(opened.raw().execute(lower, []).is_err());
        assert_eq!(ada.now().await.balance, credits(5));
        ada.done("more", granting(1)).await;
    });
}

#[test]
fn no_more_lines_are_told_at_once_than_500() {
    let opened = opened();
    runtime().block_on(async {
        let ada = Bank::with(&opened.store, 1_000).await;
        for n in 0..LINES_MAX {
            ada.done(&format!("{n}"), using(1)).await;
        }
        let newest = ada.lines(None, LINES_MAX + 1).await;
        assert_eq!((newest.len(), newest[0].no), (500, 501));
        assert_eq!(ada.lines(Some(2), LINES_MAX).await.len(), 1);
    });
}
