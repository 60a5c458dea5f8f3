//! The times of fields: a day (`2026-11-24`), a time of some zone (`2026-11-24T10:00`), or a moment
//! (`2026-11-24T09:00:00.000Z`). What is written has the form of what was read.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use syncline_protocol::json::{Json, push_string};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::args::FieldText;
use crate::recurrence::{Instant, Refused};

/// A time of a field. Parts of a second are dropped.
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
        let whole = |moment: Timestamp| Timestamp::from_second(moment.as_second()).ok();
        if let Ok(moment) = text.parse::<Timestamp>() {
            return whole(moment).map(Time::Moment);
        }
        let local: DateTime = text.parse().ok()?;
        local
            .with()
            .subsec_nanosecond(0)
            .build()
            .ok()
            .map(Time::Local)
    }

    /// The day of a moment, in a zone.
    pub(super) fn day_of(at_ms: WallMs, zone: &TimeZone) -> Option<Time> {
        Some(Time::Day(local(moment(at_ms)?, zone).date()))
    }

    /// As a recurrence's start is written.
    pub(super) fn dtstart(self, zone: &TimeZone) -> String {
        match self {
            Time::Day(day) => day.to_string(),
            Time::Local(local) => local.to_string(),
            Time::Moment(moment) => local(moment, zone).to_string(),
        }
    }

    /// The zone in which its recurrence is expanded: days are days, wherever.
    pub(super) fn zone_name(self, named: &str) -> &str {
        match self {
            Time::Day(_) => "UTC",
            Time::Local(_) | Time::Moment(_) => named,
        }
    }

    /// The same form of time at an occurrence of its recurrence.
    pub(super) fn at(self, occurrence: Instant, zone: &TimeZone) -> Option<Time> {
        let moment = Timestamp::from_second(occurrence.0).ok()?;
        Some(match self {
            Time::Day(_) => Time::Day(local(moment, &TimeZone::UTC).date()),
            Time::Local(_) => Time::Local(local(moment, zone)),
            Time::Moment(_) => Time::Moment(moment),
        })
    }

    /// The second, UTC, from which its recurrence looks for what is after a moment: a day is over
    /// only when the next one begins.
    pub(super) fn looks_after(self, at_ms: WallMs, zone: &TimeZone) -> Option<Instant> {
        let moment = moment(at_ms)?;
        Some(match self {
            Time::Day(_) => {
                let midnight = local(moment, zone).date().at(0, 0, 0, 0);
                Instant(in_zone(midnight, &TimeZone::UTC)?.as_second())
            }
            Time::Local(_) | Time::Moment(_) => Instant(moment.as_second()),
        })
    }

    /// Seconds from this to another of the same form; `None` if it is of another.
    pub(super) fn until(self, other: Time) -> Option<i64> {
        let seconds = |time: DateTime| in_zone(time, &TimeZone::UTC).map(Timestamp::as_second);
        let midnight = |day: Date| day.at(0, 0, 0, 0);
        match (self, other) {
            (Time::Day(one), Time::Day(two)) => {
                Some(seconds(midnight(two))? - seconds(midnight(one))?)
            }
            (Time::Local(one), Time::Local(two)) => Some(seconds(two)? - seconds(one)?),
            (Time::Moment(one), Time::Moment(two)) => Some(two.as_second() - one.as_second()),
            _ => None,
        }
    }

    /// So many seconds later; of a day, its whole days.
    pub(super) fn later(self, seconds: i64) -> Option<Time> {
        let by = SignedDuration::from_secs(seconds);
        Some(match self {
            Time::Day(day) => Time::Day(day.checked_add(by).ok()?),
            Time::Local(local) => Time::Local(local.checked_add(by).ok()?),
            Time::Moment(moment) => Time::Moment(moment.checked_add(by).ok()?),
        })
    }

    /// As a line of exceptions names it, for a recurrence of this form of start.
    fn exception(self, of: Time, zone: &TimeZone) -> String {
        let day = |day: Date| format!("EXDATE;VALUE=DATE:{}", day.strftime("%Y%m%d"));
        match (self, of) {
            (Time::Day(one), _) => day(one),
            (Time::Local(time), Time::Day(_)) => day(time.date()),
            (Time::Moment(moment), Time::Day(_)) => day(local(moment, zone).date()),
            (Time::Local(local), _) => format!("EXDATE:{}", local.strftime("%Y%m%dT%H%M%S")),
            (Time::Moment(moment), _) => format!("EXDATE:{}", moment.strftime("%Y%m%dT%H%M%SZ")),
        }
    }

    /// The value of a field.
    pub(super) fn json(self) -> Json {
        let text = match self {
            Time::Day(day) => day.to_string(),
            Time::Local(local) => local.to_string(),
            Time::Moment(moment) => Instant(moment.as_second()).to_string(),
        };
        json_of(&text)
    }
}

