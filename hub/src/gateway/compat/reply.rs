//! Assembles what a device is told: what changed since its cursor, and the winners over what it
//! sent. What is told is known, and counted, before its text is made.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use syncline_protocol::compat::cursor::Tell;
use syncline_protocol::compat::reply::{Asker, Told, afresh, anew, since};
use syncline_protocol::ids::{RecordKey, Seq, WriterNo};
use syncline_protocol::json::push_string;
use syncline_protocol::out::{Counted, Out};
use syncline_protocol::record::Record;
use syncline_storage::types::ChangesPage;

use crate::session::synced::{Echo, SyncConflict, Whole};

/// How many deletes a device is told that has nothing of a table: the last ones. They are about
/// 120 bytes each.
const LATE_DELETES_MAX: usize = 10_000;

/// What is told of each record.
pub(super) type Changes = BTreeMap<RecordKey, (Told, Arc<Record>)>;

/// Whose changes a device's own are, and the commits of those that a reply answers.
pub(super) type Writes = (Option<WriterNo>, Option<RangeInclusive<Seq>>);

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
    ((writer, answered), table): (Writes, Option<&str>),
) -> Changes {
    // Those clients know the tables of their app alone.
    let wanted = |key: &RecordKey| {
        !key.table.is_hubs() && table.is_none_or(|table| key.table.as_str() == table)
    };
    let after = match tell {
        Tell::After(after) => after,
        _ => Seq(0),
    };
    let asker = Asker {
        writer,
        after,
        answered,
    };
    let told = |record: &Record| match tell {
        Tell::Anew => anew(record),
        Tell::Everything | Tell::Afresh => afresh(record),
        Tell::After(_) => since(record, &asker),
    };
    let changes = page
        .records
        .into_iter()
        .filter(|(key, _)| wanted(key))
        .filter_map(|(key, record)| told(&record).map(|told| (key, (told, Arc::new(record)))))
        .collect();
    match (tell, table) {
        (Tell::Everything, Some(_)) => with_late_deletes(changes),
        // One cursor of all tables is the least of them: it may have something of the others.
        _ => changes,
    }
}

/// What a device that has nothing of a table is told of it: the living, and the last of the dead.
/// Its client may have asked twice before it took the first reply, and takes both at once then:
/// what died between them, and only the older one tells, would stay there otherwise.
fn with_late_deletes(mut changes: Changes) -> Changes {
    let dead = changes.values().filter(|(told, _)| *told == Told::Delete);
    let mut dead: Vec<Seq> = dead.map(|(_, record)| record.seq).collect();
    let Some(excess) = dead
        .len()
        .checked_sub(LATE_DELETES_MAX)
        .filter(|excess| *excess > 0)
    else {
        return changes;
    };
    let (_, last_left_out, _) = dead.select_nth_unstable(excess - 1);
    let last_left_out = *last_left_out;
    changes.retain(|_, (told, record)| *told != Told::Delete || record.seq > last_left_out);
    changes
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

#[cfg(test)]
mod tests {
    use syncline_protocol::change::{Change, Op};
    use syncline_protocol::ids::{FieldName, RecordId, TableName};
    use syncline_protocol::stamp::{Hlc, Stamp};
    use syncline_storage::types::SpaceView;

    use super::*;

    fn key(no: u64) -> RecordKey {
        RecordKey {
            table: TableName::trusted("tasks"),
            id: RecordId::trusted(&format!("k{no:05}")),
        }
    }

    fn with(no: u64, op: Op<Stamp>) -> (RecordKey, Record) {
        let mut record = Record::default();
        record.merge(&Change { key: key(no), op }, Seq(no));
        (key(no), record)
    }

    fn stamp(no: u64) -> Stamp {
        Stamp {
            at: Hlc::new(1_795_514_400_000 + no, 0),
            writer: WriterNo(1),
        }
    }

    /// A record that is live, and so many that are dead, in the order in which they died.
    fn told(dead: usize, tell: Tell, table: Option<&str>) -> Changes {
        let data = Vec::new();
        let live = with(0, Op::Insert { at: stamp(0), data });
        let dead = (1..=dead as u64).map(|no| with(no, Op::Delete { at: stamp(no) }));
        let page = ChangesPage {
            view: SpaceView::NEVER_OPENED,
            to: Seq(0),
            inside: None,
            records: [live].into_iter().chain(dead).collect(),
            writers: Vec::new(),
        };
        changes(page, tell, ((None, None), table))
    }

    #[test]
    fn who_has_nothing_of_a_table_is_told_the_last_of_the_dead() {
        let pull = |dead| told(dead, Tell::Everything, Some("tasks"));
        assert_eq!(pull(LATE_DELETES_MAX).len(), LATE_DELETES_MAX + 1);
        let one_past = pull(LATE_DELETES_MAX + 1);
        assert_eq!(one_past.len(), LATE_DELETES_MAX + 1);
        assert!(!one_past.contains_key(&key(1)), "the one that died first");
        assert!(one_past.contains_key(&key(0)), "the one that lives");
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<FieldName> {
        names.map(FieldName::trusted).into()
    }

    #[test]
    fn an_echo_adds_to_what_the_store_tells() {
        let data = Vec::new();
        let (key, record) = with(1, Op::Insert { at: stamp(1), data });
        let record = Arc::new(record);
        for (whole, expected) in [
            (Whole::No, Told::Update(names(["a", "b"]))),
            (Whole::Replace, Told::Insert),
        ] {
            let told = Told::Update(names(["b"]));
            let mut changes = Changes::from([(key.clone(), (told, record.clone()))]);
            let echo = Echo {
                key: key.clone(),
                record: record.clone(),
                fields: names(["b", "a"]),
                whole,
            };
            add_echoes(&mut changes, vec![echo]);
            assert_eq!(changes[&key].0, expected);
        }
    }

    #[test]
    fn who_may_have_something_is_told_all_of_them() {
        let dead = LATE_DELETES_MAX + 1;
        assert_eq!(told(dead, Tell::Everything, None).len(), dead + 1);
        assert_eq!(told(dead, Tell::Afresh, Some("tasks")).len(), dead + 1);
    }
}
