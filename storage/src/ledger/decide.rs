//! What an order does, decided by what was seen of its account. No IO, no clock, no randomness: every
//! engine hands in what it has read, and writes what comes out, in one transaction.

use syncline_protocol::stamp::WallMs;

use super::{
    About, Account, AccountId, Credits, LedgerRefusal, Line, LineKind, Operation, Order, PostingId,
    Reservation, ReservationState, Source,
};

/// What is seen of an account before an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The account.
    pub(crate) account: Account,
    /// The reservation that the order names, if there is one.
    pub(crate) reservation: Option<Reservation>,
    /// The use that the order names, if there is one.
    pub(crate) spent: Option<Spent>,
}

/// A use, and what was given back of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    /// What its line says.
    pub(crate) kind: LineKind,
    /// How much was used.
    pub(crate) amount: Credits,
    /// How much of it was given back.
    pub(crate) refunded: Credits,
}

/// What is to be written of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The account as it is then.
    pub(crate) account: Account,
    /// Its new lines. The last one is the order's.
    pub(crate) lines: Vec<Line>,
    /// A reservation that is new or has ended, as it is then.
    pub(crate) reservation: Option<Reservation>,
}

impl Decided {
    /// The order's line.
    pub(crate) fn line(&self) -> &Line {
        self.lines.last().expect("there is one at least")
    }
}

/// An account's lines as they come one after the other.
struct Writing {
    account: Account,
    lines: Vec<Line>,
    at_ms: WallMs,
}

impl Writing {
    fn line(
        &mut self,
        (posting, kind, amount): (PostingId, LineKind, Credits),
        of: Option<PostingId>,
    ) -> Result<&mut Line, LedgerRefusal> {
        self.account = self.account.after(kind, amount)?;
        self.lines.push(Line {
            no: self.account.lines,
            posting,
            kind,
            amount,
            balance_after: self.account.balance,
            at_ms: self.at_ms,
            of,
            other: None,
            about: About::default(),
        });
        Ok(self.lines.last_mut().expect("it was pushed"))
    }

    fn decided(self, reservation: Option<Reservation>) -> Decided {
        Decided {
            account: self.account,
            lines: self.lines,
            reservation,
        }
    }
}

/// What an order does. `ids` are random: of its own line, and of another one that it may need.
pub(crate) fn decide(
    seen: &Seen,
    order: &Order,
    [id, other_id]: [PostingId; 2],
) -> Result<Decided, LedgerRefusal> {
    if matches!(order.account, AccountId::Erased(_)) {
        return Err(LedgerRefusal::NoSuchAccount);
    }
    let mut writing = Writing {
        account: seen.account,
        lines: Vec::new(),
        at_ms: order.at_ms,
    };
    let mut reservation = None;
    let line = match &order.operation {
        Operation::Grant { amount, source } => {
            let kind = match source {
                Source::Granted => LineKind::Granted,
                Source::Purchased => LineKind::Purchased,
            };
            writing.line((id, kind, *amount), None)?
        }
        Operation::Use { amount } => writing.line((id, LineKind::Used, *amount), None)?,
        Operation::Lapse { amount } => writing.line((id, LineKind::Lapsed, *amount), None)?,
        Operation::Refund { of, amount } => {
            refundable(seen.spent, *amount)?;
            writing.line((id, LineKind::Refunded, *amount), Some(*of))?
        }
        Operation::Reserve {
            amount,
            expires_at_ms,
        } => {
            reservation = Some(Reservation {
                posting: id,
                amount: *amount,
                expires_at_ms: *expires_at_ms,
                state: ReservationState::Open,
            });
            writing.line((id, LineKind::Reserved, *amount), None)?
        }
        Operation::Settle { amount, .. } => {
            let open = open(seen.reservation)?;
            let reserved = open.amount;
            let rest = reserved.minus(*amount);
            let rest = rest.ok_or(LedgerRefusal::SettleTooLarge { reserved })?;
            if rest != Credits::ZERO {
                let released = (other_id, LineKind::Released, rest);
                writing.line(released, Some(open.posting))?;
            }
            reservation = Some(ended(open, ReservationState::Settled));
            writing.line((id, LineKind::Settled, *amount), Some(open.posting))?
        }
        Operation::Release { .. } => {
            let open = open(seen.reservation)?;
            reservation = Some(ended(open, ReservationState::Released));
            writing.line((id, LineKind::Released, open.amount), Some(open.posting))?
        }
        Operation::Transfer { to, amount } => {
            may_receive(&order.account, to)?;
            let line = writing.line((id, LineKind::Sent, *amount), None)?;
            line.other = Some(to.clone());
            line
        }
    };
    line.about = order.about.clone();
    Ok(writing.decided(reservation))
}

