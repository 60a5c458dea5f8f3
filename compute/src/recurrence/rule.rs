//! An `RRULE` as it was written, checked against RFC 5545 section 3.3.10.

use super::refused::Refused;

/// How often; in this order, so that what is below daily compares as more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freq {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

/// The last moment of a rule, itself part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Seconds UTC.
    Instant(i64),
    /// A reading in the zone of the rule. A date is the last second of its day: nobody who writes
    /// a day means to leave it out.
    Reading(i64),
}

/// A weekday, every one or the `nth` (from the end if negative, all if 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByDay {
    pub(super) nth: i8,
    /// Monday is 0.
    pub(super) weekday: u8,
}

/// The parts of a rule. An empty list is a part that was not written; lists are sorted and
/// without duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) freq: Freq,
    pub(super) interval: u32,
    pub(super) count: Option<u32>,
    pub(super) until: Option<Until>,
    /// The day weeks begin with, Monday 0.
    pub(super) wkst: u8,
    pub(super) by_month: Vec<u8>,
    pub(super) by_week_no: Vec<i8>,
    pub(super) by_year_day: Vec<i16>,
    pub(super) by_month_day: Vec<i8>,
    pub(super) by_day: Vec<ByDay>,
    pub(super) by_hour: Vec<u8>,
    pub(super) by_minute: Vec<u8>,
    pub(super) by_second: Vec<u8>,
    pub(super) by_set_pos: Vec<i16>,
}

impl Rule {
    pub(super) fn new(freq: Freq) -> Self {
        Rule {
            freq,
            interval: 1,
            count: None,
            until: None,
            wkst: 0,
            by_month: Vec::new(),
            by_week_no: Vec::new(),
            by_year_day: Vec::new(),
            by_month_day: Vec::new(),
            by_day: Vec::new(),
            by_hour: Vec::new(),
            by_minute: Vec::new(),
            by_second: Vec::new(),
            by_set_pos: Vec::new(),
        }
    }

    /// What the RFC says a rule must not be. Other servers let some of it pass, each with a
    /// meaning of its own.
    pub(super) fn check(&self) -> Result<(), Refused> {
        let monthly = matches!(self.freq, Freq::Yearly | Freq::Monthly);
        let forbidden = [
            (
                self.count.is_some() && self.until.is_some(),
                "COUNT and UNTIL exclude each other",
            ),
            (
                !self.by_week_no.is_empty() && self.freq != Freq::Yearly,
                "BYWEEKNO is for YEARLY only",
            ),
            (
                !self.by_year_day.is_empty()
                    && matches!(self.freq, Freq::Monthly | Freq::Weekly | Freq::Daily),
                "BYYEARDAY is not for MONTHLY, WEEKLY and DAILY",
            ),
            (
                !self.by_month_day.is_empty() && self.freq == Freq::Weekly,
                "BYMONTHDAY is not for WEEKLY",
            ),
            (
                self.has_nth() && !monthly,
                "BYDAY with a number is for MONTHLY and YEARLY only",
            ),
            (
                self.has_nth() && !self.by_week_no.is_empty(),
                "BYDAY with a number is not for BYWEEKNO",
            ),
            (
                !self.by_set_pos.is_empty() && !self.has_other_by(),
                "BYSETPOS needs another BY part",
            ),
        ];
        match forbidden.iter().find(|(broken, _)| *broken) {
            Some((_, why)) => Err(Refused::invalid(*why)),
            None => Ok(()),
        }
    }

    fn has_nth(&self) -> bool {
        self.by_day.iter().any(|day| day.nth != 0)
    }

    /// Whether a part chooses days.
    pub(super) fn chooses_days(&self) -> bool {
        !(self.by_week_no.is_empty()
            && self.by_year_day.is_empty()
            && self.by_month_day.is_empty()
            && self.by_day.is_empty())
    }

    fn has_other_by(&self) -> bool {
        self.chooses_days()
            || !self.by_month.is_empty()
            || !self.by_hour.is_empty()
            || !self.by_minute.is_empty()
            || !self.by_second.is_empty()
    }
}
