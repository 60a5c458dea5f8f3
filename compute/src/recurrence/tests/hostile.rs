//! Rules made to cost: each is answered or refused within a bounded number of steps.

use std::fmt::Write;

use super::{first, series, start};
use crate::recurrence::limits::{DATES_MAX, OCCURRENCES_MAX, STEPS_MAX};
use crate::recurrence::{
    Expand, Instant, NextAsk, Refused, Work, expand, next_occurrence, validate,
};
use jiff::tz::TimeZone;

const NOW: Instant = Instant(1_767_225_600);

fn list(values: impl Iterator<Item = i32>) -> String {
    let texts: Vec<String> = values.map(|value| value.to_string()).collect();
    texts.join(",")
}

fn hostile() -> Vec<String> {
    let all = list(0..60);
    let days = list((1..=31).chain(-31..=-1));
    let positions = list((1..=366).chain(-366..=-1));
    let year_days = list((1..=366).chain(-366..=-1));
    let weeks = list((1..=53).chain(-53..=-1));
    let mut nth = String::new();
    for at in (1..=53).chain(-53..=-1) {
        for day in ["MO", "TU", "WE", "TH", "FR"] {
            write!(nth, "{at}{day},").unwrap();
        }
    }
    let nth = nth.trim_end_matches(',');
    vec![
        "FREQ=SECONDLY".to_owned(),
        "FREQ=SECONDLY;COUNT=4294967295".to_owned(),
        "FREQ=SECONDLY;INTERVAL=4294967295".to_owned(),
        // Never.
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1".to_owned(),
        "FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMINUTE=3;BYSECOND=1".to_owned(),
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=SECONDLY;BYSECOND=0;BYSETPOS=2".to_owned(),
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=31;BYHOUR=1".to_owned(),
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5".to_owned(),
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=4294967295".to_owned(),
        "FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1".to_owned(),
        // Much at once.
        format!("FREQ=SECONDLY;BYSECOND={all};BYMINUTE={all};BYSETPOS={positions}"),
        format!("FREQ=YEARLY;BYMONTHDAY={days};BYMINUTE={all};BYSECOND={all};BYSETPOS=-366"),
        format!("FREQ=DAILY;BYMINUTE={all};BYSECOND={all};BYSETPOS={positions}"),
        format!("FREQ=DAILY;BYMINUTE={all};BYSECOND={all};COUNT=4294967295"),
        format!("FREQ=YEARLY;BYYEARDAY={year_days};BYWEEKNO={weeks}"),
        format!("FREQ=MONTHLY;BYDAY={nth}"),
        format!("FREQ=YEARLY;BYDAY={nth};BYSETPOS=366"),
        format!("FREQ=MINUTELY;BYSECOND={all};BYSETPOS={positions}"),
    ]
}

/// The last refused thing is spent for too; it is smaller than this.
const BEYOND: u64 = 10_000;

#[test]
fn whatever_is_asked_is_answered_within_its_steps() {
    let starts = [
        "1970-01-01T00:00:00",
        "0001-01-01T00:00:00",
        "2026-01-01T00:00:00",
    ];
    for rrule in hostile() {
        for dtstart in starts {
            for timezone in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
                let ask = Expand {
                    rrule: &rrule,
                    dtstart,
                    timezone,
                    from: "2009-01-01T00:00:00Z",
                    to: "2019-01-01T00:00:00Z",
                    limit: OCCURRENCES_MAX,
                };
                let mut work = Work::default();
                let answer = expand(&ask, &mut work);
                let context = format!("{rrule} from {dtstart} in {timezone}");
                assert!(work.spent() <= STEPS_MAX + BEYOND, "{context}: {work:?}");
                assert!(
                    matches!(answer, Ok(_) | Err(Refused::TooMuchWork)),
                    "{context}: {answer:?}"
                );
            }
            let begins = dtstart.replace(['-', ':'], "");
            let text = format!("DTSTART:{begins}\nRRULE:{rrule}");
            let mut work = Work::default();
            validate(&text, NOW, &mut work);
            assert!(work.spent() <= STEPS_MAX + BEYOND, "{text}: {work:?}");
            let mut work = Work::default();
            let (after, end, now) = (None, None, NOW);
            let _ = next_occurrence(&text, NextAsk { after, end, now }, &mut work);
            assert!(work.spent() <= STEPS_MAX + BEYOND, "{text}: {work:?}");
        }
    }
}

