//! What the wall clock shows when a rule occurs: readings, ascending, without zone, count and end.
//!
//! A rule is walked period by period (a year, a month, … a second, each `INTERVAL` apart), from
//! the period near which somebody looks: it does not matter how long ago the rule started. Within
//! a period a reading is known by its number, so `BYSETPOS` needs no list of them.

use super::calendar::{DAY_S, Date, date_of, day_of, week_start};
use super::days::Days;
use super::refused::Refused;
use super::rule::{Freq, Rule};
use super::times::Times;
use super::work::Work;

/// A walk over a rule's readings.
#[derive(Debug)]
pub(super) struct Readings {
    freq: Freq,
    interval: i64,
    /// The reading of the start; none is before it.
    start: i64,
    /// Where the period of the start begins: a year, a month since year 0, the first day of a
    /// week, a day, else a reading.
    origin: i64,
    days: Days,
    times: Times,
    set_pos: Vec<i16>,
    /// No reading of a period that begins after this one is wanted.
    end: i64,
    /// The number of the next period.
    period: i64,
    /// Where the days (or hours, minutes, seconds) of the period begin, as readings.
    bases: Vec<i64>,
    /// Days of the period, while they are gathered.
    chosen: Vec<i64>,
    /// Numbers of its readings, if `BYSETPOS` chooses.
    positions: Vec<i64>,
    /// The next of the readings, or of `positions`.
    at: usize,
    /// How many there are.
    len: usize,
}

impl Readings {
    /// Those of a rule that starts at `start`. Only readings from `near` to `end` are wanted; some
    /// before and after them come as well.
    pub(super) fn new(rule: &Rule, start: i64, (near, end): (i64, i64)) -> Self {
        let day = start.div_euclid(DAY_S);
        let mut readings = Readings {
            freq: rule.freq,
            interval: i64::from(rule.interval),
            start,
            origin: place(rule, start),
            days: Days::new(rule, day),
            times: Times::new(rule, start.rem_euclid(DAY_S)),
            set_pos: rule.by_set_pos.clone(),
            end,
            period: 0,
            bases: Vec::new(),
            chosen: Vec::new(),
            positions: Vec::new(),
            at: 0,
            len: 0,
        };
        readings.period = periods_before(rule, start, near);
        readings
    }

    /// The next reading; none when the end is passed.
    pub(super) fn next(&mut self, work: &mut Work) -> Result<Option<i64>, Refused> {
        loop {
            while self.at < self.len {
                let number = match self.positions.get(self.at) {
                    Some(position) => usize::try_from(*position).expect("within the period"),
                    None => self.at,
                };
                self.at += 1;
                work.spend(1)?;
                let times = self.times.len();
                let reading = self.bases[number / times] + self.times.at(number % times);
                if reading >= self.start {
                    return Ok(Some(reading));
                }
            }
            if !self.turn(work)? {
                return Ok(None);
            }
        }
    }

    /// Goes to the next period. False when the end is passed.
    fn turn(&mut self, work: &mut Work) -> Result<bool, Refused> {
        work.spend(1)?;
        (self.at, self.len) = (0, 0);
        self.bases.clear();
        self.chosen.clear();
        let place = self.origin + self.period * self.step();
        let begins = match self.freq {
            Freq::Yearly => self.year(place, work)?,
            Freq::Monthly => self.month(place, work)?,
            Freq::Weekly => {
                self.days.week(place, &mut self.chosen, work)?;
                place * DAY_S
            }
            Freq::Daily => {
                if self.days.holds(place, work)? {
                    self.chosen.push(place);
                }
                place * DAY_S
            }
            Freq::Hourly | Freq::Minutely | Freq::Secondly => {
                if let Some(after) = self.nothing_before(place, work)? {
                    self.period = (after - self.origin + self.step() - 1) / self.step();
                    return Ok(after <= self.end);
                }
                self.bases.push(place);
                place
            }
        };
        if begins > self.end {
            return Ok(false);
        }
        self.period += 1;
        self.bases.extend(self.chosen.iter().map(|day| day * DAY_S));
        self.choose(work)?;
        Ok(true)
    }

    /// How far apart periods are, in what `origin` counts.
    fn step(&self) -> i64 {
        let unit = match self.freq {
            Freq::Yearly | Freq::Monthly | Freq::Daily | Freq::Secondly => 1,
            Freq::Weekly => 7,
            Freq::Hourly => 3_600,
            Freq::Minutely => 60,
        };
        self.interval * unit
    }

