//! Reading times as text: those of iCalendar and those of JSON.

use jiff::Timestamp;

use super::calendar::{DAY_S, Date, day_of, month_len};
use super::limits::YEARS;

/// A time of iCalendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// `20260131`; the day.
    Date(i64),
    /// `20260131T090000`; the reading.
    Local(i64),
    /// `20260131T090000Z`; seconds UTC.
    Utc(i64),
}

/// Reads `YYYYMMDD`, `YYYYMMDDTHHMMSS` or `YYYYMMDDTHHMMSSZ`.
pub(super) fn stamp(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let day = day(bytes.get(..4)?, bytes.get(4..6)?, bytes.get(6..8)?)?;
    let (utc, time) = match bytes.get(8..)? {
        [] => return Some(Stamp::Date(day)),
        [b'T' | b't', time @ .., b'Z' | b'z'] => (true, time),
        [b'T' | b't', time @ ..] => (false, time),
        _ => return None,
    };
    let [h, hh, m, mm, s, ss] = time else {
        return None;
    };
    let reading = day * DAY_S + second_of_day(&[*h, *hh], &[*m, *mm], &[*s, *ss])?;
    Some(if utc {
        Stamp::Utc(reading)
    } else {
        Stamp::Local(reading)
    })
}

/// Reads a local time, `YYYY-MM-DDTHH:MM`, with seconds and thousandths (which are dropped) or
/// without; or a date, which is its midnight. The reading, and whether it is a date.
pub(super) fn local(text: &str) -> Option<(i64, bool)> {
    let bytes = text.as_bytes();
    let date = bytes.get(..10)?;
    if (date[4], date[7]) != (b'-', b'-') {
        return None;
    }
    let day = day(&date[..4], &date[5..7], &date[8..])?;
    let time = match bytes.get(10..)? {
        [] => return Some((day * DAY_S, true)),
        [b'T', time @ ..] => time,
        _ => return None,
    };
    let (time, fraction) = match time.iter().position(|byte| *byte == b'.') {
        Some(at) => (&time[..at], Some(&time[at + 1..])),
        None => (time, None),
    };
    let second = match time {
        [h, hh, b':', m, mm, b':', s, ss] => second_of_day(&[*h, *hh], &[*m, *mm], &[*s, *ss])?,
        [h, hh, b':', m, mm] if fraction.is_none() => second_of_day(&[*h, *hh], &[*m, *mm], b"00")?,
        _ => return None,
    };
    let is_fraction = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    fraction
        .is_none_or(is_fraction)
        .then_some((day * DAY_S + second, false))
}

/// Reads a time with an offset (RFC 3339, as `Date.toISOString` writes it) as seconds UTC, down to
/// the whole second. Where a second must not be before the time, look at `rounded_up`.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let instant: Timestamp = text.parse().ok()?;
    in_years(instant.as_second()).then_some(instant)
}

/// The first whole second that is not before an instant.
pub(super) fn rounded_up(instant: Timestamp) -> i64 {
    rounded_down(instant) + i64::from(instant.subsec_nanosecond() != 0)
}

/// The last whole second that is not after an instant.
pub(super) fn rounded_down(instant: Timestamp) -> i64 {
    // Before 1970 the parts of a timestamp are negative.
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

/// Whether seconds, UTC or local, are of the years that are served.
pub(super) fn in_years(seconds: i64) -> bool {
    YEARS.contains(&super::calendar::date_of(seconds.div_euclid(DAY_S)).year)
}

fn day(year: &[u8], month: &[u8], day: &[u8]) -> Option<i64> {
    let year = i64::from(digits(year)?);
    let month = u8::try_from(digits(month)?).ok()?;
    let day = u8::try_from(digits(day)?).ok()?;
    let exists = YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_len(year, month)).contains(&day);
    exists.then(|| day_of(Date { year, month, day }))
}

/// A leap second is the second before it: clocks here have none.
fn second_of_day(hour: &[u8], minute: &[u8], second: &[u8]) -> Option<i64> {
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    let exists = hour < 24 && minute < 60 && second <= 60;
    exists.then(|| i64::from(hour * 3_600 + minute * 60 + second.min(59)))
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}
