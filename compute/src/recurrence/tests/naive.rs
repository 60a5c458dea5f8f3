//! A naive expander, and random rules on which both must agree.
//!
//! It reads RFC 5545 as literally as it can and nothing of the code it tests: every reading of a
//! window, one by one, is asked whether each part of the rule has it, with the calendar and the
//! zones of `jiff`. It takes from the tested code only the text of the rule.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use proptest::prelude::*;

use super::{first, series, start, zone};
use crate::recurrence::calendar::DAY_S;

/// A rule, as proptest makes it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    freq: &'static str,
    interval: i64,
    count: Option<usize>,
    until: Option<i64>,
    wkst: usize,
    months: Vec<i64>,
    weeks: Vec<i64>,
    year_days: Vec<i64>,
    month_days: Vec<i64>,
    /// (nth, weekday from Monday)
    days: Vec<(i64, usize)>,
    hours: Vec<i64>,
    minutes: Vec<i64>,
    seconds: Vec<i64>,
    positions: Vec<i64>,
    pub(super) begins: DateTime,
    zone: &'static str,
}

const FREQS: [&str; 7] = [
    "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY",
];
const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Made {
    pub(super) fn text(&self) -> String {
        let mut text = format!("FREQ={};WKST={}", self.freq, NAMES[self.wkst]);
        text += &format!(";INTERVAL={}", self.interval);
        if let Some(count) = self.count {
            text += &format!(";COUNT={count}");
        }
        if let Some(days) = self.until {
            let until = self.begins + days.days();
            text += &until.strftime(";UNTIL=%Y%m%dT%H%M%S").to_string();
        }
        let days = self.days.iter().map(|(nth, day)| match nth {
            0 => NAMES[*day].to_owned(),
            nth => format!("{nth}{}", NAMES[*day]),
        });
        let days: Vec<String> = days.collect();
        if !days.is_empty() {
            text += &format!(";BYDAY={}", days.join(","));
        }
        for (name, values) in [
            ("BYMONTH", &self.months),
            ("BYWEEKNO", &self.weeks),
            ("BYYEARDAY", &self.year_days),
            ("BYMONTHDAY", &self.month_days),
            ("BYHOUR", &self.hours),
            ("BYMINUTE", &self.minutes),
            ("BYSECOND", &self.seconds),
            ("BYSETPOS", &self.positions),
        ] {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            if !values.is_empty() {
                text += &format!(";{name}={}", values.join(","));
            }
        }
        text
    }

    fn is(&self, freqs: &[&str]) -> bool {
        freqs.contains(&self.freq)
    }

    /// Days are written in a way that needs none of the start.
    fn has_days(&self) -> bool {
        !(self.weeks.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.days.is_empty())
    }
}

fn week_start(day: Date, wkst: usize) -> Date {
    let mut day = day;
    while day.weekday().to_monday_zero_offset() != i8::try_from(wkst).unwrap() {
        day = day.yesterday().unwrap();
    }
    day
}

/// The number of a day's week from the begin and from the end of the year the week is of: the one
/// that most of its days are in.
fn week(day: Date, wkst: usize) -> (i64, i64) {
    let begin = week_start(day, wkst);
    let year = (begin + 3.days()).year();
    let is_of_year = |begin: Date| (begin + 3.days()).year() == year;
    let count = |step: i64| {
        let mut weeks = 0;
        let mut at = begin;
        while is_of_year(at) {
            weeks += 1;
            at += (7 * step).days();
        }
        weeks
    };
    (count(-1), -count(1))
}

/// From the begin (1) and from the end (-1).
fn both(at: i64, len: i64) -> (i64, i64) {
    (at, at - len - 1)
}

fn chosen(list: &[i64], (from_begin, from_end): (i64, i64)) -> bool {
    list.is_empty() || list.contains(&from_begin) || list.contains(&from_end)
}

