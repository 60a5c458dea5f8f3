//! A recurrence whose start moves on to its next occurrence, as that of a task that was done.

use super::calendar::DAY_S;
use super::limits::HORIZON_DAYS;
use super::parse::{self, unfold};
use super::refused::Refused;
use super::series::{Series, Start};
use super::work::Work;
use super::{Instant, stamps, zone};

/// What [`onward`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct Onward<'a> {
    /// The recurrence, without `DTSTART`.
    pub rrule: &'a str,
    /// Its start, as [`super::Expand::dtstart`] is written.
    pub dtstart: &'a str,
    /// A name of the tz database.
    pub timezone: &'a str,
    /// Only later than this, and than the start.
    pub after: Instant,
}

/// Where a recurrence goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The next occurrence, and the start from then on.
    pub next: Instant,
    /// The text from then on: where it had a `COUNT`, that is how many are left, this one among
    /// them.
    pub rrule: String,
}

/// The first occurrence after a moment, and the recurrence from then on. `None` if there is none in
/// the ten years after. A time that a gap of the clock moved is moved for good: the new start is
/// all that is known of it. Errors: as of [`super::expand`]; it has an `RDATE`, which would become the
/// start of all that follows.
pub fn onward(ask: &Onward<'_>, work: &mut Work) -> Result<Option<Step>, Refused> {
    let start = stamps::local(ask.dtstart).ok_or(Refused::TimeInvalid("dtstart"))?;
    let start = Start {
        reading: start.0,
        is_date: start.1,
        zone: zone::named(ask.timezone)?,
    };
    if !stamps::in_years(ask.after.0) {
        return Err(Refused::TimeInvalid("after"));
    }
    if !parse::read(ask.rrule)?.dates.is_empty() {
        return Err(Refused::invalid(
            "RDATE: the start moves on, and with it all that the rule says",
        ));
    }
    let series = Series::read_from(start, ask.rrule, work)?;
    let from = series.starts_at().max(ask.after.0) + 1;
    let next = series
        .between(from, from + HORIZON_DAYS * DAY_S)
        .next(work)?;
    let Some(next) = next else {
        return Ok(None);
    };
    let rrule = match series.count() {
        None => ask.rrule.to_owned(),
        Some(count) => {
            let before = series.ruled_before(next, work)?;
            // The next one is of the rule, so it is left at least.
            counted(ask.rrule, count.saturating_sub(before).max(1))
        }
    };
    let next = Instant(next);
    Ok(Some(Step { next, rrule }))
}

/// Whether a recurrence says itself when it ends.
pub fn ends(rrule: &str) -> Result<bool, Refused> {
    let rule = parse::read(rrule)?.rule;
    Ok(rule.is_none_or(|rule| rule.count.is_some() || rule.until.is_some()))
}

