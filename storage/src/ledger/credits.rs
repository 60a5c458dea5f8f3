//! Amounts.

use std::fmt;

/// The most that an amount, and all that ever came into an account, may be: 2^53 − 1, which every
/// client's numbers hold.
pub const CREDITS_MAX: u64 = (1 << 53) - 1;

/// Whole credits, from 0 to [`CREDITS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(u64);

impl Credits {
    /// Nothing.
    pub const ZERO: Credits = Credits(0);

    /// As many; `None` if that is too many.
    pub const fn new(credits: u64) -> Option<Credits> {
        match credits {
            0..=CREDITS_MAX => Some(Credits(credits)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Both together; `None` if that is too many.
    pub fn plus(self, more: Credits) -> Option<Credits> {
        Credits::new(self.0 + more.0)
    }

    /// What is left; `None` if it is less than nothing.
    pub fn minus(self, less: Credits) -> Option<Credits> {
        self.0.checked_sub(less.0).map(Credits)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_end_below_2_to_the_53() {
        let most = Credits::new(CREDITS_MAX).unwrap();
        let one = Credits::new(1).unwrap();
        assert_eq!(Credits::new(CREDITS_MAX + 1), None);
        assert_eq!(most.plus(one), None);
        assert_eq!(most.minus(one).unwrap().plus(one), Some(most));
        assert_eq!(Credits::ZERO.minus(one), None);
    }
}
