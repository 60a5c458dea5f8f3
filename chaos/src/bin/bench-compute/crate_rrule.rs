//! The `rrule` crate as it is, without a guard.

use std::hint::black_box;

use anyhow::Result;
use chrono::{DateTime, Utc};
use rrule::{RRuleSet, Tz};

use crate::rules::Typical;

/// Reads and expands a rule; how many occurrences.
pub(crate) fn expand(typical: &Typical) -> Result<usize> {
    let set: RRuleSet = crate::text(typical).parse()?;
    let instant = |text: &str| -> Result<DateTime<Tz>> {
        let instant: DateTime<Utc> = text.parse()?;
        Ok(instant.with_timezone(&Tz::UTC))
    };
    let set = set
        .after(instant(typical.from)?)
        .before(instant(typical.to)?);
    let expanded = set.all(5_000);
    Ok(black_box(expanded.dates).len())
}
