//! Stamps: when and by whom a field was written, by a hybrid logical clock (Kulkarni et al.,
//! "Logical Physical Clocks", 2014), and their text on the wire.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Code, Refusal};
use crate::ids::WriterNo;
use crate::limits::STAMP_WALL_MS_MIN;

/// The last millisecond RFC 3339 can write: 9999-12-31T23:59:59.999Z.
const WALL_MS_MAX: u64 = 253_402_300_799_999;

/// Digits of a second a stamp may have: nanoseconds.
const SECOND_DIGITS_MAX: usize = 9;

/// Milliseconds since 1970 by the hub's clock, passed in as a value everywhere.
pub type WallMs = u64;

/// A hybrid logical clock reading: 48 bits of wall milliseconds, 16 bits of counter.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(u64);

impl Hlc {
    /// Wall milliseconds since 1970 (at most 2^48 - 1) and a counter inside that millisecond.
    pub const fn new(wall_ms: WallMs, counter: u16) -> Hlc {
        Hlc((wall_ms << 16) | counter as u64)
    }

    /// As one ordered number, for storage.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`Hlc::to_bits`].
    pub const fn from_bits(bits: u64) -> Hlc {
        Hlc(bits)
    }

    /// Wall milliseconds since 1970.
    pub const fn wall_ms(self) -> WallMs {
        self.0 >> 16
    }

    /// The counter inside the millisecond.
    pub const fn counter(self) -> u16 {
        self.0 as u16
    }

    /// What comes just after it.
    #[must_use]
    pub const fn next(self) -> Hlc {
        Hlc(self.0.saturating_add(1))
    }

    /// The next reading of a clock that showed `self`, at `now_ms`: strictly greater than
    /// `self`, and `now_ms` itself wherever that is ahead.
    #[must_use]
    pub fn tick(self, now_ms: WallMs) -> Hlc {
        Hlc::new(now_ms, 0).max(self.next())
    }

    /// Reads RFC 3339 with any offset and 0 to 9 digits of a second, cut to whole milliseconds,
    /// optionally followed by `-CCCC`, the counter in hexadecimal. Refuses times before 2020.
    /// Errors: `stamp_invalid`.
    pub fn parse(text: &str) -> Result<Hlc, Refusal> {
        let refuse = |why| Err(Refusal::new(Code::StampInvalid, format!("a stamp {why}")));
        let (time, counter) = match split_counter(text) {
            Ok(parts) => parts,
            Err(()) => return refuse("ends in no counter of four hexadecimal digits"),
        };
        let Some(time) = parse_rfc3339(time) else {
            return refuse("is no RFC 3339 time");
        };
        let wall_ms = time.unix_timestamp_nanos().div_euclid(1_000_000);
        match u64::try_from(wall_ms) {
            Ok(ms) if (STAMP_WALL_MS_MIN..=WALL_MS_MAX).contains(&ms) => Ok(Hlc::new(ms, counter)),
            _ => refuse("is outside 2020 to 9999"),
        }
    }
}

/// Splits `…Z-00ff` into the time and the counter. A time without counter ends in `Z` or in an
/// offset with a colon, so four characters after a dash are never an offset.
fn split_counter(text: &str) -> Result<(&str, u16), ()> {
    let Some(dash) = text
        .len()
        .checked_sub(5)
        .filter(|at| text.as_bytes()[*at] == b'-')
    else {
        return Ok((text, 0));
    };
    let digits = &text.as_bytes()[dash + 1..];
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(());
    }
    // The slice boundaries are ASCII by the two tests above.
    let counter = u16::from_str_radix(&text[dash + 1..], 16).map_err(|_| ())?;
    Ok((&text[..dash], counter))
}

/// Reads RFC 3339 as every device reads it. The parser alone takes any character for the `T` and
/// any number of digits.
fn parse_rfc3339(text: &str) -> Option<OffsetDateTime> {
    let has_t = matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    let fraction = text.get(20..).unwrap_or_default().bytes();
    let digits = fraction.take_while(u8::is_ascii_digit).count();
    if !has_t || digits > SECOND_DIGITS_MAX {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.wall_ms().min(WALL_MS_MAX);
        // In range by the line above.
        let time = OffsetDateTime::from_unix_timestamp((ms / 1000) as i64)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            u8::from(month),
            ms % 1000
        )?;
        match self.counter() {
            0 => Ok(()),
            counter => write!(f, "-{counter:04x}"),
        }
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// When and by whom: ordered by wall time, counter, writer, in that order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The clock reading claimed by the writer, or the hub's where that was clamped.
    pub at: Hlc,
    /// The writer's number in the space.
    pub writer: WriterNo,
}

