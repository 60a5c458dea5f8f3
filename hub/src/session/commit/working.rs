//! Records while a mutation or a changeset is merged onto them.
//!
//! Each is copied once, when it is first touched, and its size is kept along: what many changes
//! of one record cost grows with the changes, not with the record for each of them.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::change::StampedChange;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::limits::Limits;
use syncline_protocol::merge::Merged;
use syncline_protocol::record::{Record, Size};

/// A copy of a record, and what became of it so far.
#[derive(Debug)]
pub(super) struct Working {
    /// As it is now.
    pub(super) record: Record,
    /// The batch had it, live or dead, before this mutation or changeset.
    pub(super) was_here: bool,
    /// Something of it moved.
    changed: bool,
    size: Size,
}

/// The records one mutation or changeset touched.
#[derive(Debug, Default)]
pub(super) struct Workings(HashMap<RecordKey, Working>);

impl Workings {
    /// A record to be merged onto; `before` is what the batch has of it.
    pub(super) fn of(&mut self, key: &RecordKey, before: Option<&Arc<Record>>) -> &mut Working {
        // A lookup first: seldom is it new, and only then is the key copied.
        if !self.0.contains_key(key) {
            self.0.insert(key.clone(), Working::copy(before));
        }
        self.0.get_mut(key).expect("it was put there just now")
    }

    /// Those that moved.
    pub(super) fn changed(self) -> impl Iterator<Item = (RecordKey, Arc<Record>)> {
        let changed = self.0.into_iter().filter(|(_, working)| working.changed);
        changed.map(|(key, working)| (key, Arc::new(working.record)))
    }
}

impl Working {
    fn copy(before: Option<&Arc<Record>>) -> Working {
        let record = before
            .map(|record| Record::clone(record))
            .unwrap_or_default();
        Working {
            size: record.size(),
            was_here: before.is_some(),
            changed: false,
            record,
        }
    }

    /// Merges a change, or refuses it and leaves the record as it is: one that would grow past a
    /// limit. One that was past it before, under a higher limit, may still shrink.
    /// Errors: `record_too_large`, `too_many_fields`.
    pub(super) fn merge(
        &mut self,
        change: &StampedChange,
        seq: Seq,
        limits: &Limits,
    ) -> Result<Merged, Refusal> {
        let (key, after) = (&change.key, self.record.size_after(self.size, change));
        let (size, size_max) = (after.bytes(), limits.record_bytes_max);
        if size > size_max && size > self.size.bytes() {
            let message = format!("{key} would have {size} bytes, more than {size_max}");
            return Err(Refusal::new(Code::RecordTooLarge, message));
        }
        let (fields, fields_max) = (after.fields, limits.fields_max);
        if fields > fields_max && fields > self.size.fields {
            let message = format!("{key} would have {fields} fields, more than {fields_max}");
            return Err(Refusal::new(Code::TooManyFields, message));
        }
        let merged = self.record.merge(change, seq);
        // What a delete covers is gone.
        self.size = if self.record.fields.len() == after.fields {
            after
        } else {
            self.record.size()
        };
        self.changed |= merged.changed;
        Ok(merged)
    }
}
