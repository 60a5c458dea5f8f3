//! What is set aside, and how that ends.

use super::bank::{
    Bank, OVER_MS, are_balanced, credits, refunding, releasing, reserving, settling, user, using,
};
use crate::LedgerStore;
use crate::ledger::{LedgerRefusal, LineKind, Operation, PostingId, Reservation, ReservationState};

async fn state(bank: &Bank<'_>, posting: PostingId) -> Option<ReservationState> {
    let found = bank.ledger.reservation(&bank.id, posting).await;
    found.expect("it answers").map(|found| found.state)
}

pub async fn what_is_reserved_cannot_be_used(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let line = bank.done("a", reserving(6)).await;
    let now = bank.now().await;
    assert_eq!(
        (line.kind, now.balance, now.reserved),
        (LineKind::Reserved, credits(4), credits(6))
    );
    let balance = credits(4);
    assert_eq!(
        bank.refused("b", using(5)).await,
        LedgerRefusal::Short { balance }
    );
    let found = ledger.reservation(&bank.id, line.posting).await;
    let expected = Reservation {
        posting: line.posting,
        amount: credits(6),
        expires_at_ms: OVER_MS,
        state: ReservationState::Open,
    };
    assert_eq!(found, Ok(Some(expected)));
    are_balanced(ledger).await;
}

pub async fn what_was_reserved_is_used(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    let line = bank.done("b", settling(reserved, 6)).await;
    assert_eq!((line.kind, line.of), (LineKind::Settled, Some(reserved)));
    let now = bank.now().await;
    assert_eq!(
        (now.balance, now.reserved, now.consumed),
        (credits(4), credits(0), credits(6))
    );
    assert_eq!(
        state(&bank, reserved).await,
        Some(ReservationState::Settled)
    );
    are_balanced(ledger).await;
}

pub async fn what_is_not_used_of_a_reservation_goes_back(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    let line = bank.done("b", settling(reserved, 2)).await;
    let now = bank.now().await;
    assert_eq!(
        (now.balance, now.reserved, now.consumed),
        (credits(8), credits(0), credits(2))
    );
    assert_eq!(line.balance_after, credits(8));
    let lines = bank.lines(None, 2).await;
    assert_eq!(lines[0], line);
    assert_eq!(
        (lines[1].kind, lines[1].amount),
        (LineKind::Released, credits(4))
    );
    assert_eq!(bank.done("b", settling(reserved, 2)).await, line);
    are_balanced(ledger).await;
}

pub async fn no_more_is_settled_than_reserved(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let posting = bank.done("a", reserving(6)).await.posting;
    let refused = bank.refused("b", settling(posting, 7)).await;
    let reserved = credits(6);
    assert_eq!(refused, LedgerRefusal::SettleTooLarge { reserved });
    assert_eq!(
        bank.refused("b", settling(posting, 0)).await,
        LedgerRefusal::Nothing
    );
    assert_eq!(bank.now().await.reserved, credits(6));
}

pub async fn a_released_reservation_goes_back(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    bank.done("b", releasing(reserved)).await;
    let now = bank.now().await;
    assert_eq!(
        (now.balance, now.reserved, now.consumed),
        (credits(10), credits(0), credits(0))
    );
    assert_eq!(
        state(&bank, reserved).await,
        Some(ReservationState::Released)
    );
    are_balanced(ledger).await;
}

pub async fn a_reservation_that_has_ended_ends_no_more(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    let line = bank.done("b", releasing(reserved)).await;
    let over = LedgerRefusal::ReservationOver(ReservationState::Released);
    assert_eq!(bank.refused("c", settling(reserved, 1)).await, over);
    assert_eq!(bank.refused("d", releasing(reserved)).await, over);
    assert_eq!(bank.done("b", releasing(reserved)).await, line);
    assert_eq!(bank.balance().await, 10);
}

pub async fn only_what_was_reserved_is_settled(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let none = LedgerRefusal::NoSuchReservation;
    let used = bank.done("a", using(1)).await.posting;
    for posting in [used, PostingId(7)] {
        assert_eq!(bank.refused("b", settling(posting, 1)).await, none);
        assert_eq!(bank.refused("b", releasing(posting)).await, none);
    }
    let other = Bank::of(ledger, user("bob"), 5).await;
    let reserved = other.done("a", reserving(5)).await.posting;
    assert_eq!(bank.refused("b", releasing(reserved)).await, none);
    assert_eq!(state(&bank, reserved).await, None);
}

pub async fn a_settled_use_is_refunded(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    let settled = bank.done("b", settling(reserved, 5)).await.posting;
    bank.done("c", refunding(settled, 5)).await;
    let refused = bank.refused("d", refunding(reserved, 1)).await;
    assert_eq!(refused, LedgerRefusal::NoSuchUse);
    assert_eq!(bank.balance().await, 10);
}

pub async fn a_reservation_runs_out(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(6)).await.posting;
    assert_eq!(ledger.expire(OVER_MS - 1, 9).await, Ok(0));
    assert_eq!(bank.balance().await, 4);
    assert_eq!(ledger.expire(OVER_MS, 9).await, Ok(1));
    assert_eq!(ledger.expire(OVER_MS, 9).await, Ok(0));
    assert_eq!(
        (bank.balance().await, bank.now().await.reserved),
        (10, credits(0))
    );
    assert_eq!(state(&bank, reserved).await, Some(ReservationState::RanOut));
    let line = &bank.lines(None, 1).await[0];
    assert_eq!(
        (line.kind, line.of, line.at_ms),
        (LineKind::RanOut, Some(reserved), OVER_MS)
    );
    let over = LedgerRefusal::ReservationOver(ReservationState::RanOut);
    assert_eq!(bank.refused("b", settling(reserved, 6)).await, over);
    are_balanced(ledger).await;
}

pub async fn what_has_ended_does_not_run_out(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let reserved = bank.done("a", reserving(3)).await.posting;
    bank.done("b", settling(reserved, 3)).await;
    let reserved = bank.done("c", reserving(3)).await.posting;
    bank.done("d", releasing(reserved)).await;
    assert_eq!(ledger.expire(OVER_MS, 9).await, Ok(0));
    assert_eq!(bank.balance().await, 7);
}

/// Its time only says when it may be taken away.
pub async fn what_is_over_and_has_not_run_out_is_settled(ledger: &dyn LedgerStore) {
    let bank = Bank::with(ledger, 10).await;
    let early = Operation::Reserve {
        amount: credits(3),
        expires_at_ms: 1,
    };
    let reserved = bank.done("a", early).await.posting;
    bank.done("b", settling(reserved, 3)).await;
    assert_eq!(bank.now().await.consumed, credits(3));
}

pub async fn reservations_run_out_the_longest_over_first(ledger: &dyn LedgerStore) {
    let ada = Bank::with(ledger, 10).await;
    let bob = Bank::of(ledger, user("bob"), 10).await;
    let until = |expires_at_ms| Operation::Reserve {
        amount: credits(1),
        expires_at_ms,
    };
    ada.done("a", until(OVER_MS - 10)).await;
    bob.done("a", until(OVER_MS - 30)).await;
    ada.done("b", until(OVER_MS - 20)).await;
    let mut back = Vec::new();
    for _ in 0..3 {
        assert_eq!(ledger.expire(OVER_MS, 1).await, Ok(1));
        back.push((
            ada.now().await.reserved.get(),
            bob.now().await.reserved.get(),
        ));
    }
    assert_eq!(back, [(2, 0), (1, 0), (0, 0)]);
    assert_eq!(ledger.expire(OVER_MS, 1).await, Ok(0));
}
