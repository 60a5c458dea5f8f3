//! What is lost of orders when answers are: nothing.

use super::{block_on, sqlite};
use crate::conformance::ledger::bank::{Bank, are_balanced, granting, using};
use crate::faulty::{Fault, FaultyStore, Operation};
use crate::ledger::LedgerError;
use crate::types::StoreError;

#[test]
fn an_order_whose_answer_is_lost_is_done_once() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let ada = Bank::with(&store, 10).await;
        store.script(Operation::Post, Some(Fault::AnswerLost));
        let lost = ada.post("a", using(3)).await;
        assert!(matches!(
            lost,
            Err(LedgerError::Store(StoreError::Unavailable(_)))
        ));
        assert_eq!(ada.balance().await, 7);
        ada.done("a", using(3)).await;
        assert_eq!(ada.balance().await, 7);
        are_balanced(&store).await;
    });
}

#[test]
fn an_order_that_was_refused_by_a_fault_is_not_done() {
    let (inner, _dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    block_on(async {
        let ada = Bank::with(&store, 10).await;
        store.script(Operation::Post, Some(Fault::Refused));
        assert!(ada.post("a", granting(3)).await.is_err());
        assert_eq!(ada.balance().await, 10);
    });
}
