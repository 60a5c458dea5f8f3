//! Which days a rule chooses, a month at a time as bits: bit 0 is the first of the month.
//!
//! For frequencies of a day and more, RFC 5545 lets some parts expand and others limit. Over whole
//! months both are the same: a day is chosen if every part that is written has it. What is not
//! written and needed comes from the start.

use super::calendar::{
    Date, date_of, day_of, first_week, is_leap, month_len, new_year, week_start, weekday,
};
use super::refused::Refused;
use super::rule::{Freq, Rule};
use super::work::Work;

/// The choice, and what of it was computed last.
#[derive(Debug)]
pub(super) struct Days {
    /// Bit 1 is January.
    months: u16,
    /// By the length of the month, 28 to 31; `None` is any day.
    month_days: Option<[u32; 4]>,
    /// By the weekday the month begins with; `None` is any day.
    weekdays: Option<[u32; 7]>,
    /// (nth, weekday)
    nth: Vec<(i64, u8)>,
    /// An nth weekday is one of its month, not of its year.
    nth_of_month: bool,
    year_days: Vec<i16>,
    weeks: Vec<i8>,
    wkst: u8,
    year: i64,
    /// What year days and weeks leave of `year`, by month.
    year_bits: [u32; 12],
    /// What nth weekdays choose of `year`, by month.
    nth_bits: [u32; 12],
    last: (i64, u8, u32),
}

impl Days {
    /// The days of a rule that starts on `start`.
    pub(super) fn new(rule: &Rule, start: i64) -> Self {
        let first = date_of(start);
        let mut months = rule.by_month.clone();
        let mut month_days = rule.by_month_day.clone();
        let mut plain: u8 = 0;
        let mut nth = Vec::new();
        for day in &rule.by_day {
            match day.nth {
                0 => plain |= 1 << day.weekday,
                n => nth.push((i64::from(n), day.weekday)),
            }
        }
        let month_day = i8::try_from(first.day).expect("1 to 31");
        match rule.freq {
            Freq::Yearly if !rule.chooses_days() => {
                month_days.push(month_day);
                if months.is_empty() {
                    months.push(first.month);
                }
            }
            Freq::Monthly if !rule.chooses_days() => month_days.push(month_day),
            Freq::Weekly if !rule.chooses_days() => plain |= 1 << weekday(start),
            // A week is no day: which one of it the start says.
            Freq::Yearly
                if rule.by_day.is_empty()
                    && rule.by_month_day.is_empty()
                    && rule.by_year_day.is_empty() =>
            {
                plain |= 1 << weekday(start);
            }
            _ => {}
        }
        let any_month = months.is_empty();
        Days {
            months: months
                .iter()
                .fold(u16::from(any_month) * !0, |bits, month| bits | 1 << month),
            month_days: (!month_days.is_empty()).then(|| month_day_bits(&month_days)),
            weekdays: (plain != 0 || !nth.is_empty()).then(|| weekday_bits(plain)),
            nth_of_month: rule.freq == Freq::Monthly || !rule.by_month.is_empty(),
            nth,
            year_days: rule.by_year_day.clone(),
            weeks: rule.by_week_no.clone(),
            wkst: rule.wkst,
            year: i64::MIN,
            year_bits: [0; 12],
            nth_bits: [0; 12],
            last: (i64::MIN, 0, 0),
        }
    }

    /// Whether a day is chosen.
    pub(super) fn holds(&mut self, day: i64, work: &mut Work) -> Result<bool, Refused> {
        let date = date_of(day);
        let bits = self.month(date.year, date.month, work)?;
        Ok(bits >> (date.day - 1) & 1 == 1)
    }

    /// The chosen days of a month.
    pub(super) fn month(&mut self, year: i64, month: u8, work: &mut Work) -> Result<u32, Refused> {
        if (self.last.0, self.last.1) == (year, month) {
            return Ok(self.last.2);
        }
        work.spend(1)?;
        let bits = if self.months >> month & 1 == 1 {
            self.look_at(year, month, work)?
        } else {
            0
        };
        self.last = (year, month, bits);
        Ok(bits)
    }

