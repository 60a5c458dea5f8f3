//! Assembles what a device is told: what changed since its cursor, and the winners over what it
//! sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::compat::cursor::{Place, Tell};
use syncline_protocol::compat::reply::{Asker, Told, anew, everything, gone, since};
use syncline_protocol::ids::{RecordKey, WriterNo};
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

/// What a page of all changes since a cursor tells, of one table or of all.
pub(super) fn changes(
    page: ChangesPage,
    tell: Tell,
    (writer, table): (Option<WriterNo>, Option<&str>),
) -> Changes {
    let wanted = |key: &RecordKey| table.is_none_or(|table| key.table.as_str() == table);
    let told = |record: &Record| match tell {
        // One cursor of all tables is the least of them: it may have something of the others.
        Tell::Everything if table.is_none() => everything(record).or_else(|| gone(record)),
        Tell::Everything => everything(record),
        Tell::Anew => anew(record),
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

/// The reply: `{"serverChanges","conflicts","syncedUntil"}`. What is written is let go: a reply has
/// no bound, so it is not held twice.
pub(super) fn text(changes: Changes, conflicts: &[SyncConflict], until: &str) -> String {
    let mut out = String::from(r#"{"serverChanges":["#);
    for (at, (key, (told, record))) in changes.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        told.write(&mut out, &key, &record);
    }
    out.push_str(r#"],"conflicts":"#);
    let conflicts: Vec<_> = conflicts
        .iter()
        .map(|c| serde_json::json!({"table": c.table, "id": c.id, "code": c.code}))
        .collect();
    out.push_str(&serde_json::Value::Array(conflicts).to_string());
    out.push_str(r#","syncedUntil":""#);
    out.push_str(until);
    out.push_str("\"}");
    out
}

/// The reply of a device that has everything.
pub(super) fn nothing(until: &str) -> String {
    text(Changes::new(), &[], until)
}
