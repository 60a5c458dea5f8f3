//! What the property tests draw: few names, values and times, so that ties, repeats and deletes
//! that exactly cover a write come often.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::change::{Change, Op, StampedChange};
use crate::ids::{FieldName, RecordId, RecordKey, TableName, WriterNo};
use crate::json::Json;
use crate::record::Record;
use crate::stamp::{Hlc, Stamp, WallMs};

/// 2026-11-24T10:00:00Z.
pub(crate) const BASE_MS: WallMs = 1_795_514_400_000;

/// A bounded number of cases, and no files: a failing case becomes a named test.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

pub(crate) fn key(id: &str) -> RecordKey {
    RecordKey {
        table: TableName::trusted("tasks"),
        id: RecordId::trusted(id),
    }
}

pub(crate) fn at(ms: u64, writer: u32) -> Stamp {
    Stamp {
        at: Hlc::new(BASE_MS + ms, 0),
        writer: WriterNo(writer),
    }
}

pub(crate) fn insert(stamp: Stamp, data: &[(&str, &str)]) -> StampedChange {
    let data = data
        .iter()
        .map(|(name, value)| (FieldName::trusted(name), Json::trusted(value)));
    Change {
        key: key("k1"),
        op: Op::Insert {
            at: stamp,
            data: data.collect(),
        },
    }
}

pub(crate) fn update(stamp: Stamp, name: &str, value: &str) -> StampedChange {
    let fields = vec![(FieldName::trusted(name), Json::trusted(value), stamp)];
    Change {
        key: key("k1"),
        op: Op::Update { fields },
    }
}

pub(crate) fn delete(stamp: Stamp) -> StampedChange {
    Change {
        key: key("k1"),
        op: Op::Delete { at: stamp },
    }
}

/// The part of a record that is joined, without the bookkeeping.
pub(crate) type State = (
    Option<Stamp>,
    Option<Stamp>,
    BTreeMap<String, (Json, Stamp)>,
);

pub(crate) fn state(record: &Record) -> State {
    let fields = record.fields.iter();
    let fields = fields.map(|f| (f.name.as_str().to_owned(), (f.value.clone(), f.stamp)));
    (record.inserted, record.deleted, fields.collect())
}

/// What a client sees of a record.
pub(crate) fn visible(record: &Record) -> Option<BTreeMap<String, Json>> {
    let fields = record
        .fields
        .iter()
        .map(|f| (f.name.as_str().to_owned(), f.value.clone()));
    record.is_live().then(|| fields.collect())
}

pub(crate) fn stamps() -> impl Strategy<Value = Stamp> {
    (0..8u64, 0..2u16, 1..3u32).prop_map(|(ms, counter, writer)| Stamp {
        at: Hlc::new(BASE_MS + ms, counter),
        writer: WriterNo(writer),
    })
}

fn names() -> impl Strategy<Value = FieldName> {
    // The last two are in one order as UTF-8 and in the other as UTF-16.
    prop::sample::select(vec!["a", "b", "\u{fb33}", "\u{1f600}"]).prop_map(FieldName::trusted)
}

pub(crate) fn values() -> impl Strategy<Value = Json> {
    prop::sample::select(vec!["0", "1", "null", "\"x\"", "{\"x\":[1]}"]).prop_map(Json::trusted)
}

fn ops() -> impl Strategy<Value = Op<Stamp>> {
    let data = prop::collection::btree_map(names(), values(), 0..4);
    let fields = prop::collection::btree_map(names(), (values(), stamps()), 0..4);
    prop_oneof![
        3 => (stamps(), data)
            .prop_map(|(at, data)| Op::Insert { at, data: data.into_iter().collect() }),
        4 => fields.prop_map(|fields| Op::Update {
            fields: fields.into_iter().map(|(name, (value, at))| (name, value, at)).collect(),
        }),
        2 => stamps().prop_map(|at| Op::Delete { at }),
    ]
}

/// A change of one of a few records.
pub(crate) fn changes_of(ids: &'static [&'static str]) -> impl Strategy<Value = StampedChange> {
    (prop::sample::select(ids), ops()).prop_map(|(id, op)| Change { key: key(id), op })
}

/// Changes of one record.
pub(crate) fn histories() -> impl Strategy<Value = Vec<StampedChange>> {
    prop::collection::vec(changes_of(&["k1"]), 0..10)
}

/// Any JSON value whose numbers are doubles and whose strings hold no NUL.
pub(crate) fn json_values() -> impl Strategy<Value = Value> {
    let text = || "[^\0]{0,6}";
    let exact = -(1i64 << 53)..=(1i64 << 53);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        exact.prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A text with a few bytes replaced, left out or put in, as UTF-8 again.
pub(crate) fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    mutated_bytes(text.as_bytes().to_vec())
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes with a few replaced, left out or put in.
pub(crate) fn mutated_bytes(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = (any::<prop::sample::Index>(), any::<u8>(), 0..3u8);
    prop::collection::vec(edits, 1..5).prop_map(move |edits| {
        let mut bytes = bytes.clone();
        for (at, byte, what) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}
