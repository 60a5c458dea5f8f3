//! The three questions, as the first user's clients ask them.

use crate::recurrence::limits::{OCCURRENCES_MAX, ROUTE_CHARS_MAX};
use crate::recurrence::{
    Expand, Instant, NextAsk, Refused, Work, check_route_length, expand, next_occurrence, validate,
};

/// 2026-01-01T00:00:00Z, a Thursday.
const NOW: Instant = Instant(1_767_225_600);

fn next(rule: &str, after: Option<&str>, end: Option<&str>) -> Result<(String, usize), Refused> {
    let now = NOW;
    let answer = next_occurrence(rule, NextAsk { after, end, now }, &mut Work::default())?;
    let next = answer
        .next
        .map_or("none".to_owned(), |next| next.to_string());
    Ok((next, answer.total))
}

#[test]
fn the_next_is_after_now_or_after_a_moment() {
    let (found, total) = next("FREQ=DAILY", None, None).unwrap();
    assert_eq!(found, "2026-01-02T00:00:00.000Z");
    assert_eq!(total, 3_652);
    let (found, _) = next("FREQ=DAILY", Some("2026-06-01T10:30:00.500Z"), None).unwrap();
    assert_eq!(found, "2026-06-02T10:30:00.000Z");
    let (found, _) = next(
        "FREQ=WEEKLY;BYDAY=MO,FR",
        Some("2026-06-01T10:30:00+02:00"),
        None,
    )
    .unwrap();
    assert_eq!(found, "2026-06-05T08:30:00.000Z");
}

#[test]
fn a_rule_that_says_its_start_is_seen_from_there() {
    let text = "DTSTART;TZID=Europe/Berlin:20200101T090000\nRRULE:FREQ=MONTHLY;INTERVAL=3";
    let (found, total) = next(text, Some("2026-05-01T00:00:00Z"), None).unwrap();
    assert_eq!(found, "2026-07-01T07:00:00.000Z");
    assert_eq!(total, 40);
    // What starts later begins with its start.
    let text = "DTSTART:20400101T090000Z\nRRULE:FREQ=DAILY";
    let (found, total) = next(text, None, None).unwrap();
    assert_eq!((found.as_str(), total), ("2040-01-01T09:00:00.000Z", 0));
}

#[test]
fn the_end_may_be_the_next_itself() {
    let end = |end| next("FREQ=DAILY", None, Some(end)).unwrap().0;
    assert_eq!(end("2026-01-02T00:00:00.000Z"), "2026-01-02T00:00:00.000Z");
    assert_eq!(end("2026-01-01T23:59:59.999Z"), "none");
    assert_eq!(end("2020-01-01T00:00:00.000Z"), "none");
}

#[test]
fn what_is_beyond_the_horizon_is_none() {
    let (found, _) = next("FREQ=YEARLY;INTERVAL=10", None, None).unwrap();
    assert_eq!(found, "2036-01-01T00:00:00.000Z");
    let (found, _) = next("FREQ=YEARLY;INTERVAL=11", None, None).unwrap();
    assert_eq!(found, "none");
}

#[test]
fn rules_end_at_five_thousand_occurrences_in_ten_years() {
    let rule = |count: usize| format!("FREQ=HOURLY;COUNT={count}");
    let (_, total) = next(&rule(OCCURRENCES_MAX), None, None).unwrap();
    assert_eq!(total, OCCURRENCES_MAX);
    let refused = next(&rule(OCCURRENCES_MAX + 1), None, None);
    assert_eq!(refused, Err(Refused::TooManyOccurrences));
    let valid = validate(&rule(OCCURRENCES_MAX), NOW, &mut Work::default());
    assert_eq!((valid.occurrences, valid.error), (OCCURRENCES_MAX, None));
    let invalid = validate(&rule(OCCURRENCES_MAX + 1), NOW, &mut Work::default());
    assert_eq!(invalid.occurrences, OCCURRENCES_MAX);
    assert_eq!(invalid.error, Some(Refused::TooManyOccurrences));
}

#[test]
fn a_rule_is_valid_or_says_why_not() {
    let valid = validate(
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25",
        NOW,
        &mut Work::default(),
    );
    assert_eq!((valid.occurrences, valid.error), (10, None));
    let invalid = validate("garbage", NOW, &mut Work::default());
    assert_eq!(invalid.occurrences, 0);
    assert_eq!(invalid.error.unwrap().code(), "rule_invalid");
}

#[test]
fn times_that_cannot_be_read_are_named() {
    let refused = |after, end| next("FREQ=DAILY", after, end).unwrap_err();
    for time in [
        "",
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "9999-01-01T00:00:00Z",
    ] {
        assert_eq!(
            refused(Some(time), None),
            Refused::TimeInvalid("after"),
            "{time}"
        );
        let name = Refused::TimeInvalid("recurrenceEndDate");
        assert_eq!(refused(None, Some(time)), name, "{time}");
    }
}

