//! The times of fields: a day (`2026-11-24`), a time of some zone (`2026-11-24T10:00`), or a moment
//! (`2026-11-24T09:00:00.000Z`). Nothing is rounded to earlier: a reminder is never too early.

use jiff::Timestamp;
use jiff::civil::{self, Date, DateTime};
use jiff::tz::TimeZone;
use syncline_protocol::stamp::WallMs;

/// A time of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Day(Date),
    Local(DateTime),
    Moment(Timestamp),
}

impl Time {
    /// Reads a text; `None` if it is no time.
    pub(super) fn read(text: &str) -> Option<Time> {
        if text.len() == "2026-11-24".len() {
            return text.parse().ok().map(Time::Day);
        }
        if let Ok(moment) = text.parse() {
            return Some(Time::Moment(moment));
        }
        text.parse().ok().map(Time::Local)
    }

    /// The same day without its time of day, if it has one.
    pub(super) fn whole_day(self, zone: &TimeZone) -> Time {
        Time::Day(match self {
            Time::Day(day) => day,
            Time::Local(local) => local.date(),
            Time::Moment(moment) => zone.to_datetime(moment).date(),
        })
    }

    /// When it is; of a day, at a time of that day. A reading that occurs twice is the first one,
    /// one that never occurs is as much after the gap as it was in it (RFC 5545 section 3.3.5).
    /// `None`: before 1970, or later than there are times.
    pub(super) fn at(self, zone: &TimeZone, of_day: civil::Time) -> Option<WallMs> {
        let local = match self {
            Time::Day(day) => day.to_datetime(of_day),
            Time::Local(local) => local,
            Time::Moment(moment) => return wall_ms(moment),
        };
        wall_ms(zone.to_timestamp(local).ok()?)
    }
}

/// The first whole millisecond that is not before a moment.
pub(super) fn wall_ms(moment: Timestamp) -> Option<WallMs> {
    let ns = moment.as_nanosecond();
    WallMs::try_from((ns + 999_999).div_euclid(1_000_000)).ok()
}
