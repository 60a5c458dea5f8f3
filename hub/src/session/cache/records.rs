//! What is known of the records of one space, packed: a record is one slice of bytes.
//!
//! A `Record` is some ten allocations. The cache holds far more of them than are merged onto at
//! any moment, so here each is its key and its binary form in one allocation, found by its key.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncline_protocol::codec::{decode_record, encode_record};
use syncline_protocol::ids::RecordKey;

use super::Known;

/// Bytes an entry costs besides its slice: its place in the table, which is half empty after it
/// grew, and what the allocator rounds up.
const ENTRY_OVERHEAD_BYTES: usize = 2 * size_of::<Packed>() + 16;

/// Every how manyth entry is forgotten when there is no room.
const FORGOTTEN_OF: usize = 8;

/// Records of one space.
#[derive(Debug)]
pub(super) struct SpaceRecords {
    entries: Mutex<Entries>,
    /// Entries of all spaces of the node.
    total: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Entries {
    packed: HashSet<Packed>,
    bytes: usize,
    /// Which entries are forgotten next, so that it is not always the same.
    turn: usize,
}

impl SpaceRecords {
    /// Nothing is known. `total` counts the entries of all spaces.
    pub(super) fn new(total: Arc<AtomicU64>) -> SpaceRecords {
        SpaceRecords {
            entries: Mutex::default(),
            total,
        }
    }

    /// What is known of a record.
    pub(super) fn get(&self, key: &RecordKey) -> Option<Known> {
        let name = packed_name(key);
        Some(self.entries().packed.get(name.as_slice())?.known())
    }

    /// Notes what is known. Beyond `bytes_max` it forgets a part of what it knows.
    pub(super) fn put(&self, key: &RecordKey, known: &Known, bytes_max: usize) {
        let packed = Packed::new(key, known);
        let mut entries = self.entries();
        let before = entries.packed.len();
        entries.bytes += packed.bytes();
        if let Some(replaced) = entries.packed.replace(packed) {
            entries.bytes -= replaced.bytes();
        }
        while entries.bytes > bytes_max && !entries.packed.is_empty() {
            entries.forget_some();
        }
        let after = entries.packed.len();
        match after.checked_sub(before) {
            Some(more) => self.total.fetch_add(more as u64, Ordering::Relaxed),
            None => self
                .total
                .fetch_sub((before - after) as u64, Ordering::Relaxed),
        };
    }