fn steps(rrule: &str, dtstart: &str, limit: usize) -> u64 {
    let ask = Expand {
        rrule,
        dtstart,
        timezone: "Europe/Berlin",
        from: "2026-01-01T00:00:00Z",
        to: "2027-01-01T00:00:00Z",
        limit,
    };
    let mut work = Work::default();
    expand(&ask, &mut work).unwrap();
    work.spent()
}

#[test]
fn how_long_ago_a_rule_started_costs_nothing() {
    for (rule, most) in [
        ("FREQ=SECONDLY", 50),
        ("FREQ=MINUTELY", 50),
        ("FREQ=HOURLY", 50),
        ("FREQ=DAILY", 50),
        ("FREQ=WEEKLY", 50),
        ("FREQ=MONTHLY", 50),
        ("FREQ=YEARLY", 50),
        ("FREQ=DAILY;COUNT=4294967295", 50),
    ] {
        let old = steps(rule, "1970-01-01T00:00:00", 1);
        let new = steps(rule, "2025-01-01T00:00:00", 1);
        assert!(old <= most, "{rule}: {old} steps");
        assert!(
            old <= new + new / 10 + 20,
            "{rule}: {old} steps, {new} from late"
        );
    }
}

#[test]
fn what_a_rule_does_not_choose_is_passed_over_at_once() {
    // One minute of one day of the year, second by second.
    let rule = "FREQ=SECONDLY;BYMONTH=6;BYMONTHDAY=1;BYHOUR=12;BYMINUTE=30";
    let steps = steps(rule, "1970-01-01T00:00:00", 5_000);
    assert!(steps < 1_500, "{steps} steps");
}

#[test]
fn steps_that_run_out_are_an_error_and_not_an_answer_cut_short() {
    let series = series("FREQ=DAILY", start("20260101T000000", TimeZone::UTC));
    let all = first(&series, (NOW.0, NOW.0 + 864_000), 99).unwrap();
    assert_eq!(all.len(), 10);
    let walked = |steps: u64| {
        let mut work = Work::new(steps);
        let mut walk = series.between(NOW.0, NOW.0 + 864_000);
        loop {
            match walk.next(&mut work) {
                Ok(Some(_)) => {}
                other => return (other, work.spent()),
            }
        }
    };
    let (end, needed) = walked(STEPS_MAX);
    assert_eq!(end, Ok(None));
    assert_eq!(walked(needed), (Ok(None), needed));
    assert_eq!(walked(needed - 1).0, Err(Refused::TooMuchWork));
}

#[test]
fn zones_and_exceptions_of_a_hostile_text_are_counted() {
    let mut text = "RRULE:FREQ=DAILY".to_owned();
    for at in 0..DATES_MAX {
        let zone = ["Europe/Rome", "Asia/Tokyo"][at % 2];
        write!(
            text,
            "\nEXDATE;TZID={zone};VALUE=DATE:20260{}{:02}",
            at / 28 % 9 + 1,
            at % 28 + 1
        )
        .unwrap();
    }
    let mut work = Work::default();
    let valid = validate(&text, NOW, &mut work);
    assert_eq!(valid.error, None);
    assert!(work.spent() > 100_000, "{work:?}");
    let twice = format!(
        "{text}{}",
        text["RRULE:FREQ=DAILY".len()..].replace("EX", "R")
    );
    let mut work = Work::new(200_000);
    assert_eq!(
        validate(&twice, NOW, &mut work).error,
        Some(Refused::TooMuchWork)
    );
}
