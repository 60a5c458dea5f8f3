//! How engines of rows store what the ledger's types say.

use super::{Account, Credits, LineKind, PostingId, ReservationState};
use crate::types::StoreError;

/// Numbers of an account.
pub(crate) const ACCOUNT_NUMBERS: usize = 10;

/// An account's numbers, in the order of its fields: lines, balance, reserved, in transit, granted,
/// purchased, received, consumed, expired, sent.
pub(crate) fn numbers_of(account: &Account) -> [i64; ACCOUNT_NUMBERS] {
    let credits = |credits: Credits| credits.get() as i64;
    [
        account.lines as i64,
        credits(account.balance),
        credits(account.reserved),
        credits(account.in_transit),
        credits(account.granted),
        credits(account.purchased),
        credits(account.received),
        credits(account.consumed),
        credits(account.expired),
        credits(account.sent),
    ]
}

/// What they say.
pub(crate) fn account_of(numbers: [i64; ACCOUNT_NUMBERS]) -> Result<Account, StoreError> {
    let [lines, held @ ..] = numbers;
    let mut credits = [Credits::ZERO; ACCOUNT_NUMBERS - 1];
    for (credits, stored) in credits.iter_mut().zip(held) {
        *credits = credits_of(stored)?;
    }
    let [
        balance,
        reserved,
        in_transit,
        granted,
        purchased,
        received,
        consumed,
        expired,
        sent,
    ] = credits;
    Ok(Account {
        lines: lines as u64,
        balance,
        reserved,
        in_transit,
        granted,
        purchased,
        received,
        consumed,
        expired,
        sent,
    })
}

/// An amount.
pub(crate) fn credits_of(stored: i64) -> Result<Credits, StoreError> {
    let credits = u64::try_from(stored).ok().and_then(Credits::new);
    credits.ok_or_else(|| StoreError::Damaged(format!("an amount of {stored} credits")))
}

/// `kind` of a line: never given to another.
pub(crate) fn code_of(kind: LineKind) -> i64 {
    match kind {
        LineKind::Granted => 0,
        LineKind::Purchased => 1,
        LineKind::Used => 2,
        LineKind::Lapsed => 3,
        LineKind::Refunded => 4,
        LineKind::Reserved => 5,
        LineKind::Settled => 6,
        LineKind::Released => 7,
        LineKind::RanOut => 8,
        LineKind::Sent => 9,
        LineKind::Received => 10,
    }
}

/// What it says.
pub(crate) fn kind_of(code: i64) -> Result<LineKind, StoreError> {
    let found = LineKind::ALL
        .into_iter()
        .find(|kind| code_of(*kind) == code);
    found.ok_or_else(|| StoreError::Damaged(format!("a line of the kind {code}")))
}

/// `state` of a reservation.
pub(crate) fn state_code(state: ReservationState) -> i64 {
    match state {
        ReservationState::Open => 0,
        ReservationState::Settled => 1,
        ReservationState::Released => 2,
        ReservationState::RanOut => 3,
    }
}

/// What it says.
pub(crate) fn state_of(code: i64) -> Result<ReservationState, StoreError> {
    match code {
        0 => Ok(ReservationState::Open),
        1 => Ok(ReservationState::Settled),
        2 => Ok(ReservationState::Released),
        3 => Ok(ReservationState::RanOut),
        _ => Err(StoreError::Damaged(format!(
            "a reservation in the state {code}"
        ))),
    }
}

/// A posting from its 16 bytes.
pub(crate) fn posting_of(bytes: &[u8]) -> Result<PostingId, StoreError> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| StoreError::Damaged("a posting's id has no 16 bytes".into()))?;
    Ok(PostingId(u128::from_be_bytes(bytes)))
}
