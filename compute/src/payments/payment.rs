//! What is known of a payment, and what follows from one more event about it. Pure.
//!
//! Stripe tells events again, and in any order. So a [`Payment`] is what was heard, and each part of it only
//! grows: a purchase is known or not, a reversal goes from asked to taken to returned, the sum that was
//! refunded is the largest that was told. What was heard before changes nothing, and whatever the order, the
//! same is known in the end.
//!
//! What follows are [`Operation`]s on the ledger, which the payment keeps: once decided, an operation has its
//! key and its credits for ever. Whoever carries them out stores the payment first, if nobody else stored it
//! meanwhile, and then hands the ledger all of its operations in order, also those that it has: equal keys
//! are done once. So a crash between the two is mended by the next time the event is told.
//!
//! **How many credits go back.** Of a payment of `a` for `c` credits, of which `b` went back, it is
//! `c × b / a`, rounded down: the user keeps the part of a credit, and whoever has all the money back has
//! all credits taken. It is rounded once, for all that went back, and an operation is the difference to what
//! was taken before: many small refunds take what one would. Refunds and disputes of one payment are no more
//! than it in all. What went back in another currency counts as all of the payment. What comes back gives
//! credits back by the same rule.

mod stored;

use std::collections::BTreeMap;

use super::event::{Event, Kind, Purchase, Refunded, Reversal, State};
use super::packages::{NotSold, Packages};

/// Refunds and disputes of one payment. What is told of more changes nothing: by then all of it went back, or
/// somebody refunds single cents.
pub const REVERSALS_MAX: usize = 200;

/// What is known of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payment {
    /// What was bought; `None` until that is heard and could be booked.
    pub bought: Option<Bought>,
    /// Why a purchase that was heard is not booked. Gone once it is.
    pub refused: Option<NotSold>,
    /// The money never came.
    pub failed: bool,
    /// Refunds and disputes by their ids.
    pub reversals: BTreeMap<String, Reversed>,
    /// The largest sum of refunds that was told, in the currency's smallest unit.
    pub refunded: u64,
    /// What follows for the ledger, in order.
    pub operations: Vec<Operation>,
}

/// What was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// By whom, of which package, for how much.
    pub purchase: Purchase,
    /// What that was when it was booked.
    pub credits: u64,
}

/// A reversal, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversed {
    /// Which kind.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// How much, when it was taken.
    pub amount: u64,
    /// In which currency.
    pub currency: String,
}

/// What the ledger is to do, once for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `stripe:` and what at Stripe it follows from.
    pub key: String,
    /// What.
    pub what: What,
    /// How many credits, at least 1.
    pub credits: u64,
}

/// What is done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// They are bought.
    Grant,
    /// The money went back: as far as there are any, and the rest is owed ([`super::debt`]).
    TakeBack,
    /// The money came again.
    GiveBack,
}

impl Payment {
    /// The payment with one more event, which is one about it.
    #[must_use]
    pub fn book(&self, event: &Event, packages: &Packages) -> Payment {
        let mut next = self.clone();
        match event {
            Event::Purchase(purchase) => next.buy(purchase, packages),
            Event::Failed(_) => next.failed = next.bought.is_none(),
            Event::Reversal(reversal) => next.reverse(reversal),
            Event::Refunded(refunded) => next.refund(refunded),
        }
        next
    }

    /// Credits of it that were taken and not given back.
    pub fn taken(&self) -> u64 {
        let sum = |what| -> u64 {
            let of = self.operations.iter().filter(|one| one.what == what);
            of.map(|one| one.credits).sum()
        };
        sum(What::TakeBack).saturating_sub(sum(What::GiveBack))
    }

