//! Rules over changes of the clock, by hand.

use super::{clock, first, series, shown, start, zone};
use crate::recurrence::calendar::DAY_S;

#[test]
fn a_day_over_a_change_keeps_its_time_on_the_clock() {
    let found = clock("Europe/Berlin", "20260328T090000", "FREQ=DAILY;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2026-03-28 09:00:00 +01:00",
            "2026-03-29 09:00:00 +02:00",
            "2026-03-30 09:00:00 +02:00",
        ]
    );
    let found = clock(
        "America/New_York",
        "20261031T090000",
        "FREQ=DAILY;COUNT=2",
        9,
    );
    assert_eq!(
        found,
        ["2026-10-31 09:00:00 -04:00", "2026-11-01 09:00:00 -05:00"]
    );
}

#[test]
fn a_time_in_a_gap_is_taken_with_the_offset_before_it() {
    let found = clock("Europe/Berlin", "20260328T023000", "FREQ=DAILY;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2026-03-28 02:30:00 +01:00",
            "2026-03-29 03:30:00 +02:00",
            "2026-03-30 02:30:00 +02:00",
        ]
    );
    let found = clock(
        "America/New_York",
        "20260307T023000",
        "FREQ=DAILY;COUNT=2",
        9,
    );
    assert_eq!(
        found,
        ["2026-03-07 02:30:00 -05:00", "2026-03-08 03:30:00 -04:00"]
    );
}

#[test]
fn a_time_that_occurs_twice_is_the_first() {
    let found = clock("Europe/Berlin", "20261024T023000", "FREQ=DAILY;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2026-10-24 02:30:00 +02:00",
            "2026-10-25 02:30:00 +02:00",
            "2026-10-26 02:30:00 +01:00",
        ]
    );
}

#[test]
fn hours_over_a_gap_are_not_doubled_and_all_counted() {
    let found = clock("Europe/Berlin", "20260329T000000", "FREQ=HOURLY;COUNT=5", 9);
    assert_eq!(
        found,
        [
            "2026-03-29 00:00:00 +01:00",
            "2026-03-29 01:00:00 +01:00",
            "2026-03-29 03:00:00 +02:00",
            "2026-03-29 04:00:00 +02:00",
            "2026-03-29 05:00:00 +02:00",
        ]
    );
}

#[test]
fn what_a_gap_moves_comes_in_its_order() {
    // 2:00 and 2:40 do not exist: they are 3:00 and 3:40, between 3:20 of the clock itself.
    let rule = "FREQ=MINUTELY;INTERVAL=40;COUNT=6";
    let found = clock("Europe/Berlin", "20260329T012000", rule, 9);
    assert_eq!(
        found,
        [
            "2026-03-29 01:20:00 +01:00",
            "2026-03-29 03:00:00 +02:00",
            "2026-03-29 03:20:00 +02:00",
            "2026-03-29 03:40:00 +02:00",
            "2026-03-29 04:00:00 +02:00",
            "2026-03-29 04:40:00 +02:00",
        ]
    );
}

#[test]
fn hours_over_a_fold_follow_the_clock() {
    let found = clock("Europe/Berlin", "20261025T010000", "FREQ=HOURLY;COUNT=4", 9);
    assert_eq!(
        found,
        [
            "2026-10-25 01:00:00 +02:00",
            "2026-10-25 02:00:00 +02:00",
            "2026-10-25 03:00:00 +01:00",
            "2026-10-25 04:00:00 +01:00",
        ]
    );
}

#[test]
fn half_an_hour_of_lord_howe() {
    let found = clock(
        "Australia/Lord_Howe",
        "20261003T021500",
        "FREQ=DAILY;COUNT=3",
        9,
    );
    assert_eq!(
        found,
        [
            "2026-10-03 02:15:00 +10:30",
            "2026-10-04 02:45:00 +11:00",
            "2026-10-05 02:15:00 +11:00",
        ]
    );
    let found = clock(
        "Australia/Lord_Howe",
        "20260404T014500",
        "FREQ=DAILY;COUNT=3",
        9,
    );
    assert_eq!(
        found,
        [
            "2026-04-04 01:45:00 +11:00",
            "2026-04-05 01:45:00 +11:00",
            "2026-04-06 01:45:00 +10:30",
        ]
    );
}

