//! The proleptic Gregorian calendar in plain numbers. A day is counted from 1970-01-01, a weekday
//! from Monday, a reading (of a wall clock) in seconds from 1970-01-01T00:00:00 on that clock.

/// Seconds of a day on a wall clock.
pub(super) const DAY_S: i64 = 86_400;

/// A day by its names. `month` and `day` count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
}

/// The day of a date. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".)
pub(super) fn day_of(date: Date) -> i64 {
    let Date { year, month, day } = date;
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day.
pub(super) fn date_of(day: i64) -> Date {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date {
        year,
        month: u8::try_from(month).expect("1 to 12"),
        day: u8::try_from(day).expect("1 to 31"),
    }
}

/// The day a year begins with.
pub(super) fn new_year(year: i64) -> i64 {
    day_of(Date {
        year,
        month: 1,
        day: 1,
    })
}

/// Days of a month.
pub(super) fn month_len(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether a year has a 29th of February.
pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The weekday of a day, Monday 0.
pub(super) fn weekday(day: i64) -> u8 {
    u8::try_from((day + 3).rem_euclid(7)).expect("0 to 6")
}

/// The first day of the week a day is in, when weeks begin on `wkst`.
pub(super) fn week_start(day: i64, wkst: u8) -> i64 {
    day - (day + 3 - i64::from(wkst)).rem_euclid(7)
}

/// The first day of a year's week 1, the first week with four days in the year (ISO 8601, with
/// weeks that begin on `wkst`).
pub(super) fn first_week(year: i64, wkst: u8) -> i64 {
    week_start(new_year(year) + 3, wkst)
}