const DAYS: Expand<'_> = Expand {
    rrule: "FREQ=DAILY",
    dtstart: "2026-03-27T09:00:00",
    timezone: "Europe/Berlin",
    from: "2026-03-28T00:00:00Z",
    to: "2026-03-31T00:00:00Z",
    limit: OCCURRENCES_MAX,
};

fn expanded(ask: &Expand<'_>) -> (Vec<String>, bool) {
    let expansion = expand(ask, &mut Work::default()).unwrap();
    let texts = expansion.occurrences.iter().map(Instant::to_string);
    (texts.collect(), expansion.truncated)
}

fn refusal(ask: &Expand<'_>) -> Refused {
    expand(ask, &mut Work::default()).unwrap_err()
}

#[test]
fn a_window_has_its_begin_and_not_its_end() {
    let days = [
        "2026-03-28T08:00:00.000Z",
        "2026-03-29T07:00:00.000Z",
        "2026-03-30T07:00:00.000Z",
    ];
    assert_eq!(expanded(&DAYS).0, days);
    let ask = Expand {
        from: days[0],
        to: days[2],
        ..DAYS
    };
    assert_eq!(expanded(&ask).0, days[..2]);
    let ask = Expand {
        from: "2026-03-28T08:00:00.001Z",
        to: "2026-03-30T07:00:00.001Z",
        ..DAYS
    };
    assert_eq!(expanded(&ask).0, days[1..]);
}

#[test]
fn more_than_was_wanted_is_told() {
    let (found, truncated) = expanded(&Expand { limit: 3, ..DAYS });
    assert_eq!((found.len(), truncated), (3, false));
    let (found, truncated) = expanded(&Expand { limit: 2, ..DAYS });
    assert_eq!((found.len(), truncated), (2, true));
    let ask = Expand {
        rrule: "FREQ=MINUTELY",
        ..DAYS
    };
    let (found, truncated) = expanded(&Expand {
        to: "2026-04-30T00:00:00Z",
        ..ask
    });
    assert_eq!((found.len(), truncated), (OCCURRENCES_MAX, true));
}

#[test]
fn a_start_may_be_a_date_or_a_time() {
    for (dtstart, first) in [
        ("2026-03-27", "2026-03-27T23:00:00.000Z"),
        ("2026-03-27T09:00", "2026-03-28T08:00:00.000Z"),
        ("2026-03-27T09:00:30", "2026-03-28T08:00:30.000Z"),
        ("2026-03-27T09:00:30.250", "2026-03-28T08:00:30.000Z"),
    ] {
        let ask = Expand {
            dtstart,
            from: "2026-03-27T12:00:00Z",
            ..DAYS
        };
        assert_eq!(expanded(&ask).0[0], first, "{dtstart}");
    }
    for dtstart in [
        "",
        "2026-02-29",
        "2026-03-27 09:00",
        "2026-03-27T09",
        "2026-03-27T24:00",
        "2026-03-27T09:00Z",
        "2026-03-27T09:00:00Z",
        "2026-03-27T09:00:00+01:00",
        "2026-03-27T09:00:00.",
        "20260327T090000",
        "0000-01-01",
        "9001-01-01",
    ] {
        let refused = refusal(&Expand { dtstart, ..DAYS });
        assert_eq!(refused, Refused::TimeInvalid("dtstart"), "{dtstart}");
    }
}

#[test]
fn a_question_out_of_its_limits_is_refused() {
    let ten_years = Expand {
        from: "2026-01-01T00:00:00Z",
        to: "2036-01-01T00:00:00Z",
        ..DAYS
    };
    assert_eq!(expanded(&ten_years).0.len(), 3_567);
    let window = |from, to| refusal(&Expand { from, to, ..DAYS });
    let late = "2036-01-02T00:00:01Z";
    assert_eq!(window("2026-01-01T00:00:00Z", late), Refused::WindowInvalid);
    assert_eq!(window(late, late), Refused::WindowInvalid);
    assert_eq!(window("2026-01-01", late), Refused::TimeInvalid("from"));
    assert_eq!(
        window("2026-01-01T00:00:00Z", "later"),
        Refused::TimeInvalid("to")
    );
    for limit in [0, OCCURRENCES_MAX + 1, usize::MAX] {
        assert_eq!(refusal(&Expand { limit, ..DAYS }), Refused::LimitInvalid);
    }
    for timezone in [
        "",
        "Europe/Atlantis",
        "../../etc/passwd",
        "EST5EDT,M3.2.0,M11.1.0",
    ] {
        assert_eq!(
            refusal(&Expand { timezone, ..DAYS }),
            Refused::ZoneUnknown,
            "{timezone}"
        );
    }
    let twice = "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY";
    assert_eq!(
        refusal(&Expand {
            rrule: twice,
            ..DAYS
        })
        .code(),
        "rule_invalid"
    );
}

#[test]
fn routes_take_five_hundred_characters() {
    assert_eq!(check_route_length(&"é".repeat(ROUTE_CHARS_MAX)), Ok(()));
    for long in ["é".repeat(ROUTE_CHARS_MAX + 1), "x".repeat(1 << 20)] {
        assert_eq!(check_route_length(&long), Err(Refused::TooLong));
    }
}