fn day_is_chosen(rule: &Made, day: Date) -> bool {
    let begins = rule.begins.date();
    let month_day = both(day.day().into(), day.days_in_month().into());
    let year_day = both(day.day_of_year().into(), day.days_in_year().into());
    let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap();
    let is_weekday = |(nth, wanted): &(i64, usize)| {
        let (at, len) = match rule.is(&["MONTHLY"]) || !rule.months.is_empty() {
            true => (month_day.0, i64::from(day.days_in_month())),
            false => (year_day.0, i64::from(day.days_in_year())),
        };
        let nths = ((at - 1) / 7 + 1, -((len - at) / 7 + 1));
        *wanted == weekday && (*nth == 0 || *nth == nths.0 || *nth == nths.1)
    };
    let month = i64::from(day.month());
    let mut is = chosen(&rule.months, (month, month));
    is &= rule.weeks.is_empty() || chosen(&rule.weeks, week(day, rule.wkst));
    is &= chosen(&rule.year_days, year_day) && chosen(&rule.month_days, month_day);
    is &= rule.days.is_empty() || rule.days.iter().any(is_weekday);
    let same_weekday = day.weekday() == begins.weekday();
    if !rule.has_days() {
        is &= match rule.freq {
            "YEARLY" if rule.months.is_empty() => {
                (day.month(), day.day()) == (begins.month(), begins.day())
            }
            "YEARLY" | "MONTHLY" => day.day() == begins.day(),
            "WEEKLY" => same_weekday,
            _ => true,
        };
    }
    let only_weeks = !rule.weeks.is_empty()
        && rule.days.is_empty()
        && rule.month_days.is_empty()
        && rule.year_days.is_empty();
    is && (!only_weeks || same_weekday)
}

fn time_is_chosen(rule: &Made, at: DateTime) -> bool {
    let below = |freq: &str| {
        let place = |freq| FREQS.iter().position(|name| *name == freq).unwrap();
        place(rule.freq) < place(freq)
    };
    let begins = rule.begins;
    let part = |list: &[i64], (own, value): (i8, i8), freq: &str| match list.is_empty() {
        true => !below(freq) || own == value,
        false => list.contains(&value.into()),
    };
    part(&rule.hours, (begins.hour(), at.hour()), "HOURLY")
        && part(&rule.minutes, (begins.minute(), at.minute()), "MINUTELY")
        && part(&rule.seconds, (begins.second(), at.second()), "SECONDLY")
}

/// The number of the period a reading is in.
fn period(rule: &Made, at: DateTime) -> i64 {
    let epoch = date(1970, 1, 1).at(0, 0, 0, 0);
    let seconds = at.duration_since(epoch).as_secs();
    match rule.freq {
        "YEARLY" => at.year().into(),
        "MONTHLY" => i64::from(at.year()) * 12 + i64::from(at.month()),
        "WEEKLY" => {
            let begin = week_start(at.date(), rule.wkst);
            let monday = Date::ZERO.tomorrow().unwrap();
            let anchor = week_start(monday.nth_weekday(1, Weekday::Monday).unwrap(), rule.wkst);
            begin.duration_since(anchor).as_secs() / (7 * DAY_S)
        }
        "DAILY" => seconds.div_euclid(DAY_S),
        "HOURLY" => seconds.div_euclid(3_600),
        "MINUTELY" => seconds.div_euclid(60),
        _ => seconds,
    }
}