#[test]
fn a_midnight_that_is_skipped_keeps_its_day() {
    // Clocks of Sao Paulo went from 0:00 to 1:00 on 4 November 2018.
    for begins in ["20181102T000000", "20181102"] {
        let found = clock("America/Sao_Paulo", begins, "FREQ=DAILY;COUNT=4", 9);
        assert_eq!(
            found,
            [
                "2018-11-02 00:00:00 -03:00",
                "2018-11-03 00:00:00 -03:00",
                "2018-11-04 01:00:00 -02:00",
                "2018-11-05 00:00:00 -02:00",
            ]
        );
    }
    let found = clock(
        "America/Sao_Paulo",
        "20181028T003000",
        "FREQ=WEEKLY;COUNT=3",
        9,
    );
    assert_eq!(
        found,
        [
            "2018-10-28 00:30:00 -03:00",
            "2018-11-04 01:30:00 -02:00",
            "2018-11-11 00:30:00 -02:00",
        ]
    );
}

#[test]
fn a_day_that_apia_skipped_is_one_with_the_next() {
    // There was no 30 December 2011: its 9:00 is that of the 31st.
    let found = clock("Pacific/Apia", "20111229T090000", "FREQ=DAILY;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2011-12-29 09:00:00 -10:00",
            "2011-12-31 09:00:00 +14:00",
            "2012-01-01 09:00:00 +14:00",
        ]
    );
    let found = clock("Pacific/Apia", "20111223T090000", "FREQ=WEEKLY;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2011-12-23 09:00:00 -10:00",
            "2011-12-31 09:00:00 +14:00",
            "2012-01-06 09:00:00 +14:00",
        ]
    );
}

#[test]
fn a_window_within_a_day_that_was_skipped_finds_what_moved_there() {
    let apia = zone("Pacific/Apia");
    let series = series(
        "FREQ=HOURLY;INTERVAL=5",
        start("20111229T000000", apia.clone()),
    );
    let all = first(&series, (1_325_000_000, 1_325_500_000), 500).unwrap();
    assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
    for (at, from) in all.iter().enumerate() {
        let found = first(&series, (*from, 1_325_500_000), 500).unwrap();
        assert_eq!(shown(&found, &apia), shown(&all[at..], &apia));
    }
}

#[test]
fn until_is_an_instant_a_reading_or_a_whole_day() {
    // 9:00 in Berlin is 8:00 UTC in winter and 7:00 in summer.
    let until = |until: &str| {
        let rule = format!("FREQ=DAILY;UNTIL={until}");
        clock("Europe/Berlin", "20260327T090000", &rule, 9).len()
    };
    assert_eq!(until("20260329T070000Z"), 3);
    assert_eq!(until("20260329T065959Z"), 2);
    assert_eq!(until("20260329T090000"), 3);
    assert_eq!(until("20260329T085959"), 2);
    assert_eq!(until("20260329"), 3);
    assert_eq!(until("20260328"), 2);
    assert_eq!(until("20260101"), 0);
}

#[test]
fn a_series_of_long_ago_is_seen_as_from_its_start() {
    let berlin = zone("Europe/Berlin");
    for rule in [
        "FREQ=SECONDLY;INTERVAL=7",
        "FREQ=MINUTELY;INTERVAL=11;BYHOUR=3",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SU;WKST=SU",
        "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=-1",
        "FREQ=YEARLY;INTERVAL=3;BYDAY=-1SU",
    ] {
        let series = series(rule, start("20200131T020000", berlin.clone()));
        let begins = series.starts_at();
        let often = ["SECONDLY", "MINUTELY", "HOURLY"];
        let days = match often.iter().any(|freq| rule.contains(freq)) {
            true => 40,
            false => 4_000,
        };
        let (to, most) = (begins + days * DAY_S, usize::MAX);
        let all = first(&series, (begins, to), most).unwrap();
        let from = begins + (to - begins) / 2;
        let found = first(&series, (from, to), most).unwrap();
        assert!(found.len() > 1, "{rule}");
        assert_eq!(found, all[all.len() - found.len()..], "{rule}");
        assert!(all[all.len() - found.len() - 1] < from, "{rule}");
    }
}

#[test]
fn a_day_of_the_month_alone_is_one_of_every_month() {
    // As in rrule.js; libical takes the month from the start.
    let found = clock("UTC", "20240229", "FREQ=YEARLY;BYMONTHDAY=29;COUNT=3", 9);
    assert_eq!(
        found,
        [
            "2024-02-29 00:00:00 +00:00",
            "2024-03-29 00:00:00 +00:00",
            "2024-04-29 00:00:00 +00:00",
        ]
    );
}
