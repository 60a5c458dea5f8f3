//! The merge: field by field, last write wins (design of the record in [`crate::record`]).
//!
//! Merging a change is joining its state into the record's: the greatest insert stamp, the
//! greatest delete stamp, per field the greatest (stamp, canonical value); fields not newer
//! than the delete are dropped. It is commutative, associative and idempotent, so every order
//! and every repetition of the same changes ends in the same state. Whether a change may be
//! merged at all (an update of an unknown record) is decided before, by the session.

use crate::change::{Op, StampedChange};
use crate::ids::{FieldName, Seq, WriterNo};
use crate::json::Json;
use crate::mutant::{Mutant, mutant};
use crate::record::{Field, Record, Size, member_bytes};
use crate::stamp::Stamp;

/// What a change did to a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The state moved, if only in a stamp.
    pub changed: bool,
    /// What a client can see of the record changed: its liveness or a value of a live record.
    pub visible: bool,
    /// What of the change lost against what was there.
    pub lost: Lost,
    /// Fields where an equal stamp met another value, decided by the values.
    pub ties: usize,
}

/// The parts of a change that lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Fields whose stored value is newer.
    pub fields: Vec<FieldName>,
    /// An insert or a field is not newer than the record's delete.
    pub to_delete: bool,
    /// The delete is not newer than the record's insert.
    pub to_insert: bool,
}

impl Lost {
    /// Nothing lost.
    pub fn is_empty(&self) -> bool {
        *self == Lost::default()
    }
}

/// How one field of a change fared.
enum Fate {
    Won,
    WonStampOnly,
    Same,
    Lost,
    Deleted,
}

impl Record {
    /// Joins a change into the record. `seq` is the commit it will belong to.
    pub fn merge(&mut self, change: &StampedChange, seq: Seq) -> Merged {
        let was_live = self.is_live();
        let mut merged = Merged::default();
        let mut by = None;
        match &change.op {
            Op::Insert { at, data } => {
                by = Some(at.writer);
                merged.lost.to_delete = self.deleted >= Some(*at);
                merged.changed |= raise(&mut self.inserted, *at);
                for (name, value) in data {
                    self.merge_field(
                        Write {
                            name,
                            value,
                            stamp: *at,
                        },
                        seq,
                        &mut merged,
                    );
                }
            }
            Op::Update { fields } => {
                for (name, value, stamp) in fields {
                    by = Some(stamp.writer);
                    if mutant(Mutant::ReviveByUpdate) && !was_live {
                        merged.changed |= raise(&mut self.inserted, *stamp);
                    }
                    self.merge_field(
                        Write {
                            name,
                            value,
                            stamp: *stamp,
                        },
                        seq,
                        &mut merged,
                    );
                }
            }
            Op::Delete { at } => {
                by = Some(at.writer);
                merged.lost.to_insert = self.inserted > Some(*at);
                merged.changed |= raise(&mut self.deleted, *at);
            }
        }
        let deletes = matches!(change.op, Op::Delete { .. }) && merged.changed;
        self.settle((was_live, deletes), seq, &mut merged);
        if let (true, Some(by)) = (merged.changed, by) {
            self.touch(seq, by);
        }
        merged
    }

    /// The size after a change that names no field twice, if `size` is that before; of a delete
    /// that before it, since it can only shrink. Takes as long as the change is, not as the record is.
    #[must_use]
    pub fn size_after(&self, size: Size, change: &StampedChange) -> Size {
        let grown = |size: Size, (name, value, stamp): (&FieldName, &Json, Stamp)| {
            let write = Write { name, value, stamp };
            match self.fate(&write) {
                (Fate::Won, Ok(at)) => Size {
                    members: size.members + value.as_str().len()
                        - self.fields[at].value.as_str().len(),
                    ..size
                },
                (Fate::Won, Err(_)) => Size {
                    members: size.members + member_bytes(name, value),
                    fields: size.fields + 1,
                },
                _ => size,
            }
        };
        match &change.op {
            Op::Insert { at, data } => {
                let writes = data.iter().map(|(name, value)| (name, value, *at));
                writes.fold(size, grown)
            }
            Op::Update { fields } => {
                let writes = fields.iter().map(|(name, value, at)| (name, value, *at));
                writes.fold(size, grown)
            }
            Op::Delete { .. } => size,
        }
    }

