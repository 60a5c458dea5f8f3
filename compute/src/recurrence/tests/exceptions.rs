//! `RDATE` and `EXDATE` in their forms.

use super::clock;

const THREE: &str = "RRULE:FREQ=DAILY;COUNT=3";
const ONE_AND_THREE: [&str; 2] = ["2026-01-01 09:00:00 +01:00", "2026-01-03 09:00:00 +01:00"];

fn berlin(lines: &str) -> Vec<String> {
    clock(
        "Europe/Berlin",
        "20260101T090000",
        &format!("{THREE}\n{lines}"),
        99,
    )
}

#[test]
fn an_exception_may_be_a_date_a_reading_or_an_instant() {
    for lines in [
        "EXDATE;VALUE=DATE:20260102",
        "EXDATE:20260102",
        "EXDATE:20260102T090000",
        "EXDATE;VALUE=DATE-TIME:20260102T090000",
        "EXDATE:20260102T080000Z",
        "EXDATE;TZID=America/New_York:20260102T030000",
        "EXDATE;TZID=\"America/New_York\":20260102T030000",
        "exdate;tzid=europe/berlin:20260102t090000",
        "EXDATE:20250101T090000,20260102T090000,20260102T090000",
        "EXDATE:20250101T090000\r\nEXDATE:20260102\r\n T090000",
    ] {
        assert_eq!(berlin(lines), ONE_AND_THREE, "{lines}");
    }
}

#[test]
fn an_exception_that_names_no_occurrence_takes_none() {
    for lines in [
        "EXDATE:20260102T090001",
        "EXDATE:20260102T090000Z",
        "EXDATE;TZID=America/New_York:20260102T090000",
        "EXDATE;VALUE=DATE:20260104",
    ] {
        assert_eq!(berlin(lines).len(), 3, "{lines}");
    }
}

#[test]
fn an_exception_is_counted_all_the_same() {
    assert_eq!(berlin("EXDATE:20260101T090000,20260103T090000").len(), 1);
}

#[test]
fn a_day_of_another_zone_takes_what_is_in_it() {
    // 3 January begins in Kiritimati (+14:00) at 11:00 of the 2nd in Berlin.
    let found = berlin("EXDATE;VALUE=DATE;TZID=Pacific/Kiritimati:20260103");
    assert_eq!(
        found,
        ["2026-01-01 09:00:00 +01:00", "2026-01-02 09:00:00 +01:00"]
    );
}

#[test]
fn a_time_of_a_gap_is_excepted_by_the_name_it_has_there() {
    let lines = "RRULE:FREQ=DAILY;COUNT=2\nEXDATE:20260329T023000";
    let found = clock("Europe/Berlin", "20260328T023000", lines, 9);
    assert_eq!(found, ["2026-03-28 02:30:00 +01:00"]);
}

#[test]
fn dates_are_merged_in_order_and_once() {
    let lines = "RDATE:20260102T090000,20260101T120000,20260101T120000\n\
        RDATE;TZID=America/New_York:20260105T030000\n\
        RDATE;VALUE=PERIOD:20251231T080000Z/PT1H\n\
        RDATE;VALUE=DATE:20260104";
    assert_eq!(
        berlin(lines),
        [
            "2025-12-31 09:00:00 +01:00",
            "2026-01-01 09:00:00 +01:00",
            "2026-01-01 12:00:00 +01:00",
            "2026-01-02 09:00:00 +01:00",
            "2026-01-03 09:00:00 +01:00",
            "2026-01-04 09:00:00 +01:00",
            "2026-01-05 09:00:00 +01:00",
        ]
    );
}

#[test]
fn exceptions_take_dates_too() {
    let found = berlin("RDATE:20260105T090000,20260106T090000\nEXDATE:20260105T090000");
    assert_eq!(found.len(), 4);
    assert_eq!(found[3], "2026-01-06 09:00:00 +01:00");
}

#[test]
fn without_a_rule_the_start_is_one_of_the_dates() {
    let found = clock(
        "Europe/Berlin",
        "20260101T090000",
        "RDATE:20260103T090000",
        9,
    );
    assert_eq!(found, ONE_AND_THREE);
}

#[test]
fn a_text_that_says_its_start_and_zone_is_taken_by_them() {
    for (line, shown) in [
        (
            "DTSTART;TZID=Asia/Tokyo:20260101T090000",
            "2026-01-01 00:00:00 +00:00",
        ),
        ("DTSTART:20260101T090000Z", "2026-01-01 09:00:00 +00:00"),
        ("DTSTART:20260101T090000", "2026-01-01 09:00:00 +00:00"),
        ("DTSTART;VALUE=DATE:20260101", "2026-01-01 00:00:00 +00:00"),
    ] {
        let text = format!("{line}\nRRULE:FREQ=DAILY");
        let series = super::series(
            &text,
            super::start("20250101T000000", jiff::tz::TimeZone::UTC),
        );
        let found = super::first(&series, (0, 2_000_000_000), 1).unwrap();
        assert_eq!(
            super::shown(&found, &jiff::tz::TimeZone::UTC),
            [shown],
            "{line}"
        );
    }
}