    /// What is heard again is booked already, whatever the config sells by now.
    fn buy(&mut self, purchase: &Purchase, packages: &Packages) {
        if self.bought.is_some() {
            return;
        }
        let package = match packages.paid_for(purchase) {
            Ok(package) => package,
            Err(why) => {
                self.refused = Some(why);
                return;
            }
        };
        self.refused = None;
        self.failed = false;
        self.operations.push(Operation {
            key: format!("stripe:{}", purchase.payment.as_str()),
            what: What::Grant,
            credits: package.credits,
        });
        self.bought = Some(Bought {
            purchase: purchase.clone(),
            credits: package.credits,
        });
        self.reverse_what_came_before();
    }

    /// What went back before it was known what was bought, one after the other.
    fn reverse_what_came_before(&mut self) {
        for (id, reversed) in std::mem::take(&mut self.reversals) {
            let key = key_of(&id, reversed.state);
            self.reversals.insert(id, reversed);
            self.settle(key);
        }
        if let Some(bought) = &self.bought {
            let payment = bought.purchase.payment.as_str();
            self.settle(format!("stripe:{payment}:refunded"));
        }
    }

    fn reverse(&mut self, reversal: &Reversal) {
        let known = self.reversals.get(&reversal.id);
        if known.is_some_and(|known| known.state >= reversal.state)
            || (known.is_none() && self.reversals.len() >= REVERSALS_MAX)
        {
            return;
        }
        let reversed = Reversed {
            kind: reversal.kind,
            state: reversal.state,
            amount: reversal.amount,
            currency: reversal.currency.clone(),
        };
        self.reversals.insert(reversal.id.clone(), reversed);
        self.settle(key_of(&reversal.id, reversal.state));
    }

    fn refund(&mut self, refunded: &Refunded) {
        if refunded.amount > self.refunded {
            self.refunded = refunded.amount;
            self.settle(format!("stripe:{}:{}", refunded.charge, refunded.amount));
        }
    }

    /// Takes or gives the difference between what should be taken and what is. A key is used once, since what
    /// it stands for happens once to what is known.
    fn settle(&mut self, key: String) {
        let Some(bought) = &self.bought else {
            return;
        };
        let should = share(
            bought.credits,
            self.went_back(&bought.purchase),
            bought.purchase.amount,
        );
        let taken = self.taken();
        let (what, credits) = match should >= taken {
            true => (What::TakeBack, should - taken),
            false => (What::GiveBack, taken - should),
        };
        if credits > 0 {
            self.operations.push(Operation { key, what, credits });
        }
    }

    /// How much of the money is gone, at most all of it.
    fn went_back(&self, purchase: &Purchase) -> u64 {
        let sum = |kind: Kind, state: State| {
            let of = self.reversals.values();
            let of = of.filter(|one| one.kind == kind && one.state == state);
            of.fold(0_u64, |sum, one| sum.saturating_add(one.counts(purchase)))
        };
        let refunds = sum(Kind::Refund, State::Taken);
        // What was told as a sum may hold refunds that failed since.
        let told = self
            .refunded
            .saturating_sub(sum(Kind::Refund, State::Returned));
        let disputes = sum(Kind::Dispute, State::Taken);
        refunds
            .max(told)
            .saturating_add(disputes)
            .min(purchase.amount)
    }
}

impl Reversed {
    /// How much of a purchase's amount it is.
    fn counts(&self, of: &Purchase) -> u64 {
        match self.currency == of.currency {
            true => self.amount,
            false => of.amount,
        }
    }
}

fn key_of(id: &str, state: State) -> String {
    match state {
        State::Asked => format!("stripe:{id}:asked"),
        State::Taken => format!("stripe:{id}"),
        State::Returned => format!("stripe:{id}:returned"),
    }
}

/// `credits × part / whole`, rounded down; all of them, if nothing is left.
fn share(credits: u64, part: u64, whole: u64) -> u64 {
    if part >= whole {
        return credits;
    }
    let share = u128::from(credits) * u128::from(part) / u128::from(whole);
    u64::try_from(share).expect("it is less than all credits")
}

#[cfg(test)]
mod tests;
