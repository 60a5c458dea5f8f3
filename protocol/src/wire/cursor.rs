//! The positions a client keeps: its cursor, and its place in a snapshot.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// What it is of. Of another selection the records before `after` would be missing.
    pub selection: Selection,
}

/// Where reading changes over HTTP goes on inside a commit, carried by the client as an opaque
/// text beside its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesPlace {
    /// The history it reads.
    pub epoch: Epoch,
    /// The client's cursor, which stays until the commit was read to its end.
    pub from: Seq,
    /// The commit.
    pub seq: Seq,
    /// The last record of it that was sent.
    pub after: RecordKey,
}

/// A selection of tables, as a fingerprint: the first 8 bytes of the SHA-256 of its names, each
/// after its length; 0 is all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection(pub u64);

impl Selection {
    /// All tables.
    pub const ALL: Selection = Selection(0);

    /// Of the tables a client wants and of those it fills up, each sorted; `None` is all, or
    /// none to fill up.
    pub fn of(tables: Option<&[TableName]>, backfill: Option<&[TableName]>) -> Selection {
        if tables.is_none() && backfill.is_none() {
            return Selection::ALL;
        }
        let mut hash = Sha256::new();
        for names in [tables, backfill] {
            let count = names.map_or(u64::MAX, |names| names.len() as u64);
            hash.update(count.to_le_bytes());
            for name in names.unwrap_or_default() {
                hash.update((name.as_str().len() as u64).to_le_bytes());
                hash.update(name.as_str());
            }
        }
        let hash = hash.finalize();
        let first = hash.first_chunk::<8>().expect("a hash has 32 bytes");
        Selection(u64::from_le_bytes(*first))
    }
}

#[derive(Serialize, Deserialize)]
struct PlaceV1<'a> {
    epoch: u64,
    at: u64,
    table: &'a str,
    id: &'a str,
    done: u64,
    sum: u32,
    selection: u64,
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
            selection: self.selection.0,
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
            selection: Selection(place.selection),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ChangesPlaceV1<'a> {
    epoch: u64,
    from: u64,
    seq: u64,
    table: &'a str,
    id: &'a str,
}

impl ChangesPlace {
    /// As text for `next`.
    pub fn to_text(&self) -> String {
        codec::encode_text(&ChangesPlaceV1 {
            epoch: self.epoch.0,
            from: self.from.0,
            seq: self.seq.0,
            table: self.after.table.as_str(),
            id: self.after.id.as_str(),
        })
    }

    /// Reads [`ChangesPlace::to_text`]. Errors: `cursor_invalid`.
    pub fn parse(text: &str) -> Result<ChangesPlace, Refusal> {
        let invalid = || Refusal::new(Code::CursorInvalid, "next is not of this hub");
        let bytes = codec::text_bytes(text).ok_or_else(invalid)?;
        let place: ChangesPlaceV1<'_> = codec::decode_text(&bytes).map_err(|_| invalid())?;
        // Whatever the limits were when the record was written.
        let most = NAME_BYTES_CEILING;
        Ok(ChangesPlace {
            epoch: Epoch(place.epoch),
            from: Seq(place.from),
            seq: Seq(place.seq),
            after: RecordKey {
                table: TableName::parse_within(place.table, most).map_err(|_| invalid())?,
                id: RecordId::parse_within(place.id, most).map_err(|_| invalid())?,
            },
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

    const PLACE: &str = "010783057461736b7304c3a92f31fbb80bfcefbeadde05";

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
            selection: Selection(5),
        }
    }

    #[test]
    fn a_place_survives_its_text() {
        assert_eq!(SnapshotPlace::parse(&place().to_text()).unwrap(), place());
    }

    #[test]
    fn a_place_inside_a_commit_survives_its_text_and_is_no_place_of_a_snapshot() {
        let place = ChangesPlace {
            epoch: Epoch(7),
            from: Seq(130),
            seq: Seq(131),
            after: place().after,
        };
        let text = place.to_text();
        assert_eq!(ChangesPlace::parse(&text).unwrap(), place);
        for other in [
            &text[2..],
            &text[..text.len() - 2],
            &format!("{text}00"),
            PLACE,
        ] {
            let refused = ChangesPlace::parse(other).unwrap_err();
            assert_eq!(refused.code, Code::CursorInvalid);
        }
        assert!(SnapshotPlace::parse(&text).is_err());
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
    fn every_selection_has_a_fingerprint_of_its_own() {
        let names = |names: &[&str]| -> Vec<TableName> {
            names.iter().map(|name| TableName::trusted(name)).collect()
        };
        let lists = [&[][..], &["a"], &["b"], &["a", "b"], &["ab"]];
        let lists: Vec<_> = lists.into_iter().map(names).collect();
        let some = lists.iter().map(|list| Some(list.as_slice()));
        let each: Vec<_> = some.chain([None]).collect();
        let all = each.iter().flat_map(|tables| {
            each.iter()
                .map(|backfill| Selection::of(*tables, *backfill).0)
        });
        let distinct: std::collections::BTreeSet<u64> = all.collect();
        assert_eq!(distinct.len(), each.len() * each.len());
        assert_eq!(Selection::of(None, None), Selection::ALL);
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
