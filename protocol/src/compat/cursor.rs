//! The cursor of these clients: a time as text, compared as text.
//!
//! The client keeps the least of its tables' cursors and its own clock, so a cursor must sort
//! below any real clock: it is a time between 1971 and 2007 whose nanoseconds hold the epoch
//! (24 bits: the minute it was given, so later epochs sort later and a table that still holds an
//! older one decides), the seq (34 bits), and what it says of the device's other tables (two
//! bits). The text has a fixed width.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Code, Refusal};
use crate::ids::Seq;
use crate::stamp::WallMs;

/// What a device without data sends.
pub const EMPTY: &str = "1970-01-01T00:00:00.000Z";

/// What a device with data of another server is told to stay at where there is nothing to pull: no
/// cursor of the hub, and below any real clock, but above all cursors of the hub, as its own is.
pub const FOREIGN: &str = "2010-01-01T00:00:00.000Z";

/// What a device is told to start again from that has not been told what became of its changeset:
/// it may show what is gone. No cursor of the hub, and below all of them.
pub const STALE: &str = "1970-01-01T00:00:00.001Z";

/// What a device with data of another server is told to start from whose tables are more than one
/// reply holds. No cursor of the hub, and below all of them: so its least cursor tells whether there
/// is a table that it has not pulled since, which its own, above all of them, would not.
pub const STALE_FOREIGN: &str = "1970-01-01T00:00:00.002Z";

/// Nanoseconds from 1970 to the first cursor: 1971-01-01T00:00:00Z.
const FIRST_NS: i128 = 31_536_000_000_000_000;

const SEQ_BITS: u32 = 34;
const REACH_BITS: u32 = 2;
const MINUTE_BITS: u32 = 24;

/// Epochs are counted in minutes from here: 2024-01-01T00:00:00Z.
const FIRST_EPOCH_MS: WallMs = 1_704_067_200_000;

/// What a client's cursor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It has nothing.
    Empty,
    /// It has everything up to a seq of an epoch.
    At {
        /// The epoch, by its minute.
        minute: u64,
        /// The seq.
        seq: Seq,
        /// Of which tables that is known.
        reach: Reach,
    },
    /// It has data, but not by a cursor of this hub.
    Foreign,
    /// It has data, of which it must be told everything once more.
    Stale,
    /// It has data of another server, and all its tables were told to start from here.
    StaleForeign,
}

/// Of which tables a cursor speaks. A device sends the least of its tables' cursors with a
/// changeset; were that one a pull gave while other tables have none of this hub yet, it would
/// hide what those lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Of the table that was pulled, by a device that had data of another server.
    OneOfForeign,
    /// Of the table that was pulled, by a device that had nothing in it.
    OneOfEmpty,
    /// Of the table that was pulled, by a device that had to start again.
    OneOfStale,
    /// Of all tables: a changeset was answered, or a pull by such a cursor.
    All,
}

/// What has to be told to a client, by its cursor and where its space is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Every live record: it has nothing.
    Everything,
    /// Every record, dead ones too: it has data of no known age.
    Anew,
    /// Every record, dead ones too, and the living replace what it has.
    Afresh,
    /// What changed after a seq.
    After(Seq),
}

/// Where a space is: the epoch's time, head and horizon of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the epoch was given.
    pub epoch_at_ms: WallMs,
    /// The head.
    pub head: Seq,
    /// Cursors below it may have missed a collected tombstone.
    pub gc_seq: Seq,
}

