//! A recurrence that moves on from one occurrence to the next is the same recurrence.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::naive::made;
use super::{first, series, start};
use crate::recurrence::{Instant, Onward, Work, onward};

/// Steps of one rule.
const STEPS: usize = 12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// In UTC, where no gap moves a start for good.
    #[test]
    fn steps_are_the_occurrences_one_by_one(rule in made()) {
        let begins = rule.begins.strftime("%Y%m%dT%H%M%S").to_string();
        let whole = series(&rule.text(), start(&begins, TimeZone::UTC));
        // Ten years, and the last step looks for one more.
        let from = whole.starts_at();
        let window = (from, from + 3_000 * 86_400);
        // Walking far may take more work than an answer has; then there is nothing to compare.
        let Ok(expected) = first(&whole, window, STEPS) else {
            return Ok(());
        };
        let mut text = rule.text();
        for (n, pair) in expected.windows(2).enumerate() {
            let at = Timestamp::from_second(pair[0]).unwrap();
            let ask = Onward {
                rrule: &text,
                dtstart: &at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                timezone: "UTC",
                after: Instant(from),
            };
            let Ok(step) = onward(&ask, &mut Work::default()) else {
                return Ok(());
            };
            let step = step.unwrap();
            prop_assert_eq!(step.next.0, pair[1], "step {} of {}", n, rule.text());
            text = step.rrule;
        }
        // By a count, the last of all is the last.
        if expected.len() < STEPS && rule.text().contains("COUNT") && expected.len() > 1 {
            let at = Timestamp::from_second(*expected.last().unwrap()).unwrap();
            let ask = Onward {
                rrule: &text,
                dtstart: &at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                timezone: "UTC",
                after: Instant(from),
            };
            if let Ok(step) = onward(&ask, &mut Work::default()) {
                let is_out = step.is_none_or(|step| step.next.0 >= window.1);
                prop_assert!(is_out, "{}", rule.text());
            }
        }
    }
}
