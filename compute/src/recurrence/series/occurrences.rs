//! The occurrences of a series in a window.

use super::Series;
use super::ruled::Ruled;
use crate::recurrence::refused::Refused;
use crate::recurrence::work::Work;

/// A walk over the occurrences of a window.
#[derive(Debug)]
pub(in crate::recurrence) struct Occurrences<'a> {
    series: &'a Series,
    ruled: Option<Ruled>,
    /// The next of the rule.
    next_ruled: Option<i64>,
    /// The next of the dates.
    date: usize,
    from: i64,
    to: i64,
}

impl<'a> Occurrences<'a> {
    pub(super) fn new(series: &'a Series, from: i64, to: i64) -> Self {
        let rule = series.rule.as_ref();
        Occurrences {
            ruled: rule.map(|rule| Ruled::new(rule, &series.start, from, to)),
            next_ruled: None,
            date: series.dates.partition_point(|date| *date < from),
            series,
            from,
            to,
        }
    }

    /// The next one, seconds UTC.
    pub(in crate::recurrence) fn next(&mut self, work: &mut Work) -> Result<Option<i64>, Refused> {
        loop {
            work.spend(1)?;
            if self.next_ruled.is_none() {
                self.next_ruled = self.read_ruled(work)?;
            }
            let date = self.series.dates.get(self.date).copied();
            let next = match (self.next_ruled, date) {
                (Some(ruled), Some(date)) => ruled.min(date),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return Ok(None),
            };
            if next >= self.to {
                return Ok(None);
            }
            if self.next_ruled == Some(next) {
                self.next_ruled = None;
            }
            if date == Some(next) {
                self.date += 1;
            }
            if !self.is_left_out(next) {
                return Ok(Some(next));
            }
        }
    }

    /// How many there are, if no more than `most`; else `None`.
    pub(in crate::recurrence) fn count(
        mut self,
        most: usize,
        work: &mut Work,
    ) -> Result<Option<usize>, Refused> {
        let mut seen = 0;
        while self.next(work)?.is_some() {
            if seen == most {
                return Ok(None);
            }
            seen += 1;
        }
        Ok(Some(seen))
    }

    /// The rule's next in the window.
    fn read_ruled(&mut self, work: &mut Work) -> Result<Option<i64>, Refused> {
        let Some(ruled) = &mut self.ruled else {
            return Ok(None);
        };
        while let Some(next) = ruled.next(work)? {
            if next >= self.to {
                break;
            }
            if next >= self.from {
                return Ok(Some(next));
            }
        }
        self.ruled = None;
        Ok(None)
    }

    fn is_left_out(&self, instant: i64) -> bool {
        let days = &self.series.days_off;
        let begun = days.partition_point(|(first, _)| *first <= instant);
        let in_day = begun > 0 && instant < days[begun - 1].1;
        in_day || self.series.exceptions.binary_search(&instant).is_ok()
    }
}
