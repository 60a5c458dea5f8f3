//! An order that is all in its account's partition.

use super::hints::{self, Errand, Hint};
use super::partition::{Becomes, Change, Tries, look};
use super::row::{Found, Known, NewRow, Place, Row, kind, of_key, of_posting};
use super::{owners, read, transfer};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::Server;
use crate::ledger::{
    AccountId, Credits, Decided, LedgerRefusal, Line, LineKind, Operation, Order, PostingId,
    Reservation, ReservationState, Seen, Spent, decide,
};
use crate::types::StoreError;

/// What becomes of an order.
pub(super) type Answer = Result<Line, LedgerRefusal>;

/// [`crate::LedgerStore::post`].
pub(super) async fn post(server: &Server, order: &Order) -> Result<Answer, Failure> {
    if matches!(order.account, AccountId::Erased(_)) {
        return Ok(Err(LedgerRefusal::NoSuchAccount));
    }
    let number = owners::find_or_give(server, &order.account).await?;
    match &order.operation {
        Operation::Transfer { to, amount } => {
            transfer::post(server, (number, order), (to, *amount)).await
        }
        _ => inside(server, number, order).await,
    }
}

/// What is there of an order before it is done.
pub(super) enum There {
    Key(Known),
    Reserved(Reservation),
    Spent(Spent),
}

pub(super) fn there(kind: i8, row: &Row<'_, '_>) -> Result<Option<There>, StoreError> {
    Ok(match kind {
        kind::KEY => Some(There::Key(row.known()?)),
        kind::RESERVED => Some(There::Reserved(row.reservation()?)),
        kind::USED => Some(There::Spent(row.spent()?)),
        _ => None,
    })
}

/// Where an order is looked for, and what it names.
fn places(order: &Order) -> Vec<Place> {
    let mut places = vec![of_key(&order.key)];
    match order.operation {
        Operation::Refund { of, .. } => places.push(of_posting(kind::USED, of)),
        Operation::Settle { reservation, .. } | Operation::Release { reservation } => {
            places.push(of_posting(kind::RESERVED, reservation));
        }
        Operation::Grant { .. }
        | Operation::Use { .. }
        | Operation::Lapse { .. }
        | Operation::Reserve { .. }
        | Operation::Transfer { .. } => {}
    }
    places
}

async fn inside(server: &Server, number: u128, order: &Order) -> Result<Answer, Failure> {
    let mut tries = Tries::of(server, number).await;
    loop {
        tries.next().await?;
        let (found, all) = look(server, (number, places(order)), there).await?;
        is_open(&found)?;
        let mut seen = Seen {
            account: found.account,
            ..Seen::default()
        };
        let mut known = None;
        for one in all {
            match one {
                There::Key(key) => known = Some(key),
                There::Reserved(reservation) => seen.reservation = Some(reservation),
                There::Spent(spent) => seen.spent = Some(spent),
            }
        }
        if let Some(known) = known {
            return answer(server, number, (&known, order)).await;
        }
        // New ones each time: what was hinted at before must not be taken for what is written now.
        let ids = [PostingId::random()?, PostingId::random()?];
        let decided = match decide(&seen, order, ids) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let opens = opened(number, &decided);
        if let Some(hint) = opens {
            hints::put(server, Errand::RunOut, hint).await?;
        }
        let becomes = Becomes {
            account: decided.account,
            owner: Some(order.account.stored()),
            is_closed: false,
        };
        let mut change = Change::of(number, &found, &becomes)?;
        change.put_decided(&decided, None);
        let line = decided.line();
        let key = (&order.key, order.hash().to_vec());
        change.put(NewRow::key(key, line.posting, Some(line.no)));
        if let (Operation::Refund { of, amount }, Some(spent)) = (&order.operation, seen.spent) {
            change.put(refunded((*of, *amount), spent));
        }
        if change.write(server).await? {
            if let (None, Some(hint)) = (opens, hint_of(number, &decided)) {
                hints::remove(server, Errand::RunOut, hint).await;
            }
            return Ok(Ok(line.clone()));
        }
    }
}

fn refunded((of, amount): (PostingId, Credits), spent: Spent) -> NewRow {
    let all = spent.refunded.plus(amount);
    let all = all.expect("no more is refunded than was used");
    debug_assert_ne!(spent.kind, LineKind::Refunded);
    NewRow::spent(of, (spent.kind, spent.amount), all)
}

/// The hint of a reservation that is made or has ended.
pub(super) fn hint_of(number: u128, decided: &Decided) -> Option<Hint> {
    decided.reservation.map(|reservation| Hint {
        at_ms: reservation.expires_at_ms,
        posting: reservation.posting,
        number,
    })
}

/// That of one that is made.
fn opened(number: u128, decided: &Decided) -> Option<Hint> {
    let is_new = decided
        .reservation
        .is_some_and(|one| one.state == ReservationState::Open);
    hint_of(number, decided).filter(|_| is_new)
}

/// An account that is being erased takes no orders. Once that is done its owner has another one.
pub(super) fn is_open(found: &Found) -> Result<(), StoreError> {
    match found.is_closed {
        true => Err(StoreError::Unavailable(
            "the account is being erased".to_owned(),
        )),
        false => Ok(()),
    }
}

/// What became of an order whose key is there. One whose transfer is under way has no line yet.
pub(super) async fn answer(
    server: &Server,
    number: u128,
    (known, order): (&Known, &Order),
) -> Result<Answer, Failure> {
    if known.hash != order.hash() {
        return Ok(Err(LedgerRefusal::KeyReused));
    }
    match known.line {
        Some(no) => Ok(Ok(read::line(server, number, no).await?)),
        None => Err(StoreError::Damaged("an order without a line".to_owned()).into()),
    }
}
