//! Changes as a client would push them.

use syncline_protocol::ids::{RecordId, TableName};
use syncline_protocol::json::{Json, push_string};
use syncline_protocol::stamp::Hlc;

use crate::worker::Changes;

/// Bytes of changes that are written at once; one is always written.
pub(crate) const CHANGES_BYTES_MAX: usize = 1 << 20;

/// Bytes of the records that are touched at once, as they are stored; one is always touched. A third of what
/// any store commits at once, since each is stored whole.
pub(crate) const TOUCHED_BYTES_MAX: usize = 4 << 20;

/// A field and its value.
pub(crate) type Value<'a> = (&'a str, &'a Json);

/// A list of changes while it is made.
#[derive(Debug, Default)]
pub(crate) struct Written {
    text: String,
    changes: usize,
    changes_max: usize,
    /// Bytes of the records that are there and are changed.
    touched: usize,
}

impl Written {
    /// An empty one, which is full with so many changes.
    pub(crate) fn at_most(changes_max: usize) -> Written {
        Written {
            text: String::new(),
            changes: 0,
            changes_max,
            touched: 0,
        }
    }

    /// No more is to be written at once.
    pub(crate) fn is_full(&self) -> bool {
        self.changes >= self.changes_max
            || self.text.len() >= CHANGES_BYTES_MAX
            || self.touched >= TOUCHED_BYTES_MAX
    }

    /// The next change is of a record of so many bytes that is there.
    pub(crate) fn touches(&mut self, bytes: usize) {
        self.touched += bytes;
    }

    /// How many changes it may hold yet.
    pub(crate) fn left(&self) -> usize {
        self.changes_max.saturating_sub(self.changes)
    }

    /// Makes a record, as of a time if one is given.
    pub(crate) fn insert<'a>(
        &mut self,
        (table, id): (&TableName, &RecordId),
        fields: impl IntoIterator<Item = Value<'a>>,
        at: Option<Hlc>,
    ) {
        self.begin(table, id, "insert");
        self.text.push_str(",\"data\":{");
        for (n, (name, value)) in fields.into_iter().enumerate() {
            self.name(n, name);
            self.text.push_str(value.as_str());
        }
        self.text.push('}');
        if let Some(at) = at {
            self.text.push_str(",\"insertedAt\":");
            push_string(&mut self.text, &at.to_string());
        }
        self.text.push('}');
    }

    /// Writes fields of a record.
    pub(crate) fn update<'a>(
        &mut self,
        (table, id): (&TableName, &RecordId),
        fields: impl IntoIterator<Item = Value<'a>>,
    ) {
        self.begin(table, id, "update");
        self.text.push_str(",\"fields\":{");
        for (n, (name, value)) in fields.into_iter().enumerate() {
            self.name(n, name);
            self.text.push_str("{\"value\":");
            self.text.push_str(value.as_str());
            self.text.push('}');
        }
        self.text.push_str("}}");
    }

    /// Deletes a record.
    pub(crate) fn delete(&mut self, (table, id): (&TableName, &RecordId)) {
        self.begin(table, id, "delete");
        self.text.push('}');
    }

    /// All of them; `None` if there are none.
    pub(crate) fn changes(self) -> Option<Changes> {
        (self.changes > 0).then(|| Changes(format!("[{}]", self.text)))
    }

    fn begin(&mut self, table: &TableName, id: &RecordId, op: &str) {
        if self.changes > 0 {
            self.text.push(',');
        }
        self.changes += 1;
        self.text.push_str("{\"table\":");
        push_string(&mut self.text, table.as_str());
        self.text.push_str(",\"id\":");
        push_string(&mut self.text, id.as_str());
        self.text.push_str(",\"op\":");
        push_string(&mut self.text, op);
    }

    fn name(&mut self, n: usize, name: &str) {
        if n > 0 {
            self.text.push(',');
        }
        push_string(&mut self.text, name);
        self.text.push(':');
    }
}
