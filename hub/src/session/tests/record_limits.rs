//! How large a record may become.

use serde_json::json;
use syncline_protocol::ids::{FieldName, RecordId, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::limits::Limits;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};
use syncline_storage::model::ModelStore;
use syncline_storage::types::Commit;

use super::desk::{Desk, NOW_MS, insert, space, update};
use super::pushing::pushed_once;
use crate::session::state::SessionLimits;

#[test]
fn a_record_grows_to_its_limit_and_not_past_it() {
    let (mut desk, phone) = pushed_once();
    let text = |bytes: usize| json!("x".repeat(bytes));
    // {"done":false,"title":"a","x":"…"} has 33 bytes around the text.
    let room = Limits::DEFAULT.record_bytes_max - 33;
    desk.push(phone, &[update(2, "k1", "x", &text(room), 5)]);
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"][0]["status"],
        "applied"
    );
    desk.push(phone, &[update(3, "k1", "x", &text(room + 1), 6)]);
    assert_eq!(
        desk.take_of(phone, "verdicts")[0]["results"][0]["code"],
        "record_too_large"
    );
}

/// A store that holds a record `k1` of more bytes than the limit allows, from a time when it was
/// higher.
fn too_large(bytes: usize) -> ModelStore {
    let mut store = ModelStore::new(1);
    let view = store.open_space(&space(), NOW_MS);
    let at = Stamp {
        at: Hlc::new(NOW_MS, 0),
        writer: WriterNo(0),
    };
    let field = Field {
        name: FieldName::trusted("x"),
        value: Json::trusted(&json!("y".repeat(bytes)).to_string()),
        stamp: at,
        seq: Seq(1),
    };
    let record = Record {
        seq: Seq(1),
        inserted: Some(at),
        fields: vec![field],
        ..Record::default()
    };
    let key = RecordKey {
        table: TableName::trusted("tasks"),
        id: RecordId::trusted("k1"),
    };
    let commit = Commit {
        space: space(),
        expect_epoch: view.epoch,
        expect_head: view.head,
        head: Seq(1),
        clock: at.at,
        live: 1,
        writers: view.writers,
        now_ms: NOW_MS,
        records: vec![(key, record.into())],
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs: Vec::new(),
    };
    store.commit(&commit).unwrap();
    store
}

#[test]
fn a_record_past_a_limit_that_was_lowered_may_shrink_and_not_grow() {
    let over = 2 * Limits::DEFAULT.record_bytes_max;
    let mut desk = Desk::on(too_large(over), Default::default());
    let phone = desk.hello(1, "phone", None);
    desk.take(phone);
    let text = |bytes: usize| json!("z".repeat(bytes));
    for (m, bytes, code) in [
        (1, over + 1, Some("record_too_large")),
        (2, over - 1, None),
        (3, over, Some("record_too_large")),
        (4, 10, None),
    ] {
        desk.push(phone, &[update(m, "k1", "x", &text(bytes), m)]);
        let verdicts = &desk.take_of(phone, "verdicts")[0];
        assert_eq!(verdicts["results"][0]["code"].as_str(), code, "{bytes}");
    }
    assert_eq!(desk.stored("k1"), Some(json!({"x": "zzzzzzzzzz"})));
}

#[test]
fn a_record_has_fields_up_to_the_limit_and_not_one_past_it() {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    desk.take(phone);
    let data: serde_json::Map<_, _> = (0..1_024).map(|i| (format!("f{i}"), json!(1))).collect();
    desk.push(phone, &[insert(1, "k1", &data.into())]);
    desk.push(phone, &[update(2, "k1", "g", &json!(1), 5)]);
    let results = desk.take_of(phone, "verdicts");
    assert_eq!(results[0]["results"][0]["status"], "applied");
    assert_eq!(results[1]["results"][0]["code"], "too_many_fields");
}

#[test]
fn the_limits_of_a_record_are_those_of_the_config() {
    let data = Limits {
        record_bytes_max: 64,
        fields_max: 3,
        ..Limits::DEFAULT
    };
    let limits = SessionLimits {
        data,
        ..Default::default()
    };
    let mut desk = Desk::on(ModelStore::new(1), limits);
    let phone = desk.hello(1, "phone", None);
    desk.take(phone);
    // {"x":"…"} has 8 bytes around the text.
    let record = |m: u64, bytes: usize| insert(m, &m.to_string(), &json!({"x": "y".repeat(bytes)}));
    desk.push(phone, &[record(1, 64 - 8), record(2, 64 - 7)]);
    desk.push(phone, &[insert(3, "k3", &json!({"a": 1, "b": 1, "c": 1}))]);
    desk.push(phone, &[update(4, "k3", "d", &json!(1), 5)]);
    let verdicts = desk.take_of(phone, "verdicts");
    let codes: Vec<_> = verdicts
        .iter()
        .flat_map(|verdicts| verdicts["results"].as_array().unwrap())
        .map(|result| result["code"].as_str().unwrap_or("applied"))
        .collect();
    let expected = ["applied", "record_too_large", "applied", "too_many_fields"];
    assert_eq!(codes, expected);
}