    fn year(&mut self, year: i64, work: &mut Work) -> Result<i64, Refused> {
        for month in 1..=12 {
            self.month_of(year, month, work)?;
        }
        Ok(begin_of_month(year, 1))
    }

    fn month(&mut self, months: i64, work: &mut Work) -> Result<i64, Refused> {
        let month = u8::try_from(months.rem_euclid(12) + 1).expect("1 to 12");
        self.month_of(months.div_euclid(12), month, work)?;
        Ok(begin_of_month(months.div_euclid(12), month))
    }

    fn month_of(&mut self, year: i64, month: u8, work: &mut Work) -> Result<(), Refused> {
        let mut bits = self.days.month(year, month, work)?;
        if bits == 0 {
            return Ok(());
        }
        work.spend(bits.count_ones() as usize)?;
        let first = begin_of_month(year, month) / DAY_S;
        while bits != 0 {
            self.chosen.push(first + i64::from(bits.trailing_zeros()));
            bits &= bits - 1;
        }
        Ok(())
    }

    /// For an hour, a minute or a second: if it is not chosen, the reading before which nothing is.
    fn nothing_before(&mut self, reading: i64, work: &mut Work) -> Result<Option<i64>, Refused> {
        let mut day = reading.div_euclid(DAY_S);
        if self.days.holds(day, work)? {
            return Ok(self.times.nothing_before(reading));
        }
        while day * DAY_S <= self.end {
            day += 1;
            work.spend(1)?;
            if self.days.holds(day, work)? {
                break;
            }
        }
        Ok(Some(day * DAY_S))
    }

    /// Says how many readings the period has, and which of them if `BYSETPOS` chooses.
    fn choose(&mut self, work: &mut Work) -> Result<(), Refused> {
        let all = self.bases.len() * self.times.len();
        if self.set_pos.is_empty() {
            self.len = all;
            return Ok(());
        }
        work.spend(self.set_pos.len())?;
        let all = i64::try_from(all).expect("a period has few readings");
        self.positions.clear();
        let at = self.set_pos.iter().map(|position| match *position {
            position if position > 0 => i64::from(position) - 1,
            position => all + i64::from(position),
        });
        self.positions.extend(at.filter(|at| (0..all).contains(at)));
        self.positions.sort_unstable();
        self.positions.dedup();
        self.len = self.positions.len();
        Ok(())
    }
}

/// The number of the last period that begins before `near`, counted from the start's.
fn periods_before(rule: &Rule, start: i64, near: i64) -> i64 {
    let away = place(rule, near) - place(rule, start);
    let unit = match rule.freq {
        Freq::Weekly => 7,
        Freq::Hourly => 3_600,
        Freq::Minutely => 60,
        _ => 1,
    };
    (away / (unit * i64::from(rule.interval))).max(0)
}

/// Whether a rule ends for its `COUNT` before `end`, as far as can be told without walking: not if
/// all its periods until then, full, would be fewer.
pub(super) fn may_be_counted_out(rule: &Rule, start: i64, end: i64) -> bool {
    let Some(count) = rule.count else {
        return false;
    };
    let days = match rule.freq {
        Freq::Yearly => 366,
        Freq::Monthly => 31,
        Freq::Weekly => 7,
        _ => 1,
    };
    let times = Times::new(rule, start.rem_euclid(DAY_S)).len();
    let times = i64::try_from(times).expect("no more than seconds in a day");
    (periods_before(rule, start, end) + 1) * days * times >= i64::from(count)
}

/// Where the period of a reading begins, in what [`Readings::origin`] counts.
fn place(rule: &Rule, reading: i64) -> i64 {
    let day = reading.div_euclid(DAY_S);
    match rule.freq {
        Freq::Yearly => date_of(day).year,
        Freq::Monthly => {
            let date = date_of(day);
            date.year * 12 + i64::from(date.month) - 1
        }
        Freq::Weekly => week_start(day, rule.wkst),
        Freq::Daily => day,
        Freq::Hourly => reading.div_euclid(3_600) * 3_600,
        Freq::Minutely => reading.div_euclid(60) * 60,
        Freq::Secondly => reading,
    }
}

fn begin_of_month(year: i64, month: u8) -> i64 {
    let first = Date {
        year,
        month,
        day: 1,
    };
    day_of(first) * DAY_S
}
