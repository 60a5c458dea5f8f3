//! Why a recurrence is refused. Codes are stable; sentences are for people, and begin as those of
//! the first user's server did.

use super::limits::{
    DATES_MAX, HORIZON_DAYS, OCCURRENCES_MAX, ROUTE_CHARS_MAX, RULE_BYTES_MAX, TEXT_BYTES_MAX,
};

/// A refusal, for good: the same question gets it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No text at all.
    #[error("Missing rrule parameter")]
    Missing,
    /// More characters than the first user's routes take.
    #[error("RRULE too long (max {ROUTE_CHARS_MAX} chars)")]
    TooLong,
    /// More bytes than any recurrence may have.
    #[error("a recurrence has at most {TEXT_BYTES_MAX} bytes, {RULE_BYTES_MAX} of them its rule")]
    TooLarge,
    /// The text is no recurrence, or one that RFC 5545 forbids.
    #[error("Invalid RRULE: {0}")]
    Invalid(String),
    /// A name that is no time zone of the tz database.
    #[error("unknown time zone")]
    ZoneUnknown,
    /// A time of the question that cannot be read, or of a year that is not served.
    #[error("{0} is no time")]
    TimeInvalid(&'static str),
    /// Too many `RDATE`s or `EXDATE`s.
    #[error("more than {DATES_MAX} {0}s")]
    TooManyDates(&'static str),
    /// A window beyond the horizon, or one that ends before it begins.
    #[error("from must be before to, by at most {HORIZON_DAYS} days")]
    WindowInvalid,
    /// More occurrences asked for than there may be, or none.
    #[error("limit must be between 1 and {OCCURRENCES_MAX}")]
    LimitInvalid,
    /// More occurrences in ten years than a rule may have.
    #[error("RRULE generates too many occurrences (max {OCCURRENCES_MAX})")]
    TooManyOccurrences,
    /// The steps ran out.
    #[error("the recurrence takes too much work")]
    TooMuchWork,
}

impl Refused {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Missing => "rule_missing",
            Refused::TooLong | Refused::TooLarge => "rule_too_long",
            Refused::Invalid(_) => "rule_invalid",
            Refused::ZoneUnknown => "zone_unknown",
            Refused::TimeInvalid(_) => "time_invalid",
            Refused::TooManyDates(_) => "too_many_dates",
            Refused::WindowInvalid => "window_invalid",
            Refused::LimitInvalid => "limit_invalid",
            Refused::TooManyOccurrences => "too_many_occurrences",
            Refused::TooMuchWork => "too_much_work",
        }
    }

    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Refused::Invalid(why.into())
    }
}
