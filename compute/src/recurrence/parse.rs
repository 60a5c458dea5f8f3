//! Reading the text of a recurrence: a rule alone (`FREQ=DAILY`), or iCalendar lines of `DTSTART`,
//! `RRULE`, `RDATE` and `EXDATE`.

use super::limits::{DATES_MAX, RULE_BYTES_MAX, TEXT_BYTES_MAX};
use super::refused::Refused;
use super::rule::Rule;
use super::stamps::{Stamp, stamp};

mod parts;

/// A date of a list: what was written, and the zone if one was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) stamp: Stamp,
    pub(super) zone: Option<String>,
}

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) start: Option<Dated>,
    pub(super) rule: Option<Rule>,
    pub(super) dates: Vec<Dated>,
    pub(super) exceptions: Vec<Dated>,
}

/// A content line: its name, its parameters and its value.
struct Line<'a> {
    name: &'a str,
    zone: Option<String>,
    value_type: Option<&'a str>,
    value: &'a str,
}

/// Reads a text. Errors: it is empty, too long, names what is not known or says what must not be.
pub(super) fn read(text: &str) -> Result<Text, Refused> {
    if text.trim().is_empty() {
        return Err(Refused::Missing);
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refused::TooLarge);
    }
    let unfolded = unfold(text);
    let mut read = Text::default();
    for line in unfolded
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        take_line(&mut read, &split(line)?)?;
    }
    if read.rule.is_none() && read.dates.is_empty() {
        return Err(Refused::invalid("no RRULE and no RDATE"));
    }
    Ok(read)
}

/// Joins lines that were folded (RFC 5545 section 3.1).
pub(super) fn unfold(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.replace("\n ", "").replace("\n\t", "")
}

fn take_line(read: &mut Text, line: &Line<'_>) -> Result<(), Refused> {
    match line.name.to_ascii_uppercase().as_str() {
        "DTSTART" if read.start.is_some() => Err(Refused::invalid("two DTSTART")),
        "DTSTART" => {
            let dates = dates(line)?;
            let [start] = dates.as_slice() else {
                return Err(Refused::invalid("DTSTART is one time"));
            };
            read.start = Some(start.clone());
            Ok(())
        }
        "RRULE" if read.rule.is_some() => Err(Refused::invalid("two RRULE")),
        "RRULE" if line.value.len() > RULE_BYTES_MAX => Err(Refused::TooLarge),
        "RRULE" => {
            read.rule = Some(parts::rule(line.value)?);
            Ok(())
        }
        "RDATE" => add(&mut read.dates, line, "RDATE"),
        "EXDATE" => add(&mut read.exceptions, line, "EXDATE"),
        _ => Err(Refused::invalid(
            "only DTSTART, RRULE, RDATE and EXDATE are known",
        )),
    }
}

fn add(list: &mut Vec<Dated>, line: &Line<'_>, name: &'static str) -> Result<(), Refused> {
    list.extend(dates(line)?);
    if list.len() > DATES_MAX {
        return Err(Refused::TooManyDates(name));
    }
    Ok(())
}

/// Splits a line. One without a colon is a rule alone.
fn split(line: &str) -> Result<Line<'_>, Refused> {
    let mut split = Line {
        name: "RRULE",
        zone: None,
        value_type: None,
        value: line,
    };
    let Some((head, value)) = line.split_once(':') else {
        return Ok(split);
    };
    let mut head = head.split(';');
    split.name = head.next().unwrap_or_default();
    split.value = value;
    for parameter in head {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| Refused::invalid("a parameter has no value"))?;
        match name.to_ascii_uppercase().as_str() {
            "TZID" => split.zone = Some(value.trim_matches('"').to_owned()),
            "VALUE" => split.value_type = Some(value),
            _ => return Err(Refused::invalid("only TZID and VALUE are known parameters")),
        }
    }
    Ok(split)
}

/// The times of a line: dates, times, or periods, which stand for their start.
fn dates(line: &Line<'_>) -> Result<Vec<Dated>, Refused> {
    let value_type = line.value_type.unwrap_or("").to_ascii_uppercase();
    let date = |text: &str| -> Option<Stamp> {
        let text = match value_type.as_str() {
            "PERIOD" => text.split_once('/')?.0,
            _ => text,
        };
        let stamp = stamp(text)?;
        let is_date = matches!(stamp, Stamp::Date(_));
        let typed = match value_type.as_str() {
            "DATE" => is_date,
            "DATE-TIME" | "PERIOD" => !is_date,
            // Dates without their type are seen in the wild.
            "" => true,
            _ => false,
        };
        typed.then_some(stamp)
    };
    let dated = |text: &str| {
        let stamp = date(text.trim());
        let stamp = stamp.ok_or_else(|| Refused::invalid("a time cannot be read"))?;
        Ok(Dated {
            stamp,
            zone: line.zone.clone(),
        })
    };
    // One more than may be is enough to know.
    let texts = line.value.split(',').take(DATES_MAX + 1);
    texts.map(dated).collect()
}
