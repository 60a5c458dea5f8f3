//! What a client at a cursor has to learn of a record, and its text on the wire.

use crate::ids::{RecordKey, Seq};
use crate::json::{self, Json};
use crate::out::Out;
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

/// Bytes of an entry besides names and values, and of a changed field besides name and value.
const ENTRY_BYTES: usize = 192;
const FIELD_BYTES: usize = 64;

impl Entry<'_> {
    /// About how many bytes its text has, without making it; less only where names are quoted.
    pub fn size_bytes(&self) -> usize {
        let names = self.key.table.as_str().len() + self.key.id.as_str().len();
        let around = ENTRY_BYTES + names + self.by.map_or(0, str::len);
        let fields = match self.shown {
            Shown::Delete => return around,
            Shown::Insert => 0,
            Shown::Update => {
                let newer = self.record.fields.iter();
                let newer = newer.filter(|field| field.seq > self.after);
                newer
                    .map(|f| f.name.as_str().len() + f.value.as_str().len() + FIELD_BYTES)
                    .sum()
            }
        };
        around + self.record.size_bytes() + fields
    }

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

/// Appends a record's visible fields as one object, in canonical JSON.
pub fn write_data(out: &mut impl Out, record: &Record) {
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

pub(crate) fn push_joined<T, O: Out>(
    out: &mut O,
    items: impl Iterator<Item = T>,
    mut push: impl FnMut(&mut O, T),
) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, item);
    }
}

#[cfg(test)]
mod client_model;
#[cfg(test)]
mod tests;