impl Since {
    /// Reads a cursor. Errors: `cursor_invalid` for what is no time.
    pub fn parse(text: &str) -> Result<Since, Refusal> {
        if text == EMPTY {
            return Ok(Since::Empty);
        }
        if text == STALE {
            return Ok(Since::Stale);
        }
        if text == STALE_FOREIGN {
            return Ok(Since::StaleForeign);
        }
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| Refusal::new(Code::CursorInvalid, "since is no ISO time"))?;
        let ns = u64::try_from(time.unix_timestamp_nanos() - FIRST_NS);
        Ok(match ns {
            Ok(ns) if ns >> (REACH_BITS + SEQ_BITS + MINUTE_BITS) == 0 => Since::At {
                minute: ns >> (REACH_BITS + SEQ_BITS),
                seq: Seq(ns >> REACH_BITS & ((1 << SEQ_BITS) - 1)),
                reach: match ns & ((1 << REACH_BITS) - 1) {
                    0 => Reach::OneOfForeign,
                    1 => Reach::OneOfEmpty,
                    2 => Reach::OneOfStale,
                    _ => Reach::All,
                },
            },
            _ => Since::Foreign,
        })
    }

    /// What it says of all tables.
    pub fn of_all_tables(self) -> Since {
        match self {
            Since::At { reach, .. } => match reach {
                Reach::OneOfForeign => Since::Foreign,
                Reach::OneOfEmpty => Since::Empty,
                Reach::OneOfStale => Since::Stale,
                Reach::All => self,
            },
            Since::Empty | Since::Foreign | Since::Stale | Since::StaleForeign => self,
        }
    }

    /// What it says of all tables as the least of a device's cursors. Where it is of a table that was
    /// pulled by a device that had to start again, all the others have been pulled since: what they
    /// were told to stay at sorts below it.
    pub fn as_least(self) -> Since {
        match self {
            Since::At {
                reach: Reach::OneOfStale,
                ..
            } => self,
            other => other.of_all_tables(),
        }
    }

    /// A cursor that says the same, for a device that is told nothing.
    pub fn text(self) -> String {
        match self {
            Since::Empty => EMPTY.to_owned(),
            Since::Foreign => FOREIGN.to_owned(),
            Since::Stale => STALE.to_owned(),
            Since::StaleForeign => STALE_FOREIGN.to_owned(),
            Since::At { minute, seq, reach } => text(minute, seq, reach),
        }
    }

    /// Of which tables the next cursor of a pull speaks.
    pub fn pull_reach(self) -> Reach {
        match self {
            Since::At { reach, .. } => reach,
            Since::Empty => Reach::OneOfEmpty,
            Since::Foreign => Reach::OneOfForeign,
            Since::Stale | Since::StaleForeign => Reach::OneOfStale,
        }
    }

    /// Up to which commit of a space's history a client with this cursor has heard of every table
    /// it has.
    pub fn heard(self, place: &Place) -> Option<Seq> {
        match self {
            Since::At { minute, seq, .. } if minute == place.minute() && seq <= place.head => {
                Some(seq)
            }
            _ => None,
        }
    }

    /// Whether a client with this cursor has heard of what comes after this place, in its history
    /// or a later one: the cursor sorts above all of this place.
    pub fn is_past(self, place: &Place) -> bool {
        let here = (place.minute(), place.head);
        matches!(self, Since::At { minute, seq, .. } if (minute, seq) > here)
    }

    /// Whether a client with this cursor has heard of commits of this very history that are not there:
    /// of a place that was read since, the store has lost them.
    pub fn is_ahead_of(self, place: &Place) -> bool {
        let is_ahead = |at, seq| at == place.minute() && seq > place.head;
        matches!(self, Since::At { minute, seq, .. } if is_ahead(minute, seq))
    }

    /// Whether it is of an epoch given before the minute of this time.
    pub fn is_before(self, at_ms: WallMs) -> bool {
        matches!(self, Since::At { minute, .. } if minute < minute_of(at_ms))
    }

    /// Whether a client with this cursor had to start again, or may have had to since it pulled
    /// beside data of another server: it may have heard of any history.
    pub fn starts_again(self) -> bool {
        let pulled = |reach| matches!(reach, Reach::OneOfForeign | Reach::OneOfStale);
        match self {
            Since::At { reach, .. } => pulled(reach),
            Since::Stale | Since::StaleForeign => true,
            Since::Empty | Since::Foreign => false,
        }
    }

    /// What a client with this cursor has to be told.
    pub fn tell(self, place: Place) -> Tell {
        match self {
            Since::Empty => Tell::Everything,
            Since::Stale => Tell::Afresh,
            Since::At { minute, seq, .. }
                if minute == place.minute() && (place.gc_seq..=place.head).contains(&seq) =>
            {
                Tell::After(seq)
            }
            Since::At { .. } | Since::Foreign | Since::StaleForeign => Tell::Anew,
        }
    }
}

