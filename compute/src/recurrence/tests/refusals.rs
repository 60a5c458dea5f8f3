//! What is no recurrence, and the limits of text and lists.

use jiff::tz::TimeZone;

use super::start;
use crate::recurrence::limits::{DATES_MAX, RULE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::recurrence::series::Series;
use crate::recurrence::work::Work;

fn refused(text: &str) -> Option<&'static str> {
    let start = start("20260101T090000", TimeZone::UTC);
    let read = Series::read(text, start, &mut Work::default());
    read.err().map(|refused| refused.code())
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in [
        "not a valid rrule",
        "FREQ",
        "FREQ=",
        "FREQ=FORTNIGHTLY",
        "INTERVAL=2",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=4294967296",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=+1",
        "FREQ=DAILY;COUNT=",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101",
        "FREQ=DAILY;UNTIL=20260230",
        "FREQ=DAILY;UNTIL=20260101T250000Z",
        "FREQ=DAILY;UNTIL=2026-01-01",
        "FREQ=DAILY;UNTIL=20260101T0900",
        "FREQ=DAILY;UNTIL=99990101",
        "FREQ=DAILY;BYMONTH=0",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=1,,2",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYMINUTE=60",
        "FREQ=DAILY;BYSECOND=61",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;BYDAY=é",
        "FREQ=DAILY;BYDAY=1MO",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=54MO",
        "FREQ=MONTHLY;BYDAY=--1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=-32",
        "FREQ=DAILY;BYYEARDAY=1",
        "FREQ=WEEKLY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=YEARLY;BYYEARDAY=367",
        "FREQ=MONTHLY;BYWEEKNO=1",
        "FREQ=YEARLY;BYWEEKNO=54",
        "FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO",
        "FREQ=DAILY;BYSETPOS=1",
        "FREQ=DAILY;BYHOUR=1;BYSETPOS=0",
        "FREQ=DAILY;BYHOUR=1;BYSETPOS=367",
        "FREQ=DAILY;WKST=1",
        "FREQ=DAILY;RSCALE=GREGORIAN",
        "FREQ=DAILY;X-NAME=1",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY\nEXDATE:yesterday",
        "RRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260101T090000",
        "RRULE:FREQ=DAILY\nEXDATE;VALUE=PERIOD:20260101T090000",
        "RRULE:FREQ=DAILY\nEXDATE;TZID:20260101T090000",
        "RRULE:FREQ=DAILY\nEXDATE;X=1:20260101T090000",
        "RRULE:FREQ=DAILY\nEXDATE:20260101T090000,",
        "DTSTART:20260101T090000",
        "DTSTART:20260101T090000\nDTSTART:20260101T090000\nRRULE:FREQ=DAILY",
        "DTSTART:20260101T090000,20260102T090000\nRRULE:FREQ=DAILY",
        "EXDATE:20260101T090000",
    ] {
        assert_eq!(refused(text), Some("rule_invalid"), "{text}");
    }
    for text in ["", " \r\n "] {
        assert_eq!(refused(text), Some("rule_missing"), "{text:?}");
    }
    let unknown = "RRULE:FREQ=DAILY\nEXDATE;TZID=Europe/Atlantis:20260101T090000";
    assert_eq!(refused(unknown), Some("zone_unknown"));
}

#[test]
fn what_is_unusual_and_right_is_taken() {
    for text in [
        "FREQ=DAILY;",
        "freq=daily;byhour=1",
        "RRULE:FREQ=DAILY",
        " RRULE:FREQ=DAILY \n",
        "COUNT=2;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=4294967295",
        "FREQ=DAILY;COUNT=4294967295",
        "FREQ=DAILY;BYSECOND=60",
        "FREQ=MONTHLY;BYDAY=+1MO,-53SU",
        "FREQ=YEARLY;BYYEARDAY=366,-366;BYWEEKNO=53,-53",
        "FREQ=WEEKLY;BYDAY=MO\nEXDATE:20260101T235960Z",
    ] {
        assert_eq!(refused(text), None, "{text}");
    }
}

#[test]
fn a_refusal_quotes_little_of_what_it_refuses() {
    let text = format!("FREQ=DAILY;{}=1", "é".repeat(1_000));
    let start = start("20260101T090000", TimeZone::UTC);
    let refused = Series::read(&text, start, &mut Work::default()).unwrap_err();
    assert!(refused.to_string().len() < 200, "{refused}");
    assert!(
        refused.to_string().starts_with("Invalid RRULE: "),
        "{refused}"
    );
}

#[test]
fn rules_and_texts_end_at_their_limit() {
    let rule = |bytes: usize| {
        let rule = "FREQ=DAILY;BYHOUR=";
        format!("{rule}{}1", "0".repeat(bytes - rule.len() - 1))
    };
    assert_eq!(refused(&rule(RULE_BYTES_MAX)), None);
    assert_eq!(refused(&rule(RULE_BYTES_MAX + 1)), Some("rule_too_long"));
    let text = |bytes: usize| format!("FREQ=DAILY{}", " ".repeat(bytes - 10));
    assert_eq!(refused(&text(TEXT_BYTES_MAX)), None);
    assert_eq!(refused(&text(TEXT_BYTES_MAX + 1)), Some("rule_too_long"));
}

#[test]
fn lists_of_dates_end_at_their_limit() {
    let dates = |name: &str, lines: usize, each: usize| {
        let line = format!("\n{name}:{}", vec!["20260101T000000"; each].join(","));
        refused(&format!("RRULE:FREQ=DAILY{}", line.repeat(lines)))
    };
    for name in ["RDATE", "EXDATE"] {
        assert_eq!(dates(name, 1, DATES_MAX), None);
        assert_eq!(dates(name, DATES_MAX, 1), None);
        assert_eq!(dates(name, 1, DATES_MAX + 1), Some("too_many_dates"));
        assert_eq!(dates(name, DATES_MAX + 1, 1), Some("too_many_dates"));
    }
}
