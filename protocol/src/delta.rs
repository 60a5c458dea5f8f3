//! What a client at a cursor has to learn of a record, and its text on the wire.

use crate::ids::{RecordKey, Seq};
use crate::json::{self, Json};
use crate::record::{Field, Record};
use crate::stamp::Hlc;

/// What has to be told of a record to a client that knows everything up to a seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Take the record as a whole.
    Insert,
    /// Some fields have other values.
    Update,
    /// It is gone.
    Delete,
}

/// Decides what a client that has applied everything up to `after` must be told, or `None` if
/// nothing it can see has changed (a stamp, a hidden field, a record it never saw).
pub fn since(record: &Record, after: Seq) -> Option<Shown> {
    if !record.is_live() {
        return (record.deleted_seq > after).then_some(Shown::Delete);
    }
    if record.inserted_seq > after {
        return Some(Shown::Insert);
    }
    record
        .fields
        .iter()
        .any(|field| field.seq > after)
        .then_some(Shown::Update)
}

/// Decides what a reader of pages is told of a record changed after `after`. Its cursor may
/// stand inside what it missed (a page was cut, the record moved on to a later page), so a
/// record of a page is always told, and whole: [`since`] would leave out what changed before
/// the cut. `None` only for a record no client ever saw.
pub fn paged(record: &Record, after: Seq) -> Option<Shown> {
    if record.is_live() {
        let new = record.inserted_seq > after;
        return Some(if new { Shown::Insert } else { Shown::Update });
    }
    (record.deleted_seq > Seq(0)).then_some(Shown::Delete)
}

/// A record's change as one entry of `changes`.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The record's place.
    pub key: &'a RecordKey,
    /// Its state.
    pub record: &'a Record,
    /// What is told of it.
    pub shown: Shown,
    /// The seq the reader knows: `fields` holds what is newer.
    pub after: Seq,
    /// The client that changed it last, if it is known by name.
    pub by: Option<&'a str>,
}

impl Entry<'_> {
    /// Appends the entry as JSON: `{"seq","table","id","op","fields"?,"data"?,"deletedAt"?,
    /// "insertedAt"?,"by"?}`.
    pub fn write(&self, out: &mut String) {
        let op = match self.shown {
            Shown::Insert => "insert",
            Shown::Update => "update",
            Shown::Delete => "delete",
        };
        out.push_str(r#"{"seq":"#);
        out.push_str(&self.record.seq.to_string());
        push_member(out, "table", self.key.table.as_str());
        push_member(out, "id", self.key.id.as_str());
        push_member(out, "op", op);
        match self.shown {
            Shown::Insert => {
                push_time(
                    out,
                    "insertedAt",
                    self.record.inserted.map(|stamp| stamp.at),
                );
                push_data(out, self.record);
            }
            Shown::Update => {
                out.push_str(r#","fields":{"#);
                let newer = self
                    .record
                    .fields
                    .iter()
                    .filter(|field| field.seq > self.after);
                push_joined(out, newer, |out, field| {
                    push_field(out, field.name.as_str(), Some(&field.value), field.stamp.at);
                });
                out.push('}');
                push_data(out, self.record);
            }
            Shown::Delete => push_time(out, "deletedAt", self.record.deleted.map(|stamp| stamp.at)),
        }
        if let Some(by) = self.by {
            push_member(out, "by", by);
        }
        out.push('}');
    }
}

/// Appends a record's visible fields as a JSON object, sorted by name.
pub fn write_data(out: &mut String, record: &Record) {
    out.push('{');
    push_joined(
        out,
        record.fields.iter(),
        |out, Field { name, value, .. }| {
            json::push_string(out, name.as_str());
            out.push(':');
            out.push_str(value.as_str());
        },
    );
    out.push('}');
}

fn push_data(out: &mut String, record: &Record) {
    out.push_str(r#","data":"#);
    write_data(out, record);
}

/// Appends `"name":{"value":…,"updatedAt":"…"}`; the value is left out where it is `None`.
pub(crate) fn push_field(out: &mut String, name: &str, value: Option<&Json>, at: Hlc) {
    json::push_string(out, name);
    out.push_str(":{");
    if let Some(value) = value {
        out.push_str(r#""value":"#);
        out.push_str(value.as_str());
        out.push(',');
    }
    out.push_str(r#""updatedAt":""#);
    push_display(out, at);
    out.push_str("\"}");
}

/// Appends `,"name":"text"`.
pub(crate) fn push_member(out: &mut String, name: &str, text: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    json::push_string(out, text);
}

/// Appends `,"name":"<stamp>"`, or nothing.
pub(crate) fn push_time(out: &mut String, name: &str, at: Option<Hlc>) {
    if let Some(at) = at {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":\"");
        push_display(out, at);
        out.push('"');
    }
}

pub(crate) fn push_display(out: &mut String, shown: impl std::fmt::Display) {
    use std::fmt::Write;
    write!(out, "{shown}").expect("writing to a String cannot fail");
}

pub(crate) fn push_joined<T>(
    out: &mut String,
    items: impl Iterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
}

#[cfg(test)]
mod tests {
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
}