impl Place {
    fn minute(self) -> u64 {
        minute_of(self.epoch_at_ms)
    }

    /// The cursor of a client that has everything up to the head, of one table or of all.
    pub fn cursor(self, reach: Reach) -> String {
        text(self.minute(), self.head, reach)
    }
}

fn minute_of(epoch_at_ms: WallMs) -> u64 {
    let minutes = epoch_at_ms.saturating_sub(FIRST_EPOCH_MS) / 60_000;
    minutes.min((1 << MINUTE_BITS) - 1)
}

fn text(minute: u64, seq: Seq, reach: Reach) -> String {
    let seq = seq.0.min((1 << SEQ_BITS) - 1);
    // A changeset's cursor must not sort before a pull's of the same head.
    let reach = reach as u64;
    let ns = (minute << SEQ_BITS | seq) << REACH_BITS | reach;
    let ns = FIRST_NS + i128::from(ns);
    let (seconds, ns) = (ns / 1_000_000_000, ns % 1_000_000_000);
    // At most 2^60 ns after 1971, so a time of this millennium.
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: WallMs = 1_795_514_400_000;

    fn place(epoch_at_ms: WallMs, head: u64) -> Place {
        Place {
            epoch_at_ms,
            head: Seq(head),
            gc_seq: Seq(0),
        }
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_back_and_sorts_like_its_seq(
            minutes in 0u64..16_000_000,
            a in 0u64..(1 << 34),
            b in 0u64..(1 << 34),
        ) {
            let at = FIRST_EPOCH_MS + minutes * 60_000;
            let (first, second) = (place(at, a), place(at, b));
            let read = Since::parse(&first.cursor(Reach::All)).unwrap();
            prop_assert_eq!(read, Since::At { minute: minutes, seq: Seq(a), reach: Reach::All });
            prop_assert_eq!(read.tell(first), Tell::After(Seq(a)));
            prop_assert_eq!(first.cursor(Reach::All).cmp(&second.cursor(Reach::All)), a.cmp(&b));
            prop_assert_eq!(first.cursor(Reach::All).len(), "1971-01-01T00:00:00.000000000Z".len());
        }
    }

    #[test]
    fn a_cursor_sorts_between_empty_and_any_real_clock() {
        for head in [0, 1, (1 << 34) - 1] {
            for at in [0, NOW_MS, 4_000_000_000_000] {
                let cursor = place(at, head).cursor(Reach::All);
                assert!(
                    cursor.as_str() > EMPTY && cursor.as_str() < "2009-12-31",
                    "{cursor}"
                );
            }
        }
    }

    #[test]
    fn what_a_cursor_says_can_be_written_again() {
        let here = place(NOW_MS, 40);
        let reaches = [
            Reach::OneOfForeign,
            Reach::OneOfEmpty,
            Reach::OneOfStale,
            Reach::All,
        ];
        let all = reaches.map(|reach| Since::parse(&here.cursor(reach)).unwrap());
        let others = [
            Since::Empty,
            Since::Foreign,
            Since::Stale,
            Since::StaleForeign,
        ];
        for since in all.into_iter().chain(others) {
            assert_eq!(Since::parse(&since.text()), Ok(since));
            assert!(*since.text() < *"2011", "{since:?} sorts above a clock");
        }
    }

    #[test]
    fn a_cursor_of_one_table_says_of_all_only_where_the_device_began() {
        let here = place(NOW_MS, 9);
        let mut before = String::new();
        for (reach, of_all) in [
            (Reach::OneOfForeign, Tell::Anew),
            (Reach::OneOfEmpty, Tell::Everything),
            (Reach::OneOfStale, Tell::Afresh),
            (Reach::All, Tell::After(Seq(9))),
        ] {
            let cursor = here.cursor(reach);
            let read = Since::parse(&cursor).unwrap();
            assert_eq!(read.tell(here), Tell::After(Seq(9)));
            assert_eq!(read.of_all_tables().tell(here), of_all);
            assert_eq!(read.pull_reach(), reach);
            assert!(cursor > before);
            before = cursor;
        }
        assert!(before < place(NOW_MS, 10).cursor(Reach::OneOfForeign));
    }

    #[test]
    fn the_least_cursor_of_a_device_that_started_again_says_of_all() {
        let here = place(NOW_MS, 9);
        let least = |text: &str| Since::parse(text).unwrap().as_least().tell(here);
        let pulled = here.cursor(Reach::OneOfStale);
        assert_eq!(least(&pulled), Tell::After(Seq(9)));
        assert_eq!(least(pulled.as_str().min(STALE)), Tell::Afresh);
        assert_eq!(least(pulled.as_str().min(STALE_FOREIGN)), Tell::Anew);
        assert_eq!(least(&here.cursor(Reach::OneOfEmpty)), Tell::Everything);
        assert_eq!(least(&here.cursor(Reach::OneOfForeign)), Tell::Anew);
    }

    #[test]
    fn a_later_epoch_sorts_later() {
        let old = place(NOW_MS, (1 << 34) - 1).cursor(Reach::All);
        let new = place(NOW_MS + 60_000, 0).cursor(Reach::All);
        assert!(old < new);
    }

    #[test]
    fn a_cursor_of_no_use_tells_anew() {
        let here = Place {
            gc_seq: Seq(5),
            ..place(NOW_MS, 9)
        };
        let tell = |text: &str| Since::parse(text).unwrap().tell(here);
        assert_eq!(tell(EMPTY), Tell::Everything);
        assert_eq!(tell(STALE), Tell::Afresh);
        assert_eq!(tell(STALE_FOREIGN), Tell::Anew);
        assert_eq!(tell("1970-01-01T00:00:00Z"), Tell::Anew);
        assert_eq!(tell("2026-03-01T10:00:00.000Z"), Tell::Anew);
        assert_eq!(
            tell(&place(NOW_MS + 60_000, 7).cursor(Reach::All)),
            Tell::Anew
        );
        for (seq, expected) in [
            (4, Tell::Anew),
            (5, Tell::After(Seq(5))),
            (9, Tell::After(Seq(9))),
            (10, Tell::Anew),
        ] {
            assert_eq!(tell(&place(NOW_MS, seq).cursor(Reach::All)), expected);
        }
    }

    #[test]
    fn a_client_has_heard_up_to_its_cursor_if_that_is_of_this_history() {
        let here = place(NOW_MS, 9);
        let heard = |at_ms, seq| {
            let cursor = place(at_ms, seq).cursor(Reach::All);
            Since::parse(&cursor).unwrap().heard(&here)
        };
        assert_eq!(heard(NOW_MS, 9), Some(Seq(9)));
        assert_eq!(heard(NOW_MS, 10), None, "the store lost commits");
        assert_eq!(heard(NOW_MS + 60_000, 3), None);
        assert_eq!(Since::Stale.heard(&here), None);
    }

    #[test]
    fn a_cursor_is_past_a_place_if_it_sorts_above_all_of_it() {
        let here = place(NOW_MS, 9);
        for (at_ms, seq, expected) in [
            (NOW_MS, 9, false),
            (NOW_MS, 10, true),
            (NOW_MS + 60_000, 0, true),
            (NOW_MS - 60_000, 10, false),
        ] {
            let cursor = place(at_ms, seq).cursor(Reach::OneOfForeign);
            assert_eq!(Since::parse(&cursor).unwrap().is_past(&here), expected);
            assert_eq!(cursor > here.cursor(Reach::All), expected);
        }
        assert!(!Since::Foreign.is_past(&here));
    }

    #[test]
    fn a_cursor_is_ahead_of_a_place_in_its_own_history_alone() {
        let here = place(NOW_MS, 9);
        for (at_ms, seq, expected) in [
            (NOW_MS, 9, false),
            (NOW_MS, 10, true),
            (NOW_MS + 60_000, 10, false),
            (NOW_MS - 60_000, 10, false),
        ] {
            let cursor = place(at_ms, seq).cursor(Reach::OneOfStale);
            assert_eq!(Since::parse(&cursor).unwrap().is_ahead_of(&here), expected);
        }
        assert!(!Since::Foreign.is_ahead_of(&here));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-03-01", "0"] {
            assert_eq!(
                Since::parse(text).unwrap_err().code,
                Code::CursorInvalid,
                "{text}"
            );
        }
    }
}
