//! Counted work: what makes a hostile rule an error and not a busy core.

use super::limits::STEPS_MAX;
use super::refused::Refused;

/// The steps an answer has taken and may take. Everything in this module that loops spends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    spent: u64,
    max: u64,
}

impl Default for Work {
    fn default() -> Self {
        Work::new(STEPS_MAX)
    }
}

impl Work {
    /// Nothing spent, and at most `max` steps to spend.
    pub fn new(max: u64) -> Self {
        Work { spent: 0, max }
    }

    /// Steps taken so far. It may pass the bound by the last thing that was refused.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Takes `steps`. Errors: [`Refused::TooMuchWork`] when there are no more.
    #[inline]
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Refused> {
        self.spent += steps as u64;
        if self.spent > self.max {
            return Err(Refused::TooMuchWork);
        }
        Ok(())
    }
}
