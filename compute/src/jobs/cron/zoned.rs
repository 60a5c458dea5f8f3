//! The crate's clock, made of ours: so there is one tz database in the program.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use syncline_protocol::stamp::WallMs;

/// A moment in a zone.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) zone: TimeZone,
}

impl Moment {
    /// Milliseconds since 1970; `None` before that.
    pub(super) fn wall_ms(&self) -> Option<WallMs> {
        u64::try_from(self.at.as_millisecond()).ok()
    }

    fn shown(&self) -> DateTime {
        self.zone.to_datetime(self.at)
    }
}

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let shown = self.shown();
        let part = |part: i8| u32::from(part.unsigned_abs());
        let date = CivilDate::from_parts_unchecked(
            i32::from(shown.year()),
            part(shown.month()),
            part(shown.day()),
        );
        let time = CivilTime::from_parts_unchecked(
            part(shown.hour()),
            part(shown.minute()),
            part(shown.second()),
        );
        CivilDateTime::new(date, time)
    }

    fn civil_weekday(&self) -> Weekday {
        let from_sunday = self.shown().weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(u32::from(from_sunday.unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let shown = shown(civil).ok_or(CronError::InvalidDate)?;
        let found = self.zone.to_ambiguous_timestamp(shown);
        let moment = |at: Result<Timestamp, jiff::Error>| {
            let zone = self.zone.clone();
            let at = at.map_err(|_| CronError::InvalidTime)?;
            Ok(Moment { at, zone })
        };
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(moment(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(moment(found.earlier())?, moment(found.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let at = self.at.checked_add(SignedDuration::from_secs(seconds));
        let zone = self.zone.clone();
        at.ok().map(|at| Moment { at, zone })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

fn shown(civil: CivilDateTime) -> Option<DateTime> {
    let small = |part: u32| i8::try_from(part).ok();
    let shown = DateTime::new(
        i16::try_from(civil.year()).ok()?,
        small(civil.month())?,
        small(civil.day())?,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
        0,
    );
    shown.ok()
}
