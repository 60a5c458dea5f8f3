//! A recurrence with everything it needs, and its occurrences: rule and dates, without exceptions.

use jiff::tz::TimeZone;

use super::calendar::DAY_S;
use super::parse::{self, Dated};
use super::refused::Refused;
use super::rule::{Rule, Until};
use super::stamps::Stamp;
use super::work::Work;
use super::zone::{Zone, named};

mod occurrences;
mod ruled;

pub(super) use occurrences::Occurrences;
use ruled::Ruled;

/// Steps that reading a zone of the database counts.
const ZONE_STEPS: usize = 200;

/// Steps that placing a reading in a zone counts, when what was looked up last does not help.
const PLACE_STEPS: usize = 10;

/// When a recurrence starts, and in which zone its readings are.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The reading.
    pub(super) reading: i64,
    /// A date: times within the day mean nothing.
    pub(super) is_date: bool,
    pub(super) zone: TimeZone,
}

/// A recurrence.
#[derive(Debug)]
pub(super) struct Series {
    start: Start,
    rule: Option<Rule>,
    /// Seconds UTC, ascending, without duplicates.
    dates: Vec<i64>,
    /// Seconds UTC, ascending.
    exceptions: Vec<i64>,
    /// Days that are left out, as (first second, second after the last), ascending and apart.
    days_off: Vec<(i64, i64)>,
}

impl Series {
    /// Reads a text that says itself when it starts, or starts with `start` if it does not.
    pub(super) fn read(text: &str, start: Start, work: &mut Work) -> Result<Self, Refused> {
        let mut read = parse::read(text)?;
        let start = match read.start.take() {
            Some(written) => written_start(&written, work)?,
            None => start,
        };
        Series::new(start, read, work)
    }

    /// Reads a text that starts with `start` and must not say when itself.
    pub(super) fn read_from(start: Start, text: &str, work: &mut Work) -> Result<Self, Refused> {
        let read = parse::read(text)?;
        if read.start.is_some() {
            return Err(Refused::invalid("the start is given beside the rule"));
        }
        Series::new(start, read, work)
    }

    fn new(start: Start, read: parse::Text, work: &mut Work) -> Result<Self, Refused> {
        let mut zones = Zones {
            own: start.zone.clone(),
            other: None,
        };
        let mut rule = read.rule;
        if let (Some(rule), true) = (&mut rule, start.is_date) {
            // Times within a day mean nothing to a date (RFC 5545 section 3.3.10).
            rule.by_hour.clear();
            rule.by_minute.clear();
            rule.by_second.clear();
            rule.check()?;
        }
        let mut series = Series {
            rule,
            dates: Vec::new(),
            exceptions: Vec::new(),
            days_off: Vec::new(),
            start,
        };
        for date in &read.dates {
            let time = series.start.reading.rem_euclid(DAY_S);
            let instant = match date.stamp {
                Stamp::Date(day) => zones.instant(day * DAY_S + time, date, work)?,
                Stamp::Local(reading) => zones.instant(reading, date, work)?,
                Stamp::Utc(instant) => instant,
            };
            series.dates.push(instant);
        }
        for date in &read.exceptions {
            match date.stamp {
                Stamp::Date(day) => {
                    let first = zones.instant(day * DAY_S, date, work)?;
                    let after = zones.instant((day + 1) * DAY_S, date, work)?;
                    series.days_off.push((first, after));
                }
                Stamp::Local(reading) => {
                    let instant = zones.instant(reading, date, work)?;
                    series.exceptions.push(instant);
                }
                Stamp::Utc(instant) => series.exceptions.push(instant),
            }
        }
        if series.rule.is_none() {
            // Without a rule the start is an occurrence like the dates.
            let start = Zone::new(series.start.zone.clone()).place(series.start.reading);
            series.dates.push(start.instant);
        }
        series.dates.sort_unstable();
        series.dates.dedup();
        series.exceptions.sort_unstable();
        series.days_off = joined(series.days_off);
        Ok(series)
    }

    /// The instant of its start, seconds UTC. It is an occurrence only if the rule has it.
    pub(super) fn starts_at(&self) -> i64 {
        let mut zone = Zone::new(self.start.zone.clone());
        zone.place(self.start.reading).instant
    }

    /// How many its rule may have in all, if it says so.
    pub(super) fn count(&self) -> Option<u32> {
        self.rule.as_ref()?.count
    }

    /// How many its rule has before an instant, those that exceptions leave out among them: what
    /// `COUNT` counts.
    pub(super) fn ruled_before(&self, instant: i64, work: &mut Work) -> Result<u32, Refused> {
        let Some(rule) = &self.rule else {
            return Ok(0);
        };
        let mut ruled = Ruled::new(rule, &self.start, self.starts_at(), instant);
        let mut before = 0;
        while let Some(next) = ruled.next(work)? {
            if next >= instant {
                break;
            }
            work.spend(1)?;
            before += 1;
        }
        Ok(before)
    }

    /// The occurrences from `from` to before `to`, seconds UTC, ascending.
    pub(super) fn between(&self, from: i64, to: i64) -> Occurrences<'_> {
        Occurrences::new(self, from, to)
    }
}

/// Ranges, ascending and apart: days of several zones overlap.
fn joined(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joins = next.0 <= kept.1;
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
    ranges
}

/// Where times without a zone of their own are, and the other zone that was named last.
struct Zones {
    own: TimeZone,
    other: Option<(String, TimeZone)>,
}

impl Zones {
    fn instant(&mut self, reading: i64, of: &Dated, work: &mut Work) -> Result<i64, Refused> {
        work.spend(PLACE_STEPS)?;
        let zone = match &of.zone {
            None => self.own.clone(),
            Some(name) => match &self.other {
                Some((last, zone)) if last == name => zone.clone(),
                _ => {
                    work.spend(ZONE_STEPS)?;
                    let zone = named(name)?;
                    self.other = Some((name.clone(), zone.clone()));
                    zone
                }
            },
        };
        Ok(Zone::new(zone).place(reading).instant)
    }
}

fn written_start(written: &Dated, work: &mut Work) -> Result<Start, Refused> {
    work.spend(ZONE_STEPS)?;
    let named = written.zone.as_deref().map(named).transpose()?;
    let (reading, is_date) = match written.stamp {
        Stamp::Date(day) => (day * DAY_S, true),
        Stamp::Local(reading) => (reading, false),
        // The zone is UTC, whatever is named.
        Stamp::Utc(instant) => {
            return Ok(Start {
                reading: instant,
                is_date: false,
                zone: TimeZone::UTC,
            });
        }
    };
    // A time without a zone is everybody's own; here it is that of UTC.
    let zone = named.unwrap_or(TimeZone::UTC);
    Ok(Start {
        reading,
        is_date,
        zone,
    })
}

/// Whether a rule is over by its own `UNTIL` at a reading.
fn is_past(until: Option<Until>, reading: i64) -> bool {
    matches!(until, Some(Until::Reading(last)) if reading > last)
}
