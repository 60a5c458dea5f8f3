//! From readings of a wall clock to instants, in the way RFC 5545 section 3.3.5 has it: a reading
//! that occurs twice is the first one, one that never occurs is taken with the offset before the
//! gap, so it is as much after the gap as it was in it.
//!
//! The tz database is part of the program, so every node knows the same one.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::refused::Refused;

/// A zone, and the offset that was looked up last.
#[derive(Debug)]
pub(super) struct Zone {
    zone: TimeZone,
    /// Readings that are surely at `offset_s`.
    from: i64,
    to: i64,
    offset_s: i64,
}

/// An instant of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Seconds UTC.
    pub(super) instant: i64,
    /// The reading was in a gap: later readings may be earlier instants.
    pub(super) moved: bool,
}

/// A zone of the tz database by its name. Errors: [`Refused::ZoneUnknown`].
pub(super) fn named(name: &str) -> Result<TimeZone, Refused> {
    TimeZone::get(name).map_err(|_| Refused::ZoneUnknown)
}

impl Zone {
    pub(super) fn new(zone: TimeZone) -> Self {
        Zone {
            zone,
            from: 0,
            to: 0,
            offset_s: 0,
        }
    }

    /// When a clock of the zone shows a reading.
    #[inline]
    pub(super) fn place(&mut self, reading: i64) -> Placed {
        if (self.from..self.to).contains(&reading) {
            return Placed {
                instant: reading - self.offset_s,
                moved: false,
            };
        }
        self.look_up(reading)
    }

    fn look_up(&mut self, reading: i64) -> Placed {
        let shown = Offset::UTC.to_datetime(at(reading));
        let (offset, moved) = match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, false),
            AmbiguousOffset::Gap { before, .. } => (before, true),
            AmbiguousOffset::Fold { before, .. } => (before, false),
        };
        let offset_s = i64::from(offset.seconds());
        let instant = reading - offset_s;
        if !moved {
            self.remember(instant, offset_s);
        }
        Placed { instant, moved }
    }

    /// Remembers until when the offset of an instant holds, for readings: from when the clock last
    /// showed what it had shown before, to when it is changed. What a changed clock shows again
    /// was first shown before.
    fn remember(&mut self, instant: i64, offset_s: i64) {
        let from = self.zone.preceding(at(instant + 1)).next().map(|change| {
            let change = change.timestamp().as_second();
            let before = self.zone.to_offset(at(change - 1)).seconds();
            change + offset_s.max(i64::from(before))
        });
        let to = self.zone.following(at(instant)).next();
        self.from = from.unwrap_or(i64::MIN);
        self.to = to.map_or(i64::MAX, |change| change.timestamp().as_second() + offset_s);
        self.offset_s = offset_s;
    }
}

/// The longest gap: a day is skipped where the date line is moved.
const GAP_S: i64 = 24 * 3_600;

/// A reading before which none has an instant from `from` on. Shortly after a gap those in it
/// still count: they have the offset before it.
pub(super) fn first_reading(zone: &TimeZone, from: i64) -> i64 {
    let offset = |instant: i64| i64::from(zone.to_offset(at(instant)).seconds());
    from + offset(from).min(offset(from - GAP_S))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("years were checked")
}
