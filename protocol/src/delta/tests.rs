use super::*;
use crate::change::{Change, Op, StampedChange};
use crate::ids::{FieldName, RecordId, TableName, WriterNo};
use crate::stamp::Stamp;

fn key() -> RecordKey {
    RecordKey {
        table: TableName::trusted("tasks"),
        id: RecordId::trusted("k1"),
    }
}

fn at(ms: u64) -> Stamp {
    Stamp {
        at: Hlc::new(1_795_514_400_000 + ms, 0),
        writer: WriterNo(1),
    }
}

fn change(op: Op<Stamp>) -> StampedChange {
    Change { key: key(), op }
}

fn pair(name: &str, value: &str) -> (FieldName, Json) {
    (FieldName::trusted(name), Json::trusted(value))
}

fn inserted() -> Record {
    let mut record = Record::default();
    let data = vec![pair("title", "\"a\""), pair("done", "false")];
    record.merge(&change(Op::Insert { at: at(0), data }), Seq(1));
    record
}

#[test]
fn the_size_of_an_entry_is_known_before_its_text() {
    let mut long = inserted();
    update(&mut long, &format!("\"{}\"", "x".repeat(10_000)), 1, 2);
    let mut dead = inserted();
    dead.merge(&change(Op::Delete { at: at(5) }), Seq(2));
    let shown = [
        (&long, Shown::Insert, 10_000),
        (&long, Shown::Update, 20_000),
        (&dead, Shown::Delete, 0),
    ];
    for (record, shown, values) in shown {
        let mut text = String::new();
        let entry = Entry {
            key: &key(),
            record,
            shown,
            after: Seq(1),
            by: Some("a-phone"),
        };
        entry.write(&mut text);
        let size = entry.size_bytes();
        assert!((text.len()..values + 512).contains(&size), "{size}: {text}");
    }
}

fn update(record: &mut Record, value: &str, ms: u64, seq: u64) {
    let (name, value) = pair("done", value);
    record.merge(
        &change(Op::Update {
            fields: vec![(name, value, at(ms))],
        }),
        Seq(seq),
    );
}

fn text(record: &Record, after: u64) -> String {
    let mut out = String::new();
    let (key, after) = (key(), Seq(after));
    let shown = since(record, after).unwrap();
    Entry {
        key: &key,
        record,
        shown,
        after,
        by: Some("c-7"),
    }
    .write(&mut out);
    out
}

#[test]
fn a_new_record_is_shown_whole() {
    assert_eq!(
        text(&inserted(), 0),
        r#"{"seq":1,"table":"tasks","id":"k1","op":"insert","insertedAt":"2026-11-24T10:00:00.000Z","data":{"done":false,"title":"a"},"by":"c-7"}"#
    );
}

#[test]
fn an_update_names_the_fields_after_the_cursor_and_carries_the_record() {
    let mut record = inserted();
    update(&mut record, "true", 5, 2);
    assert_eq!(
        text(&record, 1),
        r#"{"seq":2,"table":"tasks","id":"k1","op":"update","fields":{"done":{"value":true,"updatedAt":"2026-11-24T10:00:00.005Z"}},"data":{"done":true,"title":"a"},"by":"c-7"}"#
    );
}

#[test]
fn a_delete_carries_its_time() {
    let mut record = inserted();
    record.merge(&change(Op::Delete { at: at(9) }), Seq(2));
    assert_eq!(
        text(&record, 1),
        r#"{"seq":2,"table":"tasks","id":"k1","op":"delete","deletedAt":"2026-11-24T10:00:00.009Z","by":"c-7"}"#
    );
}

#[test]
fn a_newer_stamp_on_an_equal_value_is_not_shown() {
    let mut record = inserted();
    update(&mut record, "false", 5, 2);
    assert_eq!(record.seq, Seq(2));
    assert_eq!(since(&record, Seq(1)), None);
}

#[test]
fn a_hidden_field_is_shown_only_when_the_record_lives_again() {
    let mut record = inserted();
    record.merge(&change(Op::Delete { at: at(9) }), Seq(2));
    update(&mut record, "true", 12, 3);
    assert_eq!(since(&record, Seq(2)), None);
    record.merge(
        &change(Op::Insert {
            at: at(20),
            data: vec![],
        }),
        Seq(4),
    );
    assert_eq!(since(&record, Seq(3)), Some(Shown::Insert));
    assert!(text(&record, 3).contains(r#""data":{"done":true}"#));
}

#[test]
fn a_live_record_that_lost_fields_is_shown_whole() {
    let mut record = inserted();
    record.merge(
        &change(Op::Insert {
            at: at(10),
            data: vec![pair("done", "true")],
        }),
        Seq(2),
    );
    record.merge(&change(Op::Delete { at: at(5) }), Seq(3));
    assert_eq!(since(&record, Seq(2)), Some(Shown::Insert));
    assert!(text(&record, 2).contains(r#""data":{"done":true}"#));
}

#[test]
fn a_page_tells_every_record_it_holds() {
    let mut record = inserted();
    update(&mut record, "true", 5, 2);
    update(&mut record, "true", 6, 4);
    assert_eq!(since(&record, Seq(3)), None);
    assert_eq!(paged(&record, Seq(3)), Some(Shown::Update));
    record.merge(&change(Op::Delete { at: at(9) }), Seq(5));
    update(&mut record, "false", 12, 7);
    assert_eq!(since(&record, Seq(6)), None);
    assert_eq!(paged(&record, Seq(6)), Some(Shown::Delete));
    assert_eq!(paged(&Record::default(), Seq(0)), None);
}

#[test]
fn a_record_never_inserted_is_never_shown() {
    let mut record = Record::default();
    update(&mut record, "true", 5, 1);
    assert_eq!(since(&record, Seq(0)), None);
    record.merge(&change(Op::Delete { at: at(9) }), Seq(2));
    assert_eq!(since(&record, Seq(0)), None);
}

#[test]
fn data_is_canonical_json_whatever_the_names() {
    let names = [
        "\u{fb33}",
        "\u{1f600}",
        "\u{20ac}",
        "b",
        "B",
        "10",
        "9",
        "\"",
    ];
    let mut record = Record::default();
    let data = names.iter().map(|name| pair(name, "1")).collect();
    record.merge(&change(Op::Insert { at: at(0), data }), Seq(1));
    let mut text = String::new();
    write_data(&mut text, &record);
    assert_eq!(json::canonical(&text, 1).unwrap(), text);
}
