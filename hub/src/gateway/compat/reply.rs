//! Assembles what a device is told: what changed since its cursor, and the winners over what it
//! sent. What is told is known, and counted, before its text is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::compat::cursor::{Place, Tell};
use syncline_protocol::compat::reply::{Asker, Told, afresh, anew, everything, since};
use syncline_protocol::ids::{RecordKey, WriterNo};
use syncline_protocol::json::push_string;
use syncline_protocol::out::{Counted, Out};
use syncline_protocol::record::Record;
use syncline_storage::types::{ChangesPage, SpaceView};

use crate::session::event::{Echo, SyncConflict, Whole};

/// Where a space is, for cursors.
pub(super) fn place(view: &SpaceView) -> Place {
    Place {
        epoch_at_ms: view.epoch_at_ms,
        head: view.head,
        gc_seq: view.gc_seq,
    }
}

/// What is told of each record.
pub(super) type Changes = BTreeMap<RecordKey, (Told, Arc<Record>)>;

/// A reply of which no text is made yet.
#[derive(Debug)]
pub struct Reply {
    changes: Changes,
    conflicts: Vec<SyncConflict>,
    /// The device's next cursor.
    until: String,
    bytes: usize,
}

/// What a page of all changes since a cursor tells, of one table or of all.
pub(super) fn changes(
    page: ChangesPage,
    tell: Tell,
    (writer, table): (Option<WriterNo>, Option<&str>),
) -> Changes {
    let wanted = |key: &RecordKey| table.is_none_or(|table| key.table.as_str() == table);
    let told = |record: &Record| match tell {
        // One cursor of all tables is the least of them: it may have something of the others.
        Tell::Everything if table.is_none() => afresh(record),
        Tell::Everything => everything(record),
        Tell::Anew => anew(record),
        Tell::Afresh => afresh(record),
        Tell::After(after) => since(record, Asker { writer, after }),
    };
    page.records
        .into_iter()
        .filter(|(key, _)| wanted(key))
        .filter_map(|(key, record)| told(&record).map(|told| (key, (told, Arc::new(record)))))
        .collect()
}

/// Adds the winners over what the device sent.
pub(super) fn add_echoes(changes: &mut Changes, echoes: Vec<Echo>) {
    for echo in echoes {
        match changes.get_mut(&echo.key) {
            // The device is told all of it, or that it is gone.
            Some((Told::Insert | Told::Delete, _)) => {}
            Some((told, _)) if echo.whole != Whole::No => *told = Told::Insert,
            Some((Told::Revived, _)) => {}
            Some((Told::Update(names), _)) => {
                names.extend(echo.fields);
                names.sort_unstable();
                names.dedup();
            }
            None => {
                let told = if !echo.record.is_live() {
                    Told::Delete
                } else if echo.whole != Whole::No {
                    Told::Insert
                } else {
                    Told::Update(echo.fields)
                };
                changes.insert(echo.key, (told, echo.record));
            }
        }
    }
}

impl Reply {
    /// Counts what it is made of.
    pub(super) fn new(changes: Changes, conflicts: Vec<SyncConflict>, until: String) -> Reply {
        let mut reply = Reply {
            changes,
            conflicts,
            until,
            bytes: 0,
        };
        let mut counted = Counted::default();
        let changes = reply.changes.iter();
        let changes = changes.map(|(key, (told, record))| (key, told, &**record));
        write(&mut counted, changes, |out, (key, told, record)| {
            told.write(out, key, record);
        });
        reply.write_rest(&mut counted);
        reply.bytes = counted.0;
        reply
    }

    /// The reply of a device that has everything.
    pub(super) fn nothing(until: String) -> Reply {
        Reply::new(Changes::new(), Vec::new(), until)
    }

    /// The bytes of its text.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was set aside.
    pub(super) fn into_conflicts(self) -> Vec<SyncConflict> {
        self.conflicts
    }

    /// Its text: `{"serverChanges","conflicts","syncedUntil"}`. What is written is let go, so that
    /// it is not held twice.
    pub fn into_text(mut self) -> String {
        let mut out = String::with_capacity(self.bytes);
        let changes = std::mem::take(&mut self.changes).into_iter();
        write(&mut out, changes, |out, (key, (told, record))| {
            told.write(out, &key, &record);
        });
        self.write_rest(&mut out);
        out
    }

    fn write_rest(&self, out: &mut impl Out) {
        out.push_str(r#"],"conflicts":["#);
        for (at, conflict) in self.conflicts.iter().enumerate() {
            out.push_str(if at > 0 {
                r#",{"code":"#
            } else {
                r#"{"code":"#
            });
            push_string(out, conflict.code.as_str());
            out.push_str(r#","id":"#);
            push_string(out, &conflict.id);
            out.push_str(r#","table":"#);
            push_string(out, &conflict.table);
            out.push('}');
        }
        out.push_str(r#"],"syncedUntil":""#);
        out.push_str(&self.until);
        out.push_str("\"}");
    }
}

fn write<T, O: Out>(
    out: &mut O,
    changes: impl Iterator<Item = T>,
    mut entry: impl FnMut(&mut O, T),
) {
    out.push_str(r#"{"serverChanges":["#);
    for (at, change) in changes.enumerate() {
        if at > 0 {
            out.push(',');
        }
        entry(out, change);
    }
}