    /// Bytes it takes, by estimate.
    pub(super) fn bytes(&self) -> usize {
        self.entries().bytes
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SpaceRecords {
    fn drop(&mut self) {
        let entries = self.entries().packed.len();
        self.total.fetch_sub(entries as u64, Ordering::Relaxed);
    }
}

impl Entries {
    /// Forgets an eighth, or what is left if that is less than one.
    fn forget_some(&mut self) {
        let (mut at, turn) = (0, self.turn % FORGOTTEN_OF.min(self.packed.len()));
        let mut freed = 0;
        self.packed.retain(|packed| {
            let is_kept = at % FORGOTTEN_OF != turn;
            at += 1;
            if !is_kept {
                freed += packed.bytes();
            }
            is_kept
        });
        self.bytes -= freed;
        self.turn = turn + 1;
    }
}

/// A record behind its key, which it is found by: the length of the packed name in two bytes,
/// the packed name, and the record's binary form, or nothing if there is no such record.
#[derive(Debug)]
struct Packed(Box<[u8]>);

/// Bytes of the length of a packed name.
const LENGTH_BYTES: usize = size_of::<u16>();

impl Packed {
    fn new(key: &RecordKey, known: &Known) -> Packed {
        let name = packed_name(key);
        let record = known.as_deref().map(encode_record).unwrap_or_default();
        Packed(
            [&length(&name), &*name, &record]
                .concat()
                .into_boxed_slice(),
        )
    }

    fn name_end(&self) -> usize {
        LENGTH_BYTES + usize::from(u16::from_le_bytes([self.0[0], self.0[1]]))
    }

    fn known(&self) -> Known {
        let record = &self.0[self.name_end()..];
        (!record.is_empty())
            .then(|| Arc::new(decode_record(record).expect("this process encoded it")))
    }

    fn bytes(&self) -> usize {
        self.0.len() + ENTRY_OVERHEAD_BYTES
    }
}

/// The table's length, the table and the id: no two keys share it.
fn packed_name(key: &RecordKey) -> Vec<u8> {
    let (table, id) = (key.table.as_str(), key.id.as_str());
    [&length(table.as_bytes()), table.as_bytes(), id.as_bytes()].concat()
}

fn length(bytes: &[u8]) -> [u8; LENGTH_BYTES] {
    let length = u16::try_from(bytes.len()).expect("names have limits far below");
    length.to_le_bytes()
}

impl Borrow<[u8]> for Packed {
    fn borrow(&self) -> &[u8] {
        &self.0[LENGTH_BYTES..self.name_end()]
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Packed) -> bool {
        Borrow::<[u8]>::borrow(self) == Borrow::<[u8]>::borrow(other)
    }
}

impl Eq for Packed {}

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<[u8]>::borrow(self).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use syncline_protocol::ids::{FieldName, RecordId, Seq, TableName};
    use syncline_protocol::json::Json;
    use syncline_protocol::record::{Field, Record};
    use syncline_protocol::stamp::Stamp;

    use super::*;

    fn key(table: &str, id: &str) -> RecordKey {
        RecordKey {
            table: TableName::trusted(table),
            id: RecordId::trusted(id),
        }
    }

    fn record(seq: u64, bytes: usize) -> Known {
        Some(Arc::new(Record {
            fields: vec![Field {
                name: FieldName::trusted("f"),
                value: Json::trusted(&format!("\"{}\"", "x".repeat(bytes))),
                stamp: Stamp::default(),
                seq: Seq(seq),
            }],
            seq: Seq(seq),
            ..Record::default()
        }))
    }

    #[test]
    fn names_that_join_alike_are_not_mistaken() {
        let records = SpaceRecords::new(Arc::default());
        let keys = [
            key("ab", "c"),
            key("a", "bc"),
            key("abc", ""),
            key("", "abc"),
        ];
        for (seq, key) in keys.iter().enumerate() {
            assert_eq!(records.get(key), None);
            records.put(key, &record(seq as u64, 1), usize::MAX);
        }
        for (seq, key) in keys.iter().enumerate() {
            assert_eq!(records.get(key), Some(record(seq as u64, 1)));
        }
    }

    #[test]
    fn a_small_record_takes_little() {
        let records = SpaceRecords::new(Arc::default());
        records.put(
            &key("tasks", "0123456789abcdef"),
            &record(1, 34),
            usize::MAX,
        );
        let bytes = records.bytes();
        assert!(bytes <= 160, "{bytes}");
    }

    #[derive(Clone, Debug)]
    struct Put {
        id: usize,
        known: Option<(u64, usize)>,
    }

    fn puts() -> impl Strategy<Value = Vec<Put>> {
        let known = prop::option::weighted(0.8, (0..99_u64, 0..200_usize));
        let put = (0..40_usize, known).prop_map(|(id, known)| Put { id, known });
        prop::collection::vec(put, 0..120)
    }

    proptest! {
        #[test]
        fn it_tells_what_was_put_last_or_nothing(puts in puts(), bytes_max in 0..8_000_usize) {
            let total = Arc::new(AtomicU64::new(0));
            let records = SpaceRecords::new(total.clone());
            let mut last = HashMap::new();
            for put in puts {
                let key = key("t", &put.id.to_string());
                let known = put.known.and_then(|(seq, bytes)| record(seq, bytes));
                records.put(&key, &known, bytes_max);
                last.insert(key, known);
                prop_assert!(records.bytes() <= bytes_max);
                let told = last.iter().filter_map(|(key, known)| Some((records.get(key)?, known)));
                let told: Vec<_> = told.collect();
                prop_assert_eq!(told.len() as u64, total.load(Ordering::Relaxed));
                for (told, known) in told {
                    prop_assert_eq!(&told, known);
                }
            }
            if records.bytes() == 0 {
                prop_assert_eq!(total.load(Ordering::Relaxed), 0);
            }
            drop(records);
            prop_assert_eq!(total.load(Ordering::Relaxed), 0);
        }

        #[test]
        fn without_a_need_nothing_is_forgotten(puts in puts()) {
            let records = SpaceRecords::new(Arc::default());
            let mut last = HashMap::new();
            for put in puts {
                let key = key("t", &put.id.to_string());
                let known = put.known.and_then(|(seq, bytes)| record(seq, bytes));
                records.put(&key, &known, usize::MAX);
                last.insert(key, known);
            }
            for (key, known) in last {
                prop_assert_eq!(records.get(&key), Some(known));
            }
        }
    }

    #[test]
    fn every_entry_is_forgotten_in_its_turn() {
        let records = SpaceRecords::new(Arc::default());
        let bytes_max = 64 * Packed::new(&key("t", "00"), &record(1, 10)).bytes();
        let hot = key("t", "hot");
        let mut kept = 0;
        for round in 0..1_000 {
            records.put(
                &key("t", &format!("{:02}", round % 100)),
                &record(1, 10),
                bytes_max,
            );
            kept += usize::from(records.get(&hot).is_some());
            records.put(&hot, &record(2, 10), bytes_max);
        }
        assert!((900..1_000).contains(&kept), "{kept}");
    }
}
