//! What becomes of an account when credits are taken back that are spent already. Pure.
//!
//! The balance stops at zero, and the rest is owed: it is kept beside the balance and shown. Whatever comes
//! in next, bought, given back or released, pays what is owed first. So nobody has credits and owes some at
//! the same time, and a refund after spending buys nothing.

/// What of an account matters here, in credits. Only one of the two is above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What may be spent: reserved credits are not in it.
    pub available: u64,
    /// What was taken back and was not there.
    pub owed: u64,
}

/// What an operation moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Credits into or out of the balance.
    pub balance: u64,
    /// Credits that are owed more, or less.
    pub owed: u64,
}

impl Standing {
    /// Of credits that are taken back: what leaves the balance, and what is owed for it.
    pub fn taken(self, credits: u64) -> Moved {
        let balance = credits.min(self.available);
        Moved {
            balance,
            owed: credits - balance,
        }
    }

    /// Of credits that come in: what reaches the balance, and what pays for what is owed.
    pub fn given(self, credits: u64) -> Moved {
        let owed = credits.min(self.owed);
        Moved {
            balance: credits - owed,
            owed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take(standing: Standing, credits: u64) -> Standing {
        let moved = standing.taken(credits);
        Standing {
            available: standing.available - moved.balance,
            owed: standing.owed + moved.owed,
        }
    }

    fn give(standing: Standing, credits: u64) -> Standing {
        let moved = standing.given(credits);
        Standing {
            available: standing.available + moved.balance,
            owed: standing.owed - moved.owed,
        }
    }

    #[test]
    fn what_is_spent_is_owed_and_paid_first() {
        let spent = Standing {
            available: 30,
            owed: 0,
        };
        let owing = take(spent, 100);
        assert_eq!((owing.available, owing.owed), (0, 70));
        let paid = give(owing, 70);
        assert_eq!((paid.available, paid.owed), (0, 0));
        let more = give(owing, 71);
        assert_eq!((more.available, more.owed), (1, 0));
    }

    proptest! {
        /// As a balance below zero would have it, which is never shown.
        #[test]
        fn nobody_has_credits_and_owes_some(
            steps in proptest::collection::vec((any::<bool>(), 0..1_000_u64), 0..40),
        ) {
            let (mut standing, mut balance) = (Standing::default(), 0_i64);
            for (is_given, credits) in steps {
                let signed = i64::try_from(credits).unwrap();
                (standing, balance) = match is_given {
                    true => (give(standing, credits), balance + signed),
                    false => (take(standing, credits), balance - signed),
                };
                prop_assert!(standing.available == 0 || standing.owed == 0);
                let of = |credits| i64::try_from(credits).unwrap();
                prop_assert_eq!(of(standing.available) - of(standing.owed), balance);
            }
        }
    }
}