/// The wall clock as text, `2026-11-24T10:00:00.042Z`, for `now` in replies.
pub fn wall_text(now_ms: WallMs) -> String {
    Hlc::new(now_ms, 0).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{cases, mutated};

    fn parse(text: &str) -> Hlc {
        Hlc::parse(text).unwrap()
    }

    fn refused(text: &str) -> bool {
        Hlc::parse(text).is_err_and(|refusal| refusal.code == Code::StampInvalid)
    }

    #[test]
    fn offsets_and_digits_are_read_to_the_millisecond() {
        let expected = Hlc::new(1_795_514_400_123, 0);
        for text in [
            "2026-11-24T10:00:00.123Z",
            "2026-11-24T10:00:00.123999999Z",
            "2026-11-24T11:30:00.1234+01:30",
            "2026-11-24t02:00:00.123-08:00",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(
            parse("2026-11-24T10:00:00Z"),
            Hlc::new(1_795_514_400_000, 0)
        );
    }

    #[test]
    fn the_counter_is_read_and_written_in_hexadecimal() {
        assert_eq!(
            parse("2026-11-24T10:00:00.123Z-00ff"),
            Hlc::new(1_795_514_400_123, 255)
        );
        assert_eq!(parse("2026-11-24T11:00:00.123+01:00-0001").counter(), 1);
        assert_eq!(parse("2026-11-24T10:00:00Z-FFFF").counter(), u16::MAX);
        for text in ["2026-11-24T10:00:00.123Z", "2026-11-24T10:00:00.123Z-00ff"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            "Z",
            "now",
            "1795514400123",
            "2026-11-24",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00:00-0100",
            "2026-11-24T10:00:00Z-00fg",
            "2026-11-24T10:00:00Z-+0ff",
            "2026-13-24T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T10:00:00.1234567890Z5",
            "-2026-11-24T10:00:00Z",
            "NaN",
            "é2026-11-24-00ff",
            "2026-11-24T10:00:00Zé-00f",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn the_year_2020_is_the_first() {
        assert_eq!(parse("2020-01-01T00:00:00Z").wall_ms(), STAMP_WALL_MS_MIN);
        assert!(refused("2019-12-31T23:59:59.999Z"));
        assert!(refused("1970-01-01T00:00:00Z"));
        assert_eq!(parse("9999-12-31T23:59:59.999Z").wall_ms(), WALL_MS_MAX);
        assert!(refused("9999-12-31T23:59:59.999-01:00"));
    }

    #[test]
    fn a_tick_is_greater_and_follows_the_wall() {
        let clock = Hlc::new(1_000, 7);
        assert_eq!(clock.tick(2_000), Hlc::new(2_000, 0));
        assert_eq!(clock.tick(1_000), Hlc::new(1_000, 8));
        assert_eq!(clock.tick(500), Hlc::new(1_000, 8));
        assert_eq!(Hlc::new(1_000, u16::MAX).tick(1_000), Hlc::new(1_001, 0));
    }

    #[test]
    fn stamps_order_by_wall_then_counter_then_writer() {
        let stamp = |ms, counter, writer| Stamp {
            at: Hlc::new(ms, counter),
            writer: WriterNo(writer),
        };
        assert!(stamp(2, 0, 0) > stamp(1, 9, 9));
        assert!(stamp(1, 1, 0) > stamp(1, 0, 9));
        assert!(stamp(1, 0, 1) > stamp(1, 0, 0));
    }

    proptest! {
        #![proptest_config(cases(1_000))]

        #[test]
        fn every_stamp_survives_its_text(
            ms in STAMP_WALL_MS_MIN..=WALL_MS_MAX, counter in any::<u16>(),
        ) {
            let at = Hlc::new(ms, counter);
            prop_assert_eq!(Hlc::parse(&at.to_string()), Ok(at));
            prop_assert_eq!(Hlc::from_bits(at.to_bits()), at);
        }

        #[test]
        fn stamps_order_as_their_plain_texts_do(
            a in STAMP_WALL_MS_MIN..=WALL_MS_MAX, b in STAMP_WALL_MS_MIN..=WALL_MS_MAX,
        ) {
            prop_assert_eq!(wall_text(a).cmp(&wall_text(b)), a.cmp(&b));
        }

        #[test]
        fn arbitrary_text_never_panics(
            text in ".{0,32}", near in mutated("2026-11-24T10:00:00.123+01:00-00ff"),
        ) {
            for text in [text, near] {
                if let Ok(at) = Hlc::parse(&text) {
                    prop_assert_eq!(Hlc::parse(&at.to_string()), Ok(at));
                }
            }
        }

        #[test]
        fn any_bits_can_be_written(bits in any::<u64>()) {
            prop_assert!(Hlc::from_bits(bits).to_string().len() <= 29);
        }

        #[test]
        fn a_tick_is_the_least_that_is_new(
            ms in 0..1u64 << 47, counter in any::<u16>(), now_ms in 0..1u64 << 47,
        ) {
            let clock = Hlc::new(ms, counter);
            let tick = clock.tick(now_ms);
            prop_assert!(tick > clock && tick.wall_ms() >= now_ms);
            prop_assert!(tick.to_bits() == clock.to_bits() + 1 || tick == Hlc::new(now_ms, 0));
        }
    }
}
