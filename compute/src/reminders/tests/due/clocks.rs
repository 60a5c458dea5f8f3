//! Times of a zone, against a clock that is looked at every minute.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use proptest::prelude::*;

use super::*;

/// When a clock first shows a reading, found by looking at it every minute; if it never does, as much
/// after the gap as it was in it.
fn naive(reading: DateTime, zone: &TimeZone) -> u64 {
    let utc = |reading: DateTime| {
        let at = TimeZone::UTC.to_timestamp(reading).unwrap();
        at.as_second()
    };
    let wanted = utc(reading);
    let shown = |at_s: i64| utc(zone.to_datetime(Timestamp::from_second(at_s).unwrap()));
    let mut at_s = wanted - 30 * 3_600;
    while shown(at_s) < wanted {
        at_s += 60;
    }
    if shown(at_s) != wanted {
        let before = shown(at_s - 60) - (at_s - 60);
        at_s = wanted - before;
    }
    u64::try_from(at_s).unwrap() * 1_000
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_time_of_a_zone_is_when_its_clock_shows_it(
        zone_n in 0..ZONES.len(),
        change in 0..40_usize,
        minutes in -1_500..1_500_i64,
        before_minutes in 0..3_000_u32,
    ) {
        // Around a change of the clock, where there are any.
        let zone = zone(ZONES[zone_n]);
        let first: Timestamp = "2005-01-01T00:00:00Z".parse().unwrap();
        let around = zone.following(first).nth(change).map_or(first, |at| at.timestamp());
        let reading = zone.to_datetime(around);
        let reading = reading.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
        let reading = reading.with().second(0).subsec_nanosecond(0).build().unwrap();
        let (day, time): (Date, Time) = (reading.date(), reading.time());
        let expected = naive(reading, &zone) - u64::from(before_minutes) * MINUTE;
        for task in [
            json!({"due": day.to_string(), "dueTime": time.to_string()}),
            json!({"due": reading.to_string()}),
        ] {
            let task = record(SET, task);
            let reminder = json!({"taskId": "k1", "minutesBefore": before_minutes});
            prop_assert_eq!(due_in(Some(ZONES[zone_n]), reminder, Some(&task)), Ok(expected));
        }
    }

    #[test]
    fn no_value_of_any_field_panics(text in "\\PC{0,30}", number in any::<f64>()) {
        for value in [json!(text), json!(number)] {
            let _ = at(json!({"remindAt": value, "timezone": text}));
            let _ = before(&value, json!({"due": value, "dueTime": text}));
        }
    }
}
