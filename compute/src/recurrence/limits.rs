//! What a recurrence may cost. All of it is refused when it is exceeded, nothing is cut short.

/// Bytes of a rule.
pub const RULE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a text of rule, dates and exceptions: as many dates as there may be, with their zones.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// Characters of such a text on the first user's routes.
pub const ROUTE_CHARS_MAX: usize = 500;

/// Occurrences in one answer, and in the ten years that a rule of the first user may fill.
pub const OCCURRENCES_MAX: usize = 5_000;

/// Days of the longest window: ten years, whichever of them are leap years.
pub const HORIZON_DAYS: i64 = 3_653;

/// Dates in all `RDATE` lines of a text; the same in all its `EXDATE` lines.
pub const DATES_MAX: usize = 500;

/// The years any time may be in. Zones and their offsets are known well beyond both.
pub const YEARS: std::ops::RangeInclusive<i64> = 1..=9_000;

/// Steps of one answer: a period, a day, a reading or a date looked at is one. Ten years by the day
/// take some 8,000, so no rule that people write comes near. All of them must take less than 100 ms
/// of one core, with room for slower ones; `make bench-compute` shows what they take.
pub const STEPS_MAX: u64 = 500_000;