/// A text as a field's value.
pub(super) fn json_of(text: &str) -> Json {
    let mut quoted = String::new();
    push_string(&mut quoted, text);
    Json::trusted(&quoted)
}

/// The text of a field; `None` if it is no text.
pub(super) fn text(record: &Record, field: &FieldText) -> Option<String> {
    let value = &record.field(field.as_str())?.value;
    serde_json::from_str(value.as_str()).ok()
}

/// The time of a field.
pub(super) fn time(record: &Record, field: &FieldText) -> Option<Time> {
    Time::read(&text(record, field)?)
}

/// What a record says of when it repeats.
#[derive(Clone, Debug)]
pub(super) struct Repeats {
    /// As it was written.
    pub(super) rule: String,
    pub(super) zone_name: String,
    pub(super) zone: TimeZone,
    /// Texts of times.
    except: Vec<String>,
}

/// The fields that say it.
pub(super) struct RepeatFields<'a> {
    pub(super) rule: &'a FieldText,
    pub(super) timezone: &'a FieldText,
    pub(super) zone: &'a str,
    pub(super) except: &'a FieldText,
}

impl Repeats {
    /// `None` if it has no rule. Errors: its zone is none.
    pub(super) fn of(
        record: &Record,
        fields: &RepeatFields<'_>,
    ) -> Result<Option<Repeats>, Refused> {
        let rule = text(record, fields.rule).filter(|rule| !rule.trim().is_empty());
        let Some(rule) = rule else {
            return Ok(None);
        };
        let zone_name = text(record, fields.timezone).filter(|name| !name.is_empty());
        let zone_name = zone_name.unwrap_or_else(|| fields.zone.to_owned());
        let zone = TimeZone::get(&zone_name).map_err(|_| Refused::ZoneUnknown)?;
        let except = record.field(fields.except.as_str());
        let except = except.and_then(|field| serde_json::from_str(field.value.as_str()).ok());
        Ok(Some(Repeats {
            rule,
            zone_name,
            zone,
            except: except.unwrap_or_default(),
        }))
    }

    /// Lines of the rule that its recurrence has.
    pub(super) fn own_lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.rule.lines();
        // A blank line says nothing, and at the end of the text it would be none.
        lines.filter(|line| !line.trim().is_empty() && !is_start(line))
    }

    /// The recurrence: without a start of its own, since that is the record's, and with its
    /// exceptions. Those that are no times are none.
    pub(super) fn rrule(&self, start: Time) -> String {
        let mut all: Vec<String> = self.own_lines().map(str::to_owned).collect();
        let times = self.except.iter().filter_map(|text| Time::read(text));
        all.extend(times.map(|time| time.exception(start, &self.zone)));
        all.join("\n")
    }
}

fn is_start(line: &str) -> bool {
    line.trim_start()
        .to_ascii_uppercase()
        .starts_with("DTSTART")
}

fn moment(at_ms: WallMs) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()
}

fn local(moment: Timestamp, zone: &TimeZone) -> DateTime {
    zone.to_datetime(moment)
}

fn in_zone(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(time).ok()
}