/// A text that was read, with another `COUNT`.
fn counted(text: &str, count: u32) -> String {
    let text = unfold(text);
    let name = "COUNT=";
    let at = text
        .to_ascii_uppercase()
        .find(name)
        .map(|at| at + name.len());
    let Some(at) = at else {
        return text;
    };
    let (before, after) = text.split_at(at);
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{count}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rrule: &str, dtstart: &str, after: &str) -> Option<(String, String)> {
        stepped("Europe/Berlin", rrule, dtstart, after).unwrap()
    }

    fn stepped(
        timezone: &str,
        rrule: &str,
        dtstart: &str,
        after: &str,
    ) -> Result<Option<(String, String)>, Refused> {
        let after = stamps::instant(after).unwrap().as_second();
        let ask = Onward {
            rrule,
            dtstart,
            timezone,
            after: Instant(after),
        };
        let step = onward(&ask, &mut Work::default())?;
        Ok(step.map(|step| (step.next.to_string(), step.rrule)))
    }

    fn some(next: &str, rrule: &str) -> Option<(String, String)> {
        Some((next.to_owned(), rrule.to_owned()))
    }

    #[test]
    fn what_was_missed_does_not_come_again() {
        let rule = "FREQ=WEEKLY";
        let start = "2026-11-02T09:00:00";
        let found = step(rule, start, "2026-11-02T08:00:00Z");
        assert_eq!(found, some("2026-11-09T08:00:00.000Z", rule));
        let found = step(rule, start, "2026-11-24T10:00:00Z");
        assert_eq!(found, some("2026-11-30T08:00:00.000Z", rule));
        let early = step(rule, start, "2026-10-01T10:00:00Z");
        assert_eq!(early, some("2026-11-09T08:00:00.000Z", rule));
    }

    /// Every step counts one down, until the last; the whole is as long as the text said.
    #[test]
    fn a_count_is_counted_down_to_its_end() {
        let mut rule = "RRULE:FREQ=DAILY;count=4;INTERVAL=2".to_owned();
        let mut start = "2026-11-24T09:00:00".to_owned();
        let mut seen = Vec::new();
        while let Some((next, left)) = step(&rule, &start, "2026-01-01T00:00:00Z") {
            seen.push((next[..10].to_owned(), left.clone()));
            assert!(seen.len() < 10, "it never ends");
            start = format!("{}T09:00:00", &next[..10]);
            rule = left;
        }
        let expected = [("2026-11-26", 3), ("2026-11-28", 2), ("2026-11-30", 1)];
        let expected = expected.map(|(day, left)| {
            (
                day.to_owned(),
                format!("RRULE:FREQ=DAILY;count={left};INTERVAL=2"),
            )
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_was_passed_over_is_counted() {
        let rule = "FREQ=DAILY;COUNT=5\nEXDATE:20261126T080000Z";
        let found = step(rule, "2026-11-24T09:00", "2026-11-25T12:00:00Z");
        let left = "FREQ=DAILY;COUNT=2\nEXDATE:20261126T080000Z";
        assert_eq!(found, some("2026-11-27T08:00:00.000Z", left));
        assert_eq!(step(rule, "2026-11-24T09:00", "2026-11-28T12:00:00Z"), None);
    }

    #[test]
    fn an_until_is_the_end() {
        let rule = "FREQ=DAILY;UNTIL=20261125";
        let found = step(rule, "2026-11-24", "2026-01-01T00:00:00Z");
        assert_eq!(found, some("2026-11-24T23:00:00.000Z", rule));
        assert_eq!(step(rule, "2026-11-25", "2026-01-01T00:00:00Z"), None);
    }

    #[test]
    fn clocks_that_change_leave_the_reading() {
        let rule = "FREQ=DAILY";
        let found = step(rule, "2026-10-24T09:00", "2026-10-24T07:00:00Z");
        assert_eq!(found, some("2026-10-25T08:00:00.000Z", rule));
    }

    #[test]
    fn a_text_says_whether_it_ends() {
        for (text, expected) in [
            ("FREQ=DAILY", false),
            ("FREQ=DAILY;COUNT=3", true),
            ("FREQ=DAILY;UNTIL=20270101", true),
            ("RDATE:20270101", true),
        ] {
            assert_eq!(ends(text).unwrap(), expected, "{text}");
        }
        assert!(ends("FREQ=NEVER").is_err());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let of = |zone, rule, start| stepped(zone, rule, start, "2026-01-01T00:00:00Z");
        let refused = of("Europe/Nowhere", "FREQ=DAILY", "2026-11-24");
        assert_eq!(refused, Err(Refused::ZoneUnknown));
        let refused = of("UTC", "FREQ=DAILY", "24.11.2026");
        assert_eq!(refused, Err(Refused::TimeInvalid("dtstart")));
        let refused = of("UTC", "DTSTART:20260101\nRRULE:FREQ=DAILY", "2026-11-24");
        assert_eq!(refused.unwrap_err().code(), "rule_invalid");
        for text in ["FREQ=DAILY\nRDATE:20261130", "RDATE:20261130"] {
            let refused = of("UTC", text, "2026-11-24").unwrap_err();
            assert_eq!(refused.code(), "rule_invalid");
            assert!(refused.to_string().contains("RDATE"), "{refused}");
        }
        let far = of(
            "UTC",
            "FREQ=SECONDLY;COUNT=900000000;INTERVAL=7",
            "1970-01-01T00:00",
        );
        assert_eq!(far, Err(Refused::TooMuchWork));
    }
}