/// The instants of a rule among the readings of `days` days from its start, and how far they can
/// be trusted: to the end of the last day, less what a change of the clock may move.
fn naive(rule: &Made, days: i64) -> Vec<i64> {
    let step: Span = match rule.freq {
        "SECONDLY" => 1.second(),
        _ if !rule.seconds.is_empty() || rule.begins.second() != 0 => 1.second(),
        _ => 1.minute(),
    };
    // The period of the start from its begin: BYSETPOS counts what is before the start too.
    let begin = match rule.freq {
        "YEARLY" => rule.begins.date().first_of_year(),
        "MONTHLY" => rule.begins.date().first_of_month(),
        "WEEKLY" => week_start(rule.begins.date(), rule.wkst),
        _ => rule.begins.date(),
    };
    let last = rule.begins.date() + days.days();
    let first_period = period(rule, rule.begins);
    let mut periods: BTreeMap<i64, Vec<DateTime>> = BTreeMap::new();
    let mut day = begin;
    while day <= last {
        if day_is_chosen(rule, day) {
            let mut at = day.at(0, 0, 0, 0);
            while at.date() == day {
                let number = period(rule, at);
                let in_step =
                    number >= first_period && (number - first_period) % rule.interval == 0;
                if in_step && time_is_chosen(rule, at) {
                    periods.entry(number).or_default().push(at);
                }
                at += step;
            }
        }
        day = day.tomorrow().unwrap();
    }
    let zone = zone(rule.zone);
    let until = rule.until.map(|days| rule.begins + days.days());
    let mut instants = BTreeSet::new();
    for readings in periods.into_values() {
        let len = i64::try_from(readings.len()).unwrap();
        for (at, reading) in readings.iter().enumerate() {
            let at = both(i64::try_from(at).unwrap() + 1, len);
            let is_late = *reading < rule.begins || until.is_some_and(|until| *reading > until);
            if chosen(&rule.positions, at) && !is_late {
                instants.insert(instant(&zone, *reading));
            }
        }
    }
    instants
        .into_iter()
        .take(rule.count.unwrap_or(usize::MAX))
        .collect()
}

/// RFC 5545 section 3.3.5, as `jiff` has it under the name "compatible".
fn instant(zone: &TimeZone, reading: DateTime) -> i64 {
    let placed = zone.to_ambiguous_timestamp(reading).compatible().unwrap();
    placed.as_second()
}

fn values(low: i64, high: i64, most: usize) -> impl Strategy<Value = Vec<i64>> {
    let list = prop::collection::vec(low..=high, 1..=most);
    prop_oneof![2 => Just(Vec::new()), 1 => list]
}

fn signed(high: i64, most: usize) -> impl Strategy<Value = Vec<i64>> {
    let one = (1..=high, prop::bool::ANY).prop_map(|(at, end)| if end { -at } else { at });
    let list = prop::collection::vec(one, 1..=most);
    prop_oneof![2 => Just(Vec::new()), 1 => list]
}

/// Starts near changes of the clock, the ends of months and years, and leap days.
fn starts() -> impl Strategy<Value = (DateTime, &'static str)> {
    let place = prop_oneof![
        Just((date(2026, 3, 28), "Europe/Berlin")),
        Just((date(2026, 10, 24), "Europe/Berlin")),
        Just((date(2026, 3, 7), "America/New_York")),
        Just((date(2026, 10, 31), "America/New_York")),
        Just((date(2026, 4, 4), "Australia/Lord_Howe")),
        Just((date(2026, 10, 3), "Australia/Lord_Howe")),
        Just((date(2018, 11, 3), "America/Sao_Paulo")),
        Just((date(2018, 2, 17), "America/Sao_Paulo")),
        Just((date(2011, 12, 29), "Pacific/Apia")),
        Just((date(2024, 2, 28), "UTC")),
        Just((date(2026, 12, 30), "UTC")),
        Just((date(1999, 12, 31), "Asia/Kathmandu")),
    ];
    let time = (
        0..24_i8,
        prop::sample::select(vec![0_i8, 15, 30, 59]),
        prop::bool::weighted(0.1),
    );
    (place, -2..3_i64, time).prop_map(|((day, zone), away, (hour, minute, odd))| {
        let day = day + away.days();
        (day.at(hour, minute, if odd { 37 } else { 0 }, 0), zone)
    })
}

