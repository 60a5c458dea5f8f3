//! The parts of an `RRULE`.

use std::str::FromStr;

use crate::recurrence::calendar::DAY_S;
use crate::recurrence::refused::Refused;
use crate::recurrence::rule::{ByDay, Freq, Rule, Until};
use crate::recurrence::stamps::{Stamp, stamp};

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// Reads `FREQ=…;…` and checks it as a whole. Errors: [`Refused::Invalid`].
pub(super) fn rule(text: &str) -> Result<Rule, Refused> {
    let text = text.to_ascii_uppercase();
    // A semicolon at the end is seen in the wild.
    let text = text.strip_suffix(';').unwrap_or(&text);
    let mut parts = Vec::new();
    for part in text.split(';') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| Refused::invalid("a part is no NAME=VALUE"))?;
        if parts.iter().any(|(other, _)| *other == name) {
            return Err(Refused::invalid("a part is written twice"));
        }
        parts.push((name, value));
    }
    let freq = parts.iter().find(|(name, _)| *name == "FREQ");
    let (_, freq) = freq.ok_or_else(|| Refused::invalid("no FREQ"))?;
    let mut rule = Rule::new(frequency(freq)?);
    for (name, value) in parts {
        take_part(&mut rule, name, value).ok_or_else(|| {
            let named: String = name.chars().take(16).collect();
            Refused::invalid(format!("{named} is not known or has no such value"))
        })?;
    }
    rule.check()?;
    Ok(rule)
}

fn frequency(text: &str) -> Result<Freq, Refused> {
    Ok(match text {
        "YEARLY" => Freq::Yearly,
        "MONTHLY" => Freq::Monthly,
        "WEEKLY" => Freq::Weekly,
        "DAILY" => Freq::Daily,
        "HOURLY" => Freq::Hourly,
        "MINUTELY" => Freq::Minutely,
        "SECONDLY" => Freq::Secondly,
        _ => return Err(Refused::invalid("FREQ has no such value")),
    })
}

fn take_part(rule: &mut Rule, name: &str, value: &str) -> Option<()> {
    match name {
        "FREQ" => {}
        "INTERVAL" => rule.interval = number(value).filter(|interval| *interval > 0)?,
        "COUNT" => rule.count = Some(number(value).filter(|count| *count > 0)?),
        "UNTIL" => rule.until = Some(until(value)?),
        "WKST" => rule.wkst = weekday(value)?,
        "BYMONTH" => rule.by_month = list(value, |month| (1..=12).contains(month))?,
        "BYWEEKNO" => rule.by_week_no = signed_list(value, 53)?,
        "BYYEARDAY" => rule.by_year_day = signed_list(value, 366)?,
        "BYMONTHDAY" => rule.by_month_day = signed_list(value, 31)?,
        "BYDAY" => rule.by_day = by_day(value)?,
        "BYHOUR" => rule.by_hour = list(value, |hour| *hour < 24)?,
        "BYMINUTE" => rule.by_minute = list(value, |minute| *minute < 60)?,
        "BYSECOND" => {
            // A leap second is the second before it: clocks here have none.
            let seconds = list::<u8>(value, |second| *second <= 60)?;
            rule.by_second = seconds.iter().map(|second| (*second).min(59)).collect();
            rule.by_second.dedup();
        }
        "BYSETPOS" => rule.by_set_pos = signed_list(value, 366)?,
        _ => return None,
    }
    Some(())
}

fn until(text: &str) -> Option<Until> {
    Some(match stamp(text)? {
        Stamp::Date(day) => Until::Reading((day + 1) * DAY_S - 1),
        Stamp::Local(reading) => Until::Reading(reading),
        Stamp::Utc(instant) => Until::Instant(instant),
    })
}

fn by_day(text: &str) -> Option<Vec<ByDay>> {
    let one = |text: &str| {
        let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let nth = match nth {
            "" => 0,
            nth => signed(nth, 53)?,
        };
        Some(ByDay {
            nth,
            weekday: weekday(name)?,
        })
    };
    let mut days = text.split(',').map(one).collect::<Option<Vec<_>>>()?;
    days.sort_unstable_by_key(|day| (day.nth, day.weekday));
    days.dedup();
    Some(days)
}

fn weekday(text: &str) -> Option<u8> {
    let at = WEEKDAYS.iter().position(|name| *name == text)?;
    u8::try_from(at).ok()
}

fn list<T: FromStr + Ord>(text: &str, is_value: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let value = |text| number::<T>(text).filter(|value| is_value(value));
    let mut list = text.split(',').map(value).collect::<Option<Vec<_>>>()?;
    list.sort_unstable();
    list.dedup();
    Some(list)
}

/// Numbers from 1 to `max`, or from the end.
fn signed_list<T: TryFrom<i16> + Ord>(text: &str, max: i16) -> Option<Vec<T>> {
    let value = |text| signed(text, max);
    let mut list = text.split(',').map(value).collect::<Option<Vec<_>>>()?;
    list.sort_unstable();
    list.dedup();
    Some(list)
}

fn signed<T: TryFrom<i16>>(text: &str, max: i16) -> Option<T> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let value: i16 = number(digits)?;
    if !(1..=max).contains(&value) {
        return None;
    }
    T::try_from(sign * value).ok()
}

/// Digits and nothing else: what a number parses from may have a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