    fn merge_field(&mut self, write: Write<'_>, seq: Seq, merged: &mut Merged) {
        let stored = self.field(write.name.as_str());
        let tie = |field: &Field| field.stamp == write.stamp && field.value != *write.value;
        merged.ties += usize::from(stored.is_some_and(tie));
        match self.join_field(&write, seq) {
            Fate::Won => (merged.changed, merged.visible) = (true, true),
            Fate::WonStampOnly => merged.changed = true,
            Fate::Same => {}
            Fate::Lost => merged.lost.fields.push(write.name.clone()),
            Fate::Deleted => merged.lost.to_delete = true,
        }
    }

    /// How a write of one field fares, and the field's place, or where it would be.
    fn fate(&self, write: &Write<'_>) -> (Fate, Result<usize, usize>) {
        let Write { name, value, stamp } = *write;
        let place = self.position(name.as_str());
        if self.deleted >= Some(stamp) {
            return (Fate::Deleted, place);
        }
        let Ok(at) = place else {
            return (Fate::Won, place);
        };
        let stored = &self.fields[at];
        if mutant(Mutant::TieByArrival) && stamp == stored.stamp {
            return (Fate::Won, place);
        }
        let fate = match (stamp, value).cmp(&(stored.stamp, &stored.value)) {
            std::cmp::Ordering::Less => Fate::Lost,
            std::cmp::Ordering::Equal => Fate::Same,
            std::cmp::Ordering::Greater if *value == stored.value => Fate::WonStampOnly,
            std::cmp::Ordering::Greater => Fate::Won,
        };
        (fate, place)
    }

    fn join_field(&mut self, write: &Write<'_>, seq: Seq) -> Fate {
        let Write { name, value, stamp } = *write;
        let (fate, place) = self.fate(write);
        match (&fate, place) {
            (Fate::Won, Err(at)) => {
                let field = Field {
                    name: name.clone(),
                    value: value.clone(),
                    stamp,
                    seq,
                };
                self.fields.insert(at, field);
            }
            (Fate::Won, Ok(at)) => {
                let stored = &mut self.fields[at];
                (stored.stamp, stored.value, stored.seq) = (stamp, value.clone(), seq);
            }
            (Fate::WonStampOnly, Ok(at)) => self.fields[at].stamp = stamp,
            _ => {}
        }
        fate
    }

    /// Drops what the delete covers and notes the commit of a change of liveness.
    fn settle(&mut self, (was_live, deletes): (bool, bool), seq: Seq, merged: &mut Merged) {
        let before = self.fields.len();
        // No field is ever covered but by a delete that has just risen.
        if deletes {
            self.fields.retain(|field| self.deleted < Some(field.stamp));
        }
        let dropped = self.fields.len() < before;
        let live = self.is_live();
        match (was_live, live) {
            (false, true) => self.inserted_seq = seq,
            (true, false) => self.deleted_seq = seq,
            (true, true) if dropped => self.inserted_seq = seq,
            _ => {}
        }
        merged.visible = was_live != live || (live && (merged.visible || dropped));
    }

    /// Where both sides hold the same value, the later of the commits that they know.
    fn raise_seq(&mut self, other: &Field) {
        if let Ok(at) = self.position(other.name.as_str()) {
            let stored = &mut self.fields[at];
            if stored.value == other.value {
                stored.seq = stored.seq.max(other.seq);
            }
        }
    }

    fn touch(&mut self, seq: Seq, by: WriterNo) {
        self.seq = seq;
        self.by = by;
    }

    /// Joins two states of a record: what merging all changes of both would give. The
    /// bookkeeping is the greater of both sides'.
    #[must_use]
    pub fn join(&self, other: &Record) -> Record {
        let mut joined = self.clone();
        joined.inserted = self.inserted.max(other.inserted);
        joined.deleted = self.deleted.max(other.deleted);
        joined.inserted_seq = self.inserted_seq.max(other.inserted_seq);
        joined.deleted_seq = self.deleted_seq.max(other.deleted_seq);
        (joined.seq, joined.by) = (self.seq, self.by).max((other.seq, other.by));
        for field in &other.fields {
            let write = Write {
                name: &field.name,
                value: &field.value,
                stamp: field.stamp,
            };
            joined.join_field(&write, field.seq);
            joined.raise_seq(field);
        }
        joined
            .fields
            .retain(|field| joined.deleted < Some(field.stamp));
        joined
    }
}

#[derive(Clone, Copy)]
struct Write<'a> {
    name: &'a FieldName,
    value: &'a Json,
    stamp: Stamp,
}

fn raise(stored: &mut Option<Stamp>, stamp: Stamp) -> bool {
    let higher = *stored < Some(stamp);
    if higher {
        *stored = Some(stamp);
    }
    higher
}

#[cfg(test)]
mod tests;