fn weekdays() -> impl Strategy<Value = Vec<(i64, usize)>> {
    let nth = prop_oneof![2 => Just(0), 1 => 1..=6_i64, 1 => -6..=-1_i64, 1 => 1..=53_i64];
    let list = prop::collection::vec((nth, 0..7_usize), 1..=3);
    prop_oneof![1 => Just(Vec::new()), 1 => list]
}

prop_compose! {
    pub(super) fn made()(
        freq in prop::sample::select(FREQS.to_vec()),
        (interval, wkst) in (prop_oneof![2 => Just(1_i64), 1 => 2..=5_i64, 1 => 6..=100_i64], 0..7_usize),
        (count, until) in prop_oneof![
            2 => Just((None, None)),
            1 => (1..=20_usize).prop_map(|count| (Some(count), None)),
            1 => (0..=400_i64).prop_map(|days| (None, Some(days))),
        ],
        (months, weeks, year_days) in (values(1, 12, 4), signed(53, 3), signed(366, 9)),
        (month_days, days) in (signed(31, 6), weekdays()),
        (hours, minutes, seconds) in (values(0, 23, 3), values(0, 59, 3), values(0, 59, 2)),
        positions in signed(8, 3),
        (begins, zone) in starts(),
    ) -> Made {
        let mut rule = Made {
            freq, interval, count, until, wkst, months, weeks, year_days, month_days, days, hours,
            minutes, seconds, positions, begins, zone,
        };
        // What the RFC forbids.
        if freq != "YEARLY" {
            rule.weeks.clear();
        }
        if rule.is(&["MONTHLY", "WEEKLY", "DAILY"]) {
            rule.year_days.clear();
        }
        if freq == "WEEKLY" {
            rule.month_days.clear();
        }
        if !rule.is(&["YEARLY", "MONTHLY"]) || !rule.weeks.is_empty() {
            rule.days.iter_mut().for_each(|(nth, _)| *nth = 0);
        }
        let others = rule.has_days() || !rule.months.is_empty() || !rule.hours.is_empty()
            || !rule.minutes.is_empty() || !rule.seconds.is_empty();
        if !others {
            rule.positions.clear();
        }
        // By the second, a naive day costs the most.
        if freq == "SECONDLY" {
            rule.minutes.truncate(1);
        }
        rule
    }
}

/// How many days the naive one walks, so that a case stays below a second.
fn days(rule: &Made) -> i64 {
    let by_second = !rule.seconds.is_empty() || rule.begins.second() != 0;
    match rule.freq {
        "SECONDLY" => 3,
        "YEARLY" if by_second => 400,
        "MONTHLY" if by_second => 70,
        "YEARLY" => 1_500,
        "MONTHLY" => 700,
        _ if by_second => 20,
        _ => 200,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_rules_are_what_the_naive_expander_makes_of_them(rule in made()) {
        let days = days(&rule);
        let zone = zone(rule.zone);
        let begins = rule.begins.strftime("%Y%m%dT%H%M%S").to_string();
        let series = series(&rule.text(), start(&begins, zone.clone()));
        // A period that is cut by the end of what the naive one walks has other positions.
        let unsure = match rule.freq {
            "YEARLY" => 367,
            "MONTHLY" => 32,
            "WEEKLY" => 8,
            _ => 2,
        };
        let from = instant(&zone, rule.begins) - 2 * DAY_S;
        let to = instant(&zone, rule.begins) + (days - unsure) * DAY_S;
        let mut expected = naive(&rule, days);
        expected.retain(|instant| *instant < to);
        let found = first(&series, (from, to), usize::MAX).unwrap();
        prop_assert_eq!(super::shown(&found, &zone), super::shown(&expected, &zone), "{}", rule.text());
        // From the middle it is the same.
        if let Some(middle) = expected.get(expected.len() / 2) {
            let found = first(&series, (*middle, to), usize::MAX).unwrap();
            prop_assert_eq!(&found, &expected[expected.len() / 2..].to_vec(), "{}", rule.text());
        }
    }
}
