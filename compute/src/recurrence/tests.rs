//! What rules mean, against tables and against a naive expander; what they cost.

use jiff::tz::TimeZone;

use super::calendar::DAY_S;
use super::refused::Refused;
use super::series::{Series, Start};
use super::stamps::{Stamp, stamp};
use super::work::Work;

mod answers;
mod exceptions;
mod hostile;
mod naive;
mod refusals;
mod steps;
mod tables;
mod zones;

/// Steps for tests that are not about steps.
const PLENTY: u64 = 50_000_000;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// A start as iCalendar writes it.
fn start(text: &str, zone: TimeZone) -> Start {
    let (reading, is_date) = match stamp(text).unwrap() {
        Stamp::Date(day) => (day * DAY_S, true),
        Stamp::Local(reading) | Stamp::Utc(reading) => (reading, false),
    };
    Start {
        reading,
        is_date,
        zone,
    }
}

fn series(text: &str, start: Start) -> Series {
    Series::read(text, start, &mut Work::default()).unwrap()
}

/// The first `most` occurrences of a window, seconds UTC.
fn first(series: &Series, (from, to): (i64, i64), most: usize) -> Result<Vec<i64>, Refused> {
    let mut work = Work::new(PLENTY);
    let mut walk = series.between(from, to);
    let mut found = Vec::new();
    while found.len() < most {
        let Some(next) = walk.next(&mut work)? else {
            break;
        };
        found.push(next);
    }
    Ok(found)
}

/// Instants as a clock of the zone shows them, with the offset.
fn shown(instants: &[i64], zone: &TimeZone) -> Vec<String> {
    let show = |instant: &i64| {
        let at = jiff::Timestamp::from_second(*instant).unwrap();
        at.to_zoned_datetime(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S %:z")
            .to_string()
    };
    instants.iter().map(show).collect()
}

/// The first occurrences of a rule in a zone, as a clock there shows them.
fn clock(zone_name: &str, begins: &str, text: &str, most: usize) -> Vec<String> {
    let zone = zone(zone_name);
    let series = series(text, start(begins, zone.clone()));
    let from = series.starts_at() - 2 * DAY_S;
    let found = first(&series, (from, from + 20_000 * DAY_S), most).unwrap();
    shown(&found, &zone)
}
