//! A record: a map of last-write-wins fields under an insert stamp and a delete stamp.
//!
//! Two things live side by side. The *state* (the stamps, and each field's value and stamp) is
//! a join semilattice, see [`crate::merge`]. The *bookkeeping* (`seq`, `by`, `inserted_seq`,
//! `deleted_seq`, a field's `seq`) says which commit last changed what; the space's one order
//! of commits assigns it, it never takes part in a comparison.

use crate::ids::{FieldName, Seq, WriterNo};
use crate::json::{self, Json};
use crate::stamp::Stamp;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, unique in the record.
    pub name: FieldName,
    /// The winning value.
    pub value: Json,
    /// When and by whom the value was written.
    pub stamp: Stamp,
    /// The commit that last changed the value. A newer stamp on an equal value leaves it.
    pub seq: Seq,
}

/// One row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The greatest insert stamp; `None` if only updates or deletes are known.
    pub inserted: Option<Stamp>,
    /// The greatest delete stamp.
    pub deleted: Option<Stamp>,
    /// Sorted by name as canonical JSON sorts. On a dead record: the hidden fields, newer than
    /// the delete.
    pub fields: Vec<Field>,
    /// The commit that last changed anything here, stamps included.
    pub seq: Seq,
    /// The writer whose mutation last changed anything here.
    pub by: WriterNo,
    /// The commit since which clients must take the record as a whole: it became live, or
    /// lost fields while it was live.
    pub inserted_seq: Seq,
    /// The commit in which it last died.
    pub deleted_seq: Seq,
}

impl Record {
    /// Live iff it was inserted after it was last deleted.
    pub fn is_live(&self) -> bool {
        self.inserted.is_some() && self.inserted > self.deleted
    }

    /// The field of that name, hidden ones included.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).ok().map(|at| &self.fields[at])
    }

    /// Where the field of that name is, or would be.
    pub(crate) fn position(&self, name: &str) -> Result<usize, usize> {
        self.fields
            .binary_search_by(|field| json::utf16_cmp(field.name.as_str(), name))
    }

    /// Bytes of all fields as one JSON object: what the record limit counts.
    pub fn size_bytes(&self) -> usize {
        self.size().bytes()
    }

    /// What the limits of a record count.
    pub fn size(&self) -> Size {
        let members = self.fields.iter().map(|field| field.member_bytes());
        Size {
            members: members.sum(),
            fields: self.fields.len(),
        }
    }
}

/// What the limits of a record count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of the members of all fields, a comma after each.
    pub(crate) members: usize,
    /// How many fields.
    pub fields: usize,
}

impl Size {
    /// Bytes of all fields as one JSON object.
    pub fn bytes(self) -> usize {
        self.members.saturating_sub(1) + 2
    }
}

impl Field {
    fn member_bytes(&self) -> usize {
        member_bytes(&self.name, &self.value)
    }
}

/// Bytes of a field as a member of a JSON object: name, quotes, colon, value and comma.
pub(crate) fn member_bytes(name: &FieldName, value: &Json) -> usize {
    name.as_str().len() + value.as_str().len() + 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::write_data;
    use crate::samples::{at, delete, insert, update};

    #[test]
    fn a_record_never_inserted_is_not_live() {
        let mut record = Record::default();
        record.merge(&update(at(5, 1), "a", "1"), Seq(1));
        assert!(!record.is_live());
        assert!(!Record::default().is_live());
    }

    #[test]
    fn hidden_fields_are_found_by_name() {
        let mut record = Record::default();
        record.merge(&delete(at(1, 1)), Seq(1));
        record.merge(&update(at(5, 1), "a", "1"), Seq(2));
        assert_eq!(record.field("a").unwrap().seq, Seq(2));
        assert_eq!(record.field("b"), None);
    }

    #[test]
    fn the_size_is_that_of_the_data_as_text() {
        for data in [
            &[][..],
            &[("a", "1")],
            &[("done", "false"), ("title", "\"\u{e9}\"")],
        ] {
            let mut record = Record::default();
            record.merge(&insert(at(0, 1), data), Seq(1));
            let mut text = String::new();
            write_data(&mut text, &record);
            assert_eq!(record.size_bytes(), text.len());
        }
    }
}
