//! What was written, page by page.

use super::bank::{Bank, using};
use crate::LedgerStore;

pub async fn lines_are_told_newest_first(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let mut written = bank.lines(None, 9).await;
    for key in ["a", "b", "c"] {
        written.insert(0, bank.done(key, using(1)).await);
    }
    assert_eq!(bank.lines(None, 9).await, written);
    assert_eq!(bank.lines(None, 2).await, written[..2]);
    assert_eq!(bank.lines(Some(3), 9).await, written[2..]);
    assert_eq!(bank.lines(Some(1), 9).await, []);
    assert_eq!(bank.lines(None, 0).await, []);
}

pub async fn lines_have_numbers_without_a_gap(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 3).await;
    for n in 0..6 {
        let told = bank.post(&format!("{n}"), using(1)).await;
        assert_eq!(told.is_ok(), n < 3);
    }
    let numbers: Vec<u64> = bank
        .lines(None, 9)
        .await
        .iter()
        .map(|line| line.no)
        .collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
}

pub async fn pages_are_all_lines_whatever_is_written_meanwhile(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 100).await;
    for n in 0..8 {
        bank.done(&format!("{n}"), using(1)).await;
    }
    let all = bank.lines(None, 100).await;
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = bank.lines(before, 2).await;
        let Some(last) = page.last() else { break };
        before = Some(last.no);
        pages.extend(page);
        bank.done(&format!("after {}", pages.len()), using(1)).await;
    }
    assert_eq!(pages, all);
}
