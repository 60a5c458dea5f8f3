//! Recurrences (RFC 5545): when something that repeats happens, in its time zone.
//!
//! A recurrence is a text of `RRULE`, `RDATE` and `EXDATE` with a start. Everything here is pure:
//! what time it is comes in, no answer takes more than counted [`Work`], and what would is refused.
//! Answers look only near their window, however long ago a rule started; only a rule that may be
//! over by its `COUNT` is walked from its start.
//!
//! Where RFC 5545 leaves room: a reading that occurs twice, when clocks are turned back, is its
//! first instant, for rules by the hour and below too; one that never occurs, when they are turned
//! forward, is as long after the gap as it was in it, and if that is the instant of another reading
//! they are one occurrence. A start that its own rule does not choose is no occurrence.

use std::fmt;

use jiff::tz::TimeZone;

mod calendar;
mod days;
mod expansions;
pub mod limits;
mod onward;
mod parse;
mod readings;
mod refused;
mod rule;
mod series;
mod stamps;
#[cfg(test)]
mod tests;
mod times;
mod work;
mod zone;

pub use expansions::Expansions;
pub use onward::{Onward, Step, ends, onward};
pub use refused::Refused;
pub use work::Work;

use calendar::{DAY_S, date_of, day_of};
use limits::{HORIZON_DAYS, OCCURRENCES_MAX, ROUTE_CHARS_MAX};
use series::{Series, Start};

/// A moment, in whole seconds UTC since 1970-01-01. It prints as `Date.toISOString` does:
/// `2026-01-31T09:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = date_of(self.0.div_euclid(DAY_S));
        let second = self.0.rem_euclid(DAY_S);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z",
            date.year,
            date.month,
            date.day,
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// What [`next_occurrence`] is asked beside the rule. Times are RFC 3339 with an offset.
#[derive(Clone, Copy, Debug)]
pub struct NextAsk<'a> {
    /// Only later than this, now by default. A rule without `DTSTART` starts here, in UTC.
    pub after: Option<&'a str>,
    /// Not later than this.
    pub end: Option<&'a str>,
    /// The time.
    pub now: Instant,
}

/// What [`next_occurrence`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// The first occurrence that is late enough; none if there is none in the ten years after, or
    /// none that is early enough.
    pub next: Option<Instant>,
    /// How many there are in the ten years from now.
    pub total: usize,
}

/// The first occurrence of a rule after a moment, and how many it has in ten years. Errors: the
/// rule is invalid, has more than [`OCCURRENCES_MAX`] in these ten years, or takes too much work.
pub fn next_occurrence(rule: &str, ask: NextAsk<'_>, work: &mut Work) -> Result<Next, Refused> {
    let time = |text: &str, name| stamps::instant(text).ok_or(Refused::TimeInvalid(name));
    let after = ask.after.map(|text| time(text, "after")).transpose()?;
    let end = ask.end.map(|text| time(text, "recurrenceEndDate"));
    let end = end.transpose()?.map(stamps::rounded_down);
    let after = after.map_or(ask.now.0, stamps::rounded_down);
    let series = Series::read(rule, in_utc(after), work)?;
    let total = in_ten_years(&series, ask.now, work)?.ok_or(Refused::TooManyOccurrences)?;
    let from = series.starts_at().max(after + 1);
    let horizon = from + HORIZON_DAYS * DAY_S;
    let to = end.map_or(horizon, |end| horizon.min(end + 1));
    let next = series.between(from, to).next(work)?.map(Instant);
    Ok(Next { next, total })
}

/// What [`validate`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Occurrences in the ten years from now, at most [`OCCURRENCES_MAX`]; 0 if they cannot be
    /// told.
    pub occurrences: usize,
    /// What is wrong with the rule.
    pub error: Option<Refused>,
}

/// Whether a rule is one that [`next_occurrence`] would take. One without `DTSTART` starts now.
pub fn validate(rule: &str, now: Instant, work: &mut Work) -> Validity {
    let counted =
        Series::read(rule, in_utc(now.0), work).and_then(|series| in_ten_years(&series, now, work));
    let (occurrences, error) = match counted {
        Ok(Some(occurrences)) => (occurrences, None),
        Ok(None) => (OCCURRENCES_MAX, Some(Refused::TooManyOccurrences)),
        Err(refused) => (0, Some(refused)),
    };
    Validity { occurrences, error }
}

/// What [`expand`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct Expand<'a> {
    /// The recurrence, without `DTSTART`.
    pub rrule: &'a str,
    /// Its start: `2026-01-31T09:00:00` in the zone, or `2026-01-31`, which makes it one of days.
    pub dtstart: &'a str,
    /// A name of the tz database: `Europe/Berlin`.
    pub timezone: &'a str,
    /// The window's begin, RFC 3339 with an offset; itself in the window.
    pub from: &'a str,
    /// Its end, not in the window; at most [`HORIZON_DAYS`] later.
    pub to: &'a str,
    /// The most occurrences wanted, 1 to [`OCCURRENCES_MAX`].
    pub limit: usize,
}

/// What [`expand`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The first of the window, ascending, at most as many as were wanted.
    pub occurrences: Vec<Instant>,
    /// The window has more.
    pub truncated: bool,
}

/// The occurrences in a window. Errors: something of the question is invalid, or it takes too much
/// work.
pub fn expand(ask: &Expand<'_>, work: &mut Work) -> Result<Expansion, Refused> {
    if !(1..=OCCURRENCES_MAX).contains(&ask.limit) {
        return Err(Refused::LimitInvalid);
    }
    let edge = |text: &str, name| {
        let instant = stamps::instant(text).ok_or(Refused::TimeInvalid(name))?;
        Ok(stamps::rounded_up(instant))
    };
    let (from, to) = (edge(ask.from, "from")?, edge(ask.to, "to")?);
    if from >= to || to - from > HORIZON_DAYS * DAY_S {
        return Err(Refused::WindowInvalid);
    }
    let start = stamps::local(ask.dtstart).ok_or(Refused::TimeInvalid("dtstart"))?;
    let start = Start {
        reading: start.0,
        is_date: start.1,
        zone: zone::named(ask.timezone)?,
    };
    let series = Series::read_from(start, ask.rrule, work)?;
    let mut walk = series.between(from, to);
    let mut expansion = Expansion {
        occurrences: Vec::new(),
        truncated: false,
    };
    while let Some(next) = walk.next(work)? {
        if expansion.occurrences.len() == ask.limit {
            expansion.truncated = true;
            break;
        }
        expansion.occurrences.push(Instant(next));
    }
    Ok(expansion)
}

/// Whether a text is short enough for the first user's routes. Errors: [`Refused::TooLong`].
pub fn check_route_length(rule: &str) -> Result<(), Refused> {
    // A character has at least a byte, so a longer text need not be counted.
    let short = rule.len() <= 4 * ROUTE_CHARS_MAX && rule.chars().count() <= ROUTE_CHARS_MAX;
    short.then_some(()).ok_or(Refused::TooLong)
}

/// How many there are from now to before the same day ten years later; none if too many.
fn in_ten_years(series: &Series, now: Instant, work: &mut Work) -> Result<Option<usize>, Refused> {
    let mut date = date_of(now.0.div_euclid(DAY_S));
    date.year += 10;
    let to = day_of(date) * DAY_S + now.0.rem_euclid(DAY_S);
    series.between(now.0, to).count(OCCURRENCES_MAX, work)
}

fn in_utc(instant: i64) -> Start {
    Start {
        reading: instant,
        is_date: false,
        zone: TimeZone::UTC,
    }
}
