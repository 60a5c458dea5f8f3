//! Which times of a day (or minutes of an hour, seconds of a minute) a rule chooses.

use super::calendar::DAY_S;
use super::rule::{Freq, Rule};

/// The times within one day or unit, by number, and what limits the units themselves.
#[derive(Debug)]
pub(super) struct Times {
    /// Seconds: what is expanded. Each has at least one entry.
    hours: Vec<i64>,
    minutes: Vec<i64>,
    seconds: Vec<i64>,
    /// What limits hours, minutes and seconds that are periods themselves; bit 0 is 0.
    limits: Limits,
}

#[derive(Debug)]
struct Limits {
    hours: Option<u64>,
    minutes: Option<u64>,
    seconds: Option<u64>,
}

impl Times {
    /// The times of a rule that starts at `start`, seconds into its day.
    pub(super) fn new(rule: &Rule, start: i64) -> Self {
        // What is smaller than a period expands, and comes from the start if nothing is written;
        // what is not limits.
        let expand = |below: Freq, by: &[u8], unit: i64, own: i64| -> Vec<i64> {
            if rule.freq >= below {
                vec![0]
            } else if by.is_empty() {
                vec![own * unit]
            } else {
                by.iter().map(|value| i64::from(*value) * unit).collect()
            }
        };
        let limit = |from: Freq, by: &[u8]| {
            let bits = by.iter().fold(0, |bits, value| bits | 1 << value);
            (rule.freq >= from && !by.is_empty()).then_some(bits)
        };
        Times {
            hours: expand(Freq::Hourly, &rule.by_hour, 3_600, start / 3_600),
            minutes: expand(Freq::Minutely, &rule.by_minute, 60, start / 60 % 60),
            seconds: expand(Freq::Secondly, &rule.by_second, 1, start % 60),
            limits: Limits {
                hours: limit(Freq::Hourly, &rule.by_hour),
                minutes: limit(Freq::Minutely, &rule.by_minute),
                seconds: limit(Freq::Secondly, &rule.by_second),
            },
        }
    }

    /// How many there are, at least one.
    pub(super) fn len(&self) -> usize {
        self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    /// The time with this number, in seconds.
    pub(super) fn at(&self, number: usize) -> i64 {
        let (minutes, seconds) = (self.minutes.len(), self.seconds.len());
        let hour = self.hours[number / (minutes * seconds)];
        hour + self.minutes[number / seconds % minutes] + self.seconds[number % seconds]
    }

    /// For a period below a day, by where it begins: if it is not chosen, a reading after it
    /// before which none is.
    pub(super) fn nothing_before(&self, reading: i64) -> Option<i64> {
        let of_day = reading.rem_euclid(DAY_S);
        let limits = [
            (self.limits.hours, of_day / 3_600, 3_600, 24),
            (self.limits.minutes, of_day / 60 % 60, 60, 60),
            (self.limits.seconds, of_day % 60, 1, 60),
        ];
        for (limit, value, unit, values) in limits {
            let Some(bits) = limit else {
                continue;
            };
            let from_here = bits >> value;
            if from_here & 1 == 0 {
                let ahead = match from_here {
                    0 => values - value,
                    _ => i64::from(from_here.trailing_zeros()),
                };
                return Some((reading.div_euclid(unit) + ahead) * unit);
            }
        }
        None
    }
}
