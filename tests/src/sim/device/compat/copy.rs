//! What the client holds, and how it takes what it is told.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_protocol::ids::{RecordId, RecordKey, TableName};

use super::super::edits::TABLES;
use super::draw::{LARGE_FIELD, POISONED_FIELD};
use crate::sim::checker::crossed::Write;
use crate::sim::rng::Rng;

/// A reply, from the very text the hub sent.
#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(rename = "serverChanges", borrow)]
    changes: Vec<Entry<'a>>,
    pub(super) conflicts: Vec<Conflict<'a>>,
    #[serde(rename = "syncedUntil")]
    pub(super) synced_until: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct Conflict<'a> {
    pub(super) table: &'a str,
    pub(super) id: &'a str,
    pub(super) code: &'a str,
}

#[derive(Debug, Deserialize)]
struct Entry<'a> {
    table: &'a str,
    id: &'a str,
    op: &'a str,
    #[serde(borrow)]
    data: Option<BTreeMap<&'a str, &'a RawValue>>,
    #[serde(borrow)]
    fields: Option<BTreeMap<&'a str, Written<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

/// What a reply says of a record.
#[derive(Debug)]
pub(super) enum Told {
    Insert(Row),
    Update(Row, Option<Row>),
    Delete(Row),
}

impl Told {
    /// What it writes, onto a row that is there or where none is.
    pub(super) fn write<'a>(&'a self, onto: Option<&'a Row>) -> Option<Write<'a>> {
        let (row, is_whole) = match self {
            Told::Insert(data) => (data, true),
            Told::Update(fields, _) | Told::Delete(fields) if onto.is_some() => (fields, false),
            Told::Update(_, Some(data)) => (data, true),
            Told::Update(_, None) | Told::Delete(_) => return None,
        };
        Some(Write {
            fields: &row.0,
            is_whole,
            onto: onto.map(|row| &row.0),
        })
    }
}

impl<'a> Body<'a> {
    /// What it tells, in order.
    pub(super) fn told(&self) -> impl Iterator<Item = (RecordKey, Told)> {
        let told = |entry: &Entry<'_>| Some((key(entry.table, entry.id), entry.told()?));
        self.changes.iter().filter_map(told)
    }

    /// The records of which something is named `erased`, by table and id.
    pub(super) fn erased(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let conflicts = self.conflicts.iter();
        let erased = conflicts.filter(|conflict| conflict.code == "erased");
        erased.map(|conflict| (conflict.table, conflict.id))
    }
}

impl Entry<'_> {
    fn told(&self) -> Option<Told> {
        let text = |value: &RawValue| value.get().to_owned();
        let data = self.data.as_ref().map(|data| {
            let fields = data.iter();
            Row(fields
                .map(|(name, value)| ((*name).to_owned(), text(value)))
                .collect())
        });
        match self.op {
            "insert" => Some(Told::Insert(data.unwrap_or_default())),
            "update" => {
                let fields = self.fields.iter().flatten();
                let fields = fields.map(|(name, field)| ((*name).to_owned(), text(field.value)));
                Some(Told::Update(Row(fields.collect()), data))
            }
            "delete" => {
                let deleted = ("deletedAt".to_owned(), r#""then""#.to_owned());
                Some(Told::Delete(Row([deleted].into())))
            }
            _ => None,
        }
    }
}

/// A local record: its fields as text, the time of its deletion among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Row(pub(super) BTreeMap<String, String>);

impl Row {
    pub(super) fn is_deleted(&self) -> bool {
        self.0.get("deletedAt").is_some_and(|at| at != "null")
    }

    /// Its fields as one text, without what was set aside and is on this device alone.
    fn text(&self) -> String {
        let mut text = String::from("{");
        let only_copy = self.0.contains_key(LARGE_FIELD);
        for (name, value) in &self.0 {
            let is_aside = name == LARGE_FIELD || only_copy && name == POISONED_FIELD;
            if name == "deletedAt" || is_aside {
                continue;
            }
            if text.len() > 1 {
                text.push(',');
            }
            text.push('"');
            text.push_str(name);
            text.push_str("\":");
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

/// All a client holds.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) rows: BTreeMap<RecordKey, Row>,
    cursors: BTreeMap<&'static str, String>,
}

impl Copy {
    pub(super) fn new(cursor: &str) -> Copy {
        let cursors = TABLES.iter().map(|table| (*table, cursor.to_owned()));
        Copy {
            rows: BTreeMap::new(),
            cursors: cursors.collect(),
        }
    }

    /// Data of another server.
    pub(super) fn hold_old_data(&mut self, rng: &mut Rng) {
        for id in ["a1", "b1"] {
            let table = *rng.pick(&["notes", "tasks"]);
            let fields = [("n", r#""old""#), ("old", "1")];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            self.rows.insert(key(table, id), Row(fields.into()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn cursor(&self, table: &str) -> &str {
        &self.cursors[table]
    }

    /// The least as text, of the tables' cursors and the client's own clock.
    pub(super) fn least_cursor(&self, own_clock: &str) -> String {
        let cursors = self.cursors.values().map(String::as_str);
        let least = cursors.chain([own_clock]).min();
        least.unwrap_or(own_clock).to_owned()
    }

    /// A table is synced up to here.
    pub(super) fn set_cursor(&mut self, table: &'static str, cursor: String) {
        self.cursors.insert(table, cursor);
    }

    /// Takes what a reply says of a record.
    pub(super) fn apply(&mut self, key: RecordKey, told: Told) {
        match (told, self.rows.get_mut(&key)) {
            (Told::Insert(data), _) => drop(self.rows.insert(key, data)),
            (Told::Update(fields, _) | Told::Delete(fields), Some(row)) => row.0.extend(fields.0),
            (Told::Update(_, Some(data)), None) => drop(self.rows.insert(key, data)),
            (Told::Update(_, None) | Told::Delete(_), None) => {}
        }
    }

    /// What the user sees.
    pub(super) fn shown(&self) -> BTreeMap<&RecordKey, String> {
        let rows = self.rows.iter();
        rows.filter(|(key, row)| !row.is_deleted() && key.id.as_str() != super::draw::POISONED_ID)
            .map(|(key, row)| (key, row.text()))
            .collect()
    }
}

pub(super) fn key(table: &str, id: &str) -> RecordKey {
    RecordKey {
        table: TableName::trusted(table),
        id: RecordId::trusted(id),
    }
}
