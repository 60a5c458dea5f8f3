//! What an account is made of, and what one line does to it.

use super::{Credits, LedgerRefusal, LineKind};

/// An account as its lines have made it. What came in is `granted + purchased + received`, what went is
/// `consumed + expired + sent`, and the rest is `balance + reserved + in_transit`. All that ever came in,
/// altogether, is at most [`super::CREDITS_MAX`], so nothing in it is ever more, and what goes back into
/// the balance always fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Lines there are; the last one's number.
    pub lines: u64,
    /// What can be used.
    pub balance: Credits,
    /// What is set aside.
    pub reserved: Credits,
    /// What has left the balance for another account and has no line yet: only where a transfer takes
    /// more than one transaction.
    pub in_transit: Credits,
    /// What came for nothing.
    pub granted: Credits,
    /// What came and was paid for.
    pub purchased: Credits,
    /// What came from other accounts.
    pub received: Credits,
    /// What was used, without what was given back of it.
    pub consumed: Credits,
    /// What ended unused.
    pub expired: Credits,
    /// What went to other accounts.
    pub sent: Credits,
}

impl Account {
    /// All that came in.
    pub fn earned(&self) -> Credits {
        sum([self.granted, self.purchased, self.received])
    }

    /// All that went.
    pub fn spent(&self) -> Credits {
        sum([self.consumed, self.expired, self.sent])
    }

    /// The account after a line. Refused: [`LedgerRefusal::Short`], [`LedgerRefusal::Full`],
    /// [`LedgerRefusal::Nothing`]. What is reserved, and what was consumed, must be as much as goes from
    /// there.
    pub(super) fn after(
        mut self,
        kind: LineKind,
        amount: Credits,
    ) -> Result<Account, LedgerRefusal> {
        if amount == Credits::ZERO {
            return Err(LedgerRefusal::Nothing);
        }
        match kind {
            LineKind::Granted => come(&mut self.granted, amount)?,
            LineKind::Purchased => come(&mut self.purchased, amount)?,
            LineKind::Received => come(&mut self.received, amount)?,
            LineKind::Used | LineKind::Lapsed | LineKind::Reserved | LineKind::Sent => {
                self.leave(amount)?;
            }
            LineKind::Refunded => go(&mut self.consumed, amount),
            LineKind::Settled | LineKind::Released | LineKind::RanOut => {
                go(&mut self.reserved, amount);
            }
        }
        let to = match kind {
            LineKind::Used | LineKind::Settled => &mut self.consumed,
            LineKind::Lapsed => &mut self.expired,
            LineKind::Reserved => &mut self.reserved,
            LineKind::Sent => &mut self.sent,
            LineKind::Granted
            | LineKind::Purchased
            | LineKind::Received
            | LineKind::Refunded
            | LineKind::Released
            | LineKind::RanOut => &mut self.balance,
        };
        come(to, amount)?;
        self.lines += 1;
        self.checked()
    }

    /// The account once a transfer has left its balance and is not at its receiver's.
    pub(crate) fn departed(mut self, amount: Credits) -> Result<Account, LedgerRefusal> {
        if amount == Credits::ZERO {
            return Err(LedgerRefusal::Nothing);
        }
        self.leave(amount)?;
        come(&mut self.in_transit, amount)?;
        self.checked()
    }

    /// The account once such a transfer could not be received.
    pub(crate) fn turned_back(mut self, amount: Credits) -> Account {
        go(&mut self.in_transit, amount);
        let back = self.balance.plus(amount);
        self.balance = back.expect("it was there before");
        self
    }

    fn leave(&mut self, amount: Credits) -> Result<(), LedgerRefusal> {
        let balance = self.balance;
        let left = balance.minus(amount);
        self.balance = left.ok_or(LedgerRefusal::Short { balance })?;
        Ok(())
    }

    /// It, if no more has come in than may.
    fn checked(self) -> Result<Account, LedgerRefusal> {
        let all = [self.granted, self.purchased, self.received];
        let earned = all
            .iter()
            .try_fold(Credits::ZERO, |sum, one| sum.plus(*one));
        let earned = earned.ok_or(LedgerRefusal::Full)?;
        let held = sum([self.balance, self.reserved, self.in_transit]);
        assert_eq!(
            Some(held),
            earned.minus(self.spent()),
            "what is left of an account is what came and did not go: {self:?}"
        );
        Ok(self)
    }
}

fn come(place: &mut Credits, amount: Credits) -> Result<(), LedgerRefusal> {
    *place = place.plus(amount).ok_or(LedgerRefusal::Full)?;
    Ok(())
}

fn go(place: &mut Credits, amount: Credits) {
    let left = place.minus(amount);
    *place = left.expect("no more goes from there than was looked up");
}

fn sum(all: [Credits; 3]) -> Credits {
    let sum = all.iter().map(|credits| credits.get()).sum();
    Credits::new(sum).expect("no more than came in")
}
