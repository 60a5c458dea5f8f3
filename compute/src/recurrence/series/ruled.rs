//! The instants of a rule, ascending and each once, until its `COUNT` or `UNTIL`.

use std::collections::VecDeque;

use super::{PLACE_STEPS, Start, is_past};
use crate::recurrence::calendar::DAY_S;
use crate::recurrence::readings::{Readings, may_be_counted_out};
use crate::recurrence::refused::Refused;
use crate::recurrence::rule::{Rule, Until};
use crate::recurrence::work::Work;
use crate::recurrence::zone::{Zone, first_reading};

/// More than a reading can be later than its instant, by any offset.
const READING_AHEAD_S: i64 = 2 * DAY_S;

/// A walk over a rule's instants.
#[derive(Debug)]
pub(super) struct Ruled {
    readings: Readings,
    zone: Zone,
    until: Option<Until>,
    /// How many may still come.
    left: Option<u32>,
    /// What was in a gap and waits for its place; ascending.
    moved: VecDeque<i64>,
    /// The next that was in none.
    ahead: Option<i64>,
    /// No more readings.
    ended: bool,
    last: i64,
}

impl Ruled {
    /// Those that matter from `from` to before `to`; others come as well.
    pub(super) fn new(rule: &Rule, start: &Start, from: i64, to: i64) -> Self {
        let end = to + READING_AHEAD_S;
        let counted = may_be_counted_out(rule, start.reading, end);
        // Whoever counts has to count from the start.
        let near = if counted {
            start.reading
        } else {
            first_reading(&start.zone, from)
        };
        Ruled {
            readings: Readings::new(rule, start.reading, (near, end)),
            zone: Zone::new(start.zone.clone()),
            until: rule.until,
            left: rule.count.filter(|_| counted),
            moved: VecDeque::new(),
            ahead: None,
            ended: false,
            last: i64::MIN,
        }
    }

    /// The next instant. `COUNT` counts instants: two readings of one, at the end of a gap, are one
    /// occurrence.
    pub(super) fn next(&mut self, work: &mut Work) -> Result<Option<i64>, Refused> {
        loop {
            while self.ahead.is_none() && !self.ended {
                self.read(work)?;
            }
            let next = match (self.moved.front(), self.ahead) {
                (Some(moved), Some(ahead)) if *moved > ahead => self.ahead.take(),
                (Some(_), _) => self.moved.pop_front(),
                (None, _) => self.ahead.take(),
            };
            let Some(next) = next else {
                return Ok(None);
            };
            if next <= self.last {
                continue;
            }
            if matches!(self.until, Some(Until::Instant(last)) if next > last) {
                return Ok(None);
            }
            match &mut self.left {
                Some(0) => return Ok(None),
                Some(left) => *left -= 1,
                None => {}
            }
            self.last = next;
            return Ok(Some(next));
        }
    }

    fn read(&mut self, work: &mut Work) -> Result<(), Refused> {
        let reading = self.readings.next(work)?;
        let Some(reading) = reading.filter(|reading| !is_past(self.until, *reading)) else {
            self.ended = true;
            return Ok(());
        };
        let placed = self.zone.place(reading);
        if placed.moved {
            // Its zone is looked up each time.
            work.spend(PLACE_STEPS)?;
            self.moved.push_back(placed.instant);
        } else {
            self.ahead = Some(placed.instant);
        }
        Ok(())
    }
}
