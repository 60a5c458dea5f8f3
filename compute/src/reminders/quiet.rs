//! Quiet hours: when a clock of the user's zone shows a time in them.
//!
//! Clocks that are changed are no exception. Hours that a clock skips are not quiet, for nobody sees
//! them; those that it shows twice are quiet twice.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use syncline_protocol::stamp::WallMs;

/// Changes of a zone's clock that are looked at for the end of quiet hours. They last less than a
/// day, in which no zone has changed its clock more often.
const CHANGES_MAX: usize = 8;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Hours of a day, of any zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The first time that is quiet.
    from: Time,
    /// The first that is not: of the next day, if it is not after `from`.
    to: Time,
}

impl Quiet {
    /// `None`: they would be empty, or all of the day.
    pub fn new(from: Time, to: Time) -> Option<Quiet> {
        (from != to).then_some(Quiet { from, to })
    }

    /// Whether a reading of a clock is in them.
    fn holds(self, reading: Time) -> bool {
        match self.from < self.to {
            true => self.from <= reading && reading < self.to,
            false => self.from <= reading || reading < self.to,
        }
    }

    /// The first moment from `at_ms` on that is not quiet: itself, if it is not.
    pub fn ends_ms(self, at_ms: WallMs, zone: &TimeZone) -> WallMs {
        let Some(asked) = timestamp(at_ms) else {
            return at_ms;
        };
        let mut from = asked;
        for _ in 0..CHANGES_MAX {
            let reading = zone.to_datetime(from).time();
            if !self.holds(reading) {
                break;
            }
            let Ok(end) = from.checked_add(until(reading, self.to)) else {
                break;
            };
            let change = zone.following(from).next().map(|change| change.timestamp());
            match change.filter(|change| *change <= end) {
                // The clock is changed by then: what it shows goes on from there.
                Some(change) => from = change,
                None => {
                    from = end;
                    break;
                }
            }
        }
        WallMs::try_from(from.as_millisecond()).map_or(at_ms, |ms| ms.max(at_ms))
    }
}

/// From a reading to the next time that a clock shows another, if nobody changes it.
fn until(reading: Time, to: Time) -> SignedDuration {
    let ns = |time: Time| {
        SignedDuration::from_hours(i64::from(time.hour()))
            + SignedDuration::from_mins(i64::from(time.minute()))
            + SignedDuration::from_secs(i64::from(time.second()))
            + SignedDuration::from_nanos(i64::from(time.subsec_nanosecond()))
    };
    let apart = ns(to) - ns(reading);
    match apart.is_positive() {
        true => apart,
        false => apart + SignedDuration::from_nanos(DAY_NS),
    }
}

fn timestamp(at_ms: WallMs) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()
}