    fn look_at(&mut self, year: i64, month: u8, work: &mut Work) -> Result<u32, Refused> {
        let len = month_len(year, month);
        let at = usize::from(month - 1);
        let mut bits = u32::MAX >> (32 - len);
        if let Some(by_len) = self.month_days {
            bits &= by_len[usize::from(len - 28)];
        }
        if self.goes_by_year() {
            self.look_at_year(year, work)?;
            if !(self.year_days.is_empty() && self.weeks.is_empty()) {
                bits &= self.year_bits[at];
            }
        }
        if let Some(by_first) = self.weekdays {
            let first = weekday(day_of(Date {
                year,
                month,
                day: 1,
            }));
            let mut chosen = by_first[usize::from(first)];
            if self.nth_of_month {
                work.spend(self.nth.len())?;
                for (nth, weekday) in &self.nth {
                    if let Some(at) = nth_weekday((*nth, *weekday), first, i64::from(len)) {
                        chosen |= 1 << at;
                    }
                }
            } else if !self.nth.is_empty() {
                chosen |= self.nth_bits[at];
            }
            bits &= chosen;
        }
        Ok(bits)
    }

    fn goes_by_year(&self) -> bool {
        let nth_of_year = !self.nth.is_empty() && !self.nth_of_month;
        !self.year_days.is_empty() || !self.weeks.is_empty() || nth_of_year
    }

    fn look_at_year(&mut self, year: i64, work: &mut Work) -> Result<(), Refused> {
        if self.year == year {
            return Ok(());
        }
        work.spend(self.year_days.len() + 3 * self.weeks.len() + self.nth.len())?;
        let len = 365 + i64::from(is_leap(year));
        let mut by_day = [0; 12];
        for day in &self.year_days {
            let day = i64::from(*day);
            set(&mut by_day, year, if day > 0 { day - 1 } else { len + day });
        }
        let mut by_week = [0; 12];
        // Days around New Year are in weeks of the years beside.
        for of_year in year - 1..=year + 1 {
            let first = first_week(of_year, self.wkst);
            let weeks = (first_week(of_year + 1, self.wkst) - first) / 7;
            for week in &self.weeks {
                let week = i64::from(*week);
                let at = if week > 0 { week - 1 } else { weeks + week };
                if (0..weeks).contains(&at) {
                    let monday = first + 7 * at - new_year(year);
                    (monday..monday + 7).for_each(|day| set(&mut by_week, year, day));
                }
            }
        }
        for month in 0..12 {
            let days = if self.year_days.is_empty() {
                !0
            } else {
                by_day[month]
            };
            let weeks = if self.weeks.is_empty() {
                !0
            } else {
                by_week[month]
            };
            self.year_bits[month] = days & weeks;
        }
        let mut by_nth = [0; 12];
        let first = weekday(new_year(year));
        for nth in &self.nth {
            if let Some(at) = nth_weekday(*nth, first, len) {
                set(&mut by_nth, year, at);
            }
        }
        (self.nth_bits, self.year) = (by_nth, year);
        Ok(())
    }

    /// The chosen days of the week that begins with `first`, onto `days`.
    pub(super) fn week(
        &mut self,
        first: i64,
        days: &mut Vec<i64>,
        work: &mut Work,
    ) -> Result<(), Refused> {
        debug_assert_eq!(first, week_start(first, self.wkst));
        work.spend(7)?;
        for day in first..first + 7 {
            if self.holds(day, work)? {
                days.push(day);
            }
        }
        Ok(())
    }
}

/// Sets the bit of a day of a year, counted from 0, if the year has it.
fn set(bits: &mut [u32; 12], year: i64, at: i64) {
    if (0..365 + i64::from(is_leap(year))).contains(&at) {
        let date = date_of(new_year(year) + at);
        bits[usize::from(date.month - 1)] |= 1 << (date.day - 1);
    }
}

/// The nth of a weekday among `len` days that begin on the weekday `first`, counted from 0.
fn nth_weekday((nth, weekday): (i64, u8), first: u8, len: i64) -> Option<i64> {
    let earliest = (i64::from(weekday) - i64::from(first)).rem_euclid(7);
    let at = if nth > 0 {
        earliest + 7 * (nth - 1)
    } else {
        let latest = earliest + (len - 1 - earliest) / 7 * 7;
        latest + 7 * (nth + 1)
    };
    (0..len).contains(&at).then_some(at)
}

fn month_day_bits(days: &[i8]) -> [u32; 4] {
    [28, 29, 30, 31].map(|len: i8| {
        let at = days
            .iter()
            .map(|day| if *day > 0 { *day - 1 } else { len + *day });
        at.filter(|at| (0..len).contains(at))
            .fold(0, |bits, at| bits | 1 << at)
    })
}

fn weekday_bits(weekdays: u8) -> [u32; 7] {
    [0, 1, 2, 3, 4, 5, 6].map(|first| {
        let chosen = (0..31).filter(|at| weekdays >> ((first + at) % 7) & 1 == 1);
        chosen.fold(0, |bits, at| bits | 1 << at)
    })
}
