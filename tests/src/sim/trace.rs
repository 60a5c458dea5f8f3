//! What happens in a world, line by line, for people who replay a seed.

use super::rng::Rng;

/// Where lines go: to stderr, or nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    /// Lines are written.
    pub on: bool,
    /// The number of the step under way.
    pub step: u64,
}

impl Trace {
    /// Writes a line; its text is made only if somebody reads it.
    pub fn say(&self, who: &dyn std::fmt::Display, what: impl FnOnce() -> String) {
        if self.on {
            eprintln!("{:>5}  {who:<10} {}", self.step, what());
        }
    }
}

/// A broken promise: what ends a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's short name.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
}

/// A step's outcome.
pub type Checked<T = ()> = Result<T, Violation>;

/// Breaks an invariant.
pub fn violated<T>(invariant: &'static str, seen: impl Into<String>) -> Checked<T> {
    Err(Violation {
        invariant,
        seen: seen.into(),
    })
}

/// Checks an invariant.
pub fn ensure(holds: bool, invariant: &'static str, seen: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    violated(invariant, seen())
}

/// What every part of a world is given: chance, counts, lines.
#[derive(Debug)]
pub struct Aids {
    /// Chance.
    pub rng: Rng,
    /// What happened so far.
    pub counts: super::count::Counts,
    /// The lines.
    pub trace: Trace,
}
