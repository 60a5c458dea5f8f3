//! The positions a client keeps: its cursor, and its place in a snapshot.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::{Code, Refusal};
use crate::ids::{Epoch, RecordId, RecordKey, Seq, TableName};
use crate::limits::{NAME_BYTES_CEILING, SNAPSHOT_RECORDS_MAX};

/// What a client has applied. The epoch is kept as text: one that this hub never wrote is a
/// cursor of another history, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch as it came.
    pub epoch: String,
    /// The last seq applied.
    pub seq: u64,
}

/// Where a snapshot stands, carried by the client as an opaque text. It names only places in
/// the client's own space, so it needs no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPlace {
    /// The history it reads.
    pub epoch: Epoch,
    /// The head before the first part.
    pub at: Seq,
    /// The last record sent.
    pub after: RecordKey,
    /// Records sent.
    pub done: u64,
    /// The running sum, see [`SnapshotSum`].
    pub sum: SnapshotSum,
}

#[derive(Serialize, Deserialize)]
struct PlaceV1<'a> {
    epoch: u64,
    at: u64,
    table: &'a str,
    id: &'a str,
    done: u64,
    sum: u32,
}

impl SnapshotPlace {
    /// As text for `next`.
    pub fn to_text(&self) -> String {
        codec::encode_text(&PlaceV1 {
            epoch: self.epoch.0,
            at: self.at.0,
            table: self.after.table.as_str(),
            id: self.after.id.as_str(),
            done: self.done,
            sum: self.sum.0,
        })
    }

    /// Reads [`SnapshotPlace::to_text`]. Errors: `cursor_invalid`.
    pub fn parse(text: &str) -> Result<SnapshotPlace, Refusal> {
        let invalid = || Refusal::new(Code::CursorInvalid, "next is not of this hub");
        let bytes = codec::text_bytes(text).ok_or_else(invalid)?;
        let place: PlaceV1<'_> = codec::decode_text(&bytes).map_err(|_| invalid())?;
        if place.done > SNAPSHOT_RECORDS_MAX {
            return Err(invalid());
        }
        // Whatever the limits were when the record was written.
        let most = NAME_BYTES_CEILING;
        Ok(SnapshotPlace {
            epoch: Epoch(place.epoch),
            at: Seq(place.at),
            after: RecordKey {
                table: TableName::parse_within(place.table, most).map_err(|_| invalid())?,
                id: RecordId::parse_within(place.id, most).map_err(|_| invalid())?,
            },
            done: place.done,
            sum: SnapshotSum(place.sum),
        })
    }
}

/// The sum of a snapshot: over all records, the CRC-32 (IEEE) of `table \0 id \0 data`, data
/// being the canonical JSON (RFC 8785), added modulo 2^32. It tells a client that it holds
/// what was sent, in whatever order it was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSum(pub u32);

impl SnapshotSum {
    /// Adds a record. `data` is its canonical JSON.
    pub fn add(&mut self, key: &RecordKey, data: &str) {
        let mut crc = crc32fast::Hasher::new();
        for part in [key.table.as_str(), "\0", key.id.as_str(), "\0", data] {
            crc.update(part.as_bytes());
        }
        self.0 = self.0.wrapping_add(crc.finalize());
    }
}

impl std::fmt::Display for SnapshotSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{cases, mutated};

    const PLACE: &str = "010783057461736b7304c3a92f31fbb80bfcefbeadde";

    fn place() -> SnapshotPlace {
        SnapshotPlace {
            epoch: Epoch(7),
            at: Seq(131),
            after: RecordKey {
                table: TableName::trusted("tasks"),
                id: RecordId::trusted("é/1"),
            },
            done: 3_000,
            sum: SnapshotSum(0xdead_beef),
        }
    }

    #[test]
    fn a_place_survives_its_text() {
        assert_eq!(SnapshotPlace::parse(&place().to_text()).unwrap(), place());
    }

    #[test]
    fn a_damaged_place_is_refused() {
        let text = place().to_text();
        for damaged in [
            "",
            "zz",
            "0",
            &text[..text.len() - 2],
            &format!("{text}00"),
            &text[2..],
        ] {
            assert_eq!(
                SnapshotPlace::parse(damaged).unwrap_err().code,
                Code::CursorInvalid
            );
        }
    }

    #[test]
    fn the_sum_does_not_depend_on_order_but_on_every_byte() {
        let sum = |records: &[(&str, &str)]| {
            let mut sum = SnapshotSum::default();
            for (id, data) in records {
                let key = RecordKey {
                    table: TableName::trusted("t"),
                    id: RecordId::trusted(id),
                };
                sum.add(&key, data);
            }
            sum
        };
        assert_eq!(
            sum(&[("a", "{}"), ("b", "1")]),
            sum(&[("b", "1"), ("a", "{}")])
        );
        assert_ne!(sum(&[("a", "{}")]), sum(&[("a", "{} ")]));
        assert_ne!(sum(&[("a", "{}")]), sum(&[("a", "{}"), ("a", "{}")]));
        assert_eq!(sum(&[("k1", r#"{"done":true}"#)]).to_string(), "82c28250");
    }

    #[test]
    fn a_place_with_a_bad_name_is_a_bad_place() {
        let text = place().to_text();
        let bad = text.replace(&hex("tasks"), &hex("t\nsks"));
        assert_ne!(bad, text);
        assert_eq!(
            SnapshotPlace::parse(&bad).unwrap_err().code,
            Code::CursorInvalid
        );
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    proptest! {
        #![proptest_config(cases(500))]

        #[test]
        fn whatever_a_client_carries_is_a_place_or_invalid(
            text in ".{0,40}", near in mutated(PLACE),
        ) {
            for text in [text, near] {
                if let Err(refusal) = SnapshotPlace::parse(&text) {
                    prop_assert_eq!(refusal.code, Code::CursorInvalid);
                }
            }
        }
    }

    #[test]
    fn a_place_counts_to_2_53_and_no_further() {
        let done = |done| SnapshotPlace::parse(&SnapshotPlace { done, ..place() }.to_text());
        assert!(done(SNAPSHOT_RECORDS_MAX).is_ok());
        assert_eq!(
            done(SNAPSHOT_RECORDS_MAX + 1).unwrap_err().code,
            Code::CursorInvalid
        );
    }

    #[test]
    fn the_text_of_a_place_is_fixed() {
        assert_eq!(place().to_text(), PLACE);
    }
}