/// What a transfer does to its receiver: it says no more of it than from whom it is.
pub(crate) fn receive(
    account: Account,
    (from, posting): (&AccountId, PostingId),
    (amount, at_ms): (Credits, WallMs),
) -> Result<Decided, LedgerRefusal> {
    let mut writing = Writing {
        account,
        lines: Vec::new(),
        at_ms,
    };
    let line = writing.line((posting, LineKind::Received, amount), None)?;
    line.other = Some(from.clone());
    Ok(writing.decided(None))
}

/// What a transfer does to its sender once its receiver has it.
pub(crate) fn send(
    account: Account,
    (posting, amount, at_ms): (PostingId, Credits, WallMs),
    (to, about): (AccountId, About),
) -> Decided {
    let mut writing = Writing {
        account,
        lines: Vec::new(),
        at_ms,
    };
    let line = writing.line((posting, LineKind::Sent, amount), None);
    let line = line.expect("it is there until it is sent");
    (line.other, line.about) = (Some(to), about);
    writing.decided(None)
}

/// What is done about a reservation whose time is over; `None` if it has ended before.
pub(crate) fn run_out(
    account: Account,
    reservation: Reservation,
    (id, at_ms): (PostingId, WallMs),
) -> Option<Decided> {
    let open = open(Some(reservation)).ok()?;
    let mut writing = Writing {
        account,
        lines: Vec::new(),
        at_ms,
    };
    let line = (id, LineKind::RanOut, open.amount);
    writing.line(line, Some(open.posting)).ok()?;
    Some(writing.decided(Some(ended(open, ReservationState::RanOut))))
}

/// What is done about all that is left of an account that ends; `None` if nothing is.
pub(crate) fn lapse(account: Account, (id, at_ms): (PostingId, WallMs)) -> Option<Decided> {
    let mut writing = Writing {
        account,
        lines: Vec::new(),
        at_ms,
    };
    let line = (id, LineKind::Lapsed, account.balance);
    writing.line(line, None).ok()?;
    Some(writing.decided(None))
}

/// Whether something may be transferred so.
pub(crate) fn may_receive(from: &AccountId, to: &AccountId) -> Result<(), LedgerRefusal> {
    match to {
        AccountId::Erased(_) => Err(LedgerRefusal::NoSuchAccount),
        _ if from == to => Err(LedgerRefusal::NoSuchAccount),
        _ => Ok(()),
    }
}

fn refundable(spent: Option<Spent>, amount: Credits) -> Result<(), LedgerRefusal> {
    let spent = spent.filter(|spent| matches!(spent.kind, LineKind::Used | LineKind::Settled));
    let spent = spent.ok_or(LedgerRefusal::NoSuchUse)?;
    let left = spent.amount.minus(spent.refunded);
    let left = left.expect("no more was refunded than used");
    match amount > left {
        true => Err(LedgerRefusal::RefundTooLarge { left }),
        false => Ok(()),
    }
}

fn open(reservation: Option<Reservation>) -> Result<Reservation, LedgerRefusal> {
    let reservation = reservation.ok_or(LedgerRefusal::NoSuchReservation)?;
    match reservation.state {
        ReservationState::Open => Ok(reservation),
        over => Err(LedgerRefusal::ReservationOver(over)),
    }
}

fn ended(reservation: Reservation, state: ReservationState) -> Reservation {
    Reservation {
        state,
        ..reservation
    }
}

#[cfg(test)]
mod tests;
