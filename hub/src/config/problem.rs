//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::ops::RangeInclusive;

/// Tables that no variable can hold.
const ONLY_IN_FILE: [&str; 2] = ["app", "webhooks"];

/// One value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as in `hub.toml`: `auth.jwks_url`.
    pub key: &'static str,
    /// What is wrong and what would be right, to be read after the key.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)?;
        match ONLY_IN_FILE.contains(&self.key) {
            true => Ok(()),
            false => write!(f, " ({})", super::source::variable(self.key)),
        }
    }
}

/// Every problem found, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl Problems {
    /// Notes a problem.
    pub fn push(&mut self, key: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.0.push(Problem { key, message });
    }

    /// Notes a problem if `value` is outside `allowed`.
    pub fn range(&mut self, key: &'static str, value: u64, allowed: RangeInclusive<u64>) {
        if !allowed.contains(&value) {
            let (low, high) = allowed.into_inner();
            self.push(key, format!("is {value}; allowed is {low} to {high}"));
        }
    }

    /// The problems found.
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// Ok if there are none.
    pub fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let line_break = if at == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}
