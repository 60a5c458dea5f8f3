//! Quiet hours, also when the clock is changed.

use jiff::Timestamp;
use jiff::civil::time;
use proptest::prelude::*;

use super::*;

fn hours(from: &str, to: &str) -> Quiet {
    Quiet::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

fn ends(quiet: Quiet, at: &str, in_zone: &str) -> String {
    let ends_ms = quiet.ends_ms(ms(at), &zone(in_zone));
    Timestamp::from_millisecond(ends_ms as i64)
        .unwrap()
        .to_string()
}

#[test]
fn the_night_is_quiet_to_the_millisecond() {
    let night = hours("22:00", "07:00");
    for (at, expected) in [
        ("2026-11-24T20:59:59.999Z", "2026-11-24T20:59:59.999Z"),
        ("2026-11-24T21:00:00Z", "2026-11-25T06:00:00Z"),
        ("2026-11-24T23:30:00Z", "2026-11-25T06:00:00Z"),
        ("2026-11-25T05:59:59.999Z", "2026-11-25T06:00:00Z"),
        ("2026-11-25T06:00:00Z", "2026-11-25T06:00:00Z"),
    ] {
        assert_eq!(ends(night, at, "Europe/Berlin"), expected, "{at}");
    }
    let noon = hours("12:00", "14:00");
    assert_eq!(
        ends(noon, "2026-11-24T11:59:59Z", "UTC"),
        "2026-11-24T11:59:59Z"
    );
    assert_eq!(
        ends(noon, "2026-11-24T12:00:00Z", "UTC"),
        "2026-11-24T14:00:00Z"
    );
    let evening = hours("18:00", "00:00");
    assert_eq!(
        ends(evening, "2026-11-24T23:59:00Z", "UTC"),
        "2026-11-25T00:00:00Z"
    );
}

#[test]
fn a_night_is_an_hour_shorter_or_longer_when_the_clock_is_changed() {
    let night = hours("22:00", "07:00");
    let spring = ends(night, "2026-03-28T22:00:00Z", "Europe/Berlin");
    assert_eq!(spring, "2026-03-29T05:00:00Z");
    let autumn = ends(night, "2026-10-24T21:00:00Z", "Europe/Berlin");
    assert_eq!(autumn, "2026-10-25T06:00:00Z");
}

/// From 01:59:59 the clock goes to 03:00, so there is no 02:30: the first that is not quiet is 03:00.
#[test]
fn hours_that_end_in_a_gap_end_with_it() {
    let night = hours("22:00", "02:30");
    let ends = ends(night, "2026-03-29T00:30:00Z", "Europe/Berlin");
    assert_eq!(ends, "2026-03-29T01:00:00Z");
}

/// From 02:59:59 the clock goes back to 02:00.
#[test]
fn hours_that_end_in_a_fold_are_quiet_twice() {
    let night = hours("22:00", "02:30");
    for (at, expected) in [
        ("2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:59:59Z", "2026-10-25T00:59:59Z"),
        ("2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
        ("2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"),
    ] {
        assert_eq!(ends(night, at, "Europe/Berlin"), expected, "{at}");
    }
    // It would be 03:00, and is 02:00 once more.
    let longer = hours("22:00", "03:00");
    for at in [
        "2026-10-25T00:10:00Z",
        "2026-10-25T00:59:00Z",
        "2026-10-25T01:00:00Z",
    ] {
        assert_eq!(
            ends(longer, at, "Europe/Berlin"),
            "2026-10-25T02:00:00Z",
            "{at}"
        );
    }
}

#[test]
fn no_hours_and_all_hours_are_none() {
    assert_eq!(Quiet::new(time(7, 0, 0, 0), time(7, 0, 0, 0)), None);
}

#[test]
fn times_that_there_are_not_are_left_as_they_are() {
    let night = hours("22:00", "07:00");
    assert_eq!(night.ends_ms(u64::MAX, &TimeZone::UTC), u64::MAX);
}

/// The first minute that is not quiet, found by looking at a clock every minute.
fn naive(from: u16, to: u16, at_ms: u64, zone: &TimeZone) -> u64 {
    let is_quiet = |at_ms: u64| {
        let at = Timestamp::from_millisecond(at_ms as i64).unwrap();
        let reading = zone.to_datetime(at).time();
        let minute = reading.hour() as u16 * 60 + reading.minute() as u16;
        match from < to {
            true => (from..to).contains(&minute),
            false => minute >= from || minute < to,
        }
    };
    let mut at_ms = at_ms;
    while is_quiet(at_ms) {
        at_ms += MINUTE;
    }
    at_ms
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn they_end_at_the_first_minute_that_is_not_quiet(
        zone_n in 0..ZONES.len(),
        change in 0..40_usize,
        minutes in -2_000..2_000_i64,
        from in 0..1_440_u16,
        length in 1..1_440_u16,
    ) {
        let zone = zone(ZONES[zone_n]);
        let first: Timestamp = "2005-01-01T00:00:00Z".parse().unwrap();
        let around = zone.following(first).nth(change).map_or(first, |at| at.timestamp());
        let at_ms = around.as_millisecond() + minutes * 60_000;
        let at_ms = u64::try_from(at_ms).unwrap();
        let to = (from + length) % 1_440;
        let of = |minute: u16| time((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        let found = Quiet::new(of(from), of(to)).unwrap().ends_ms(at_ms, &zone);
        prop_assert_eq!(found, naive(from, to, at_ms, &zone));
    }
}
