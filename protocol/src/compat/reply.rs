//! What a reply tells of a record.
//!
//! The client overwrites by what it is told, so a reply tells exactly what changed since its
//! cursor and nothing older; it tells the winner wherever the client's own write lost. It tells a
//! client its own changes too, but those it answers: an older reply may have overwritten what it
//! shows, and only its cursor, which went back with that, tells the hub so.

use std::ops::RangeInclusive;

use crate::delta::{push_joined, write_data};
use crate::ids::{FieldName, RecordKey, Seq, WriterNo};
use crate::json;
use crate::mutant::{Mutant, mutant};
use crate::out::Out;
use crate::record::{Field, Record};
use crate::stamp::{Stamp, wall_text};

/// Who asks, and what it has.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Its number in the space; `None` if it never wrote.
    pub writer: Option<WriterNo>,
    /// It has everything up to here.
    pub after: Seq,
    /// The commits of the changeset that is answered, whose own changes it shows.
    pub answered: Option<RangeInclusive<Seq>>,
}

impl Asker {
    fn wrote(&self, stamp: Option<Stamp>) -> bool {
        stamp.map(|stamp| stamp.writer) == self.writer
    }

    /// Whether what got this stamp in this commit is of the changeset that is answered.
    fn just_wrote(&self, (stamp, seq): (Option<Stamp>, Seq)) -> bool {
        let answered = self.answered.as_ref();
        let is_answered = answered.is_some_and(|commits| commits.contains(&seq));
        self.wrote(stamp) && (is_answered || mutant(Mutant::TellNoOwn))
    }
}

/// What is told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The whole record, which replaces what the device has.
    Insert,
    /// Fields, by name; the whole record for a device that lacks it.
    Update(Vec<FieldName>),
    /// All fields, and that it is not deleted.
    Revived,
    /// That it is gone.
    Delete,
}

/// What changed of a record since the asker's cursor; `None` if nothing, or nothing but what it
/// has just sent.
pub fn since(record: &Record, asker: &Asker) -> Option<Told> {
    let is_new = |seq: Seq| seq > asker.after;
    if !record.is_live() {
        // Of another server a device may show a record that was never inserted here.
        let unborn = record.inserted.is_none();
        let died = if unborn {
            record.seq
        } else {
            record.deleted_seq
        };
        let told = record.deleted.is_some() && is_new(died);
        return (told && !asker.just_wrote((record.deleted, died))).then_some(Told::Delete);
    }
    let became = is_new(record.inserted_seq);
    // A record that was dead, or lost fields to a delete, may have fewer fields than the device
    // shows: only an insert takes them away.
    let died = (record.deleted, record.deleted_seq);
    let other_life = became && record.deleted.is_some() && !asker.just_wrote(died);
    if other_life || (became && !asker.wrote(record.inserted)) {
        return Some(Told::Insert);
    }
    // Fields may have come before the insert, when they showed nowhere.
    let begins = became && !asker.just_wrote((record.inserted, record.inserted_seq));
    let fields = record.fields.iter();
    let changed = fields.filter(|field| begins || is_new(field.seq));
    let just_wrote = |field: &Field| asker.just_wrote((Some(field.stamp), field.seq));
    if changed.clone().all(just_wrote) {
        return None;
    }
    Some(Told::Update(
        changed.map(|field| field.name.clone()).collect(),
    ))
}

/// What is told of a record to a device without data, or one that may show what is gone, and fields
/// that are: the living replace what it has.
pub fn afresh(record: &Record) -> Option<Told> {
    record
        .is_live()
        .then_some(Told::Insert)
        .or_else(|| gone(record))
}

/// What is told of a dead record to a device that may have it.
fn gone(record: &Record) -> Option<Told> {
    (record.deleted.is_some() && !record.is_live()).then_some(Told::Delete)
}

/// What is told of a record to a device that has data of no known age.
pub fn anew(record: &Record) -> Option<Told> {
    if !record.is_live() {
        return gone(record);
    }
    // What the device has may be of the life before the delete, and only an insert takes it away.
    if record.deleted.is_some() {
        return Some(Told::Insert);
    }
    // Of another history it may know that the record was deleted.
    Some(Told::Revived)
}

impl Told {
    /// Appends it as a change: `{"table","id","op","fields"?,"data"?,"deletedAt"?}`.
    pub fn write(&self, out: &mut impl Out, key: &RecordKey, record: &Record) {
        out.push_str(r#"{"table":"#);
        json::push_string(out, key.table.as_str());
        out.push_str(r#","id":"#);
        json::push_string(out, key.id.as_str());
        match self {
            Told::Insert => {
                out.push_str(r#","op":"insert","data":"#);
                write_data(out, record);
            }
            Told::Update(names) => {
                let fields = names.iter().filter_map(|name| record.field(name.as_str()));
                write_update(out, record, (fields, record.deleted.is_some()));
            }
            Told::Revived => {
                write_update(out, record, (record.fields.iter(), true));
                out.push_str(r#","deletedAt":null"#);
            }
            Told::Delete => {
                out.push_str(r#","op":"delete","deletedAt":""#);
                out.push_str(&time(record.deleted));
                out.push('"');
            }
        }
        out.push('}');
    }
}

/// Writes the fields; those of a record that may be taken for deleted say that it is not.
fn write_update<'r>(
    out: &mut impl Out,
    record: &Record,
    (fields, revives): (impl Iterator<Item = &'r Field>, bool),
) {
    out.push_str(r#","op":"update","fields":{"#);
    let fields: Vec<&Field> = fields.collect();
    push_joined(out, fields.iter(), |out, field| {
        json::push_string(out, field.name.as_str());
        out.push_str(r#":{"value":"#);
        out.push_str(field.value.as_str());
        out.push_str(r#","updatedAt":""#);
        out.push_str(&time(Some(field.stamp)));
        out.push_str("\"}");
    });
    if revives && record.field("deletedAt").is_none() {
        if !fields.is_empty() {
            out.push(',');
        }
        out.push_str(r#""deletedAt":{"value":null,"updatedAt":""#);
        out.push_str(&time(record.inserted));
        out.push_str("\"}");
    }
    out.push_str(r#"},"data":"#);
    write_data(out, record);
}

/// As those clients write times: they know no counters.
fn time(stamp: Option<Stamp>) -> String {
    wall_text(stamp.unwrap_or_default().at.wall_ms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, Op};
    use crate::ids::{RecordId, TableName};
    use crate::json::Json;
    use crate::out::Counted;
    use crate::stamp::Hlc;

    const OWN: u32 = 1;
    const OTHER: u32 = 2;

    fn key() -> RecordKey {
        RecordKey {
            table: TableName::trusted("tasks"),
            id: RecordId::trusted("k1"),
        }
    }

    fn at(ms: u64, writer: u32) -> Stamp {
        Stamp {
            at: Hlc::new(1_795_514_400_000 + ms, 3),
            writer: WriterNo(writer),
        }
    }

    fn apply(record: &mut Record, op: Op<Stamp>, seq: u64) {
        record.merge(&Change { key: key(), op }, Seq(seq));
    }

    fn insert(record: &mut Record, stamp: Stamp, seq: u64) {
        let data = vec![(FieldName::trusted("a"), Json::trusted("1"))];
        apply(record, Op::Insert { at: stamp, data }, seq);
    }

    fn update(record: &mut Record, name: &str, stamp: Stamp, seq: u64) {
        let fields = vec![(
            FieldName::trusted(name),
            Json::trusted(&seq.to_string()),
            stamp,
        )];
        apply(record, Op::Update { fields }, seq);
    }

    fn told(record: &Record, after: u64) -> Option<Told> {
        told_in_answer(record, after, None)
    }

    /// The same, in the answer to a changeset that was merged in this commit.
    fn told_in_answer(record: &Record, after: u64, commit: Option<u64>) -> Option<Told> {
        let asker = Asker {
            writer: Some(WriterNo(OWN)),
            after: Seq(after),
            answered: commit.map(|seq| Seq(seq)..=Seq(seq)),
        };
        since(record, &asker)
    }

    fn text(record: &Record, told: &Told) -> String {
        let (mut out, mut counted) = (String::new(), Counted::default());
        told.write(&mut out, &key(), record);
        told.write(&mut counted, &key(), record);
        assert_eq!(counted, Counted(out.len()));
        out
    }

    #[test]
    fn a_record_of_another_device_is_inserted_once() {
        let mut record = Record::default();
        insert(&mut record, at(0, OTHER), 1);
        assert_eq!(told(&record, 0), Some(Told::Insert));
        assert_eq!(told(&record, 1), None);
        assert_eq!(
            text(&record, &Told::Insert),
            r#"{"table":"tasks","id":"k1","op":"insert","data":{"a":1}}"#
        );
    }

    #[test]
    fn what_was_just_sent_is_left_out_only_alone() {
        let mut record = Record::default();
        insert(&mut record, at(0, OWN), 1);
        assert_eq!(told_in_answer(&record, 0, Some(1)), None);
        update(&mut record, "b", at(5, OTHER), 2);
        assert_eq!(
            told(&record, 1),
            Some(Told::Update(vec![FieldName::trusted("b")]))
        );
        update(&mut record, "a", at(6, OWN), 3);
        let both = vec![FieldName::trusted("a"), FieldName::trusted("b")];
        assert_eq!(
            told_in_answer(&record, 1, Some(3)),
            Some(Told::Update(both))
        );
        assert_eq!(told_in_answer(&record, 2, Some(3)), None);
    }

    #[test]
    fn a_device_whose_cursor_is_older_than_its_own_changes_is_told_them() {
        let name = |name| Some(Told::Update(vec![FieldName::trusted(name)]));
        let mut record = Record::default();
        insert(&mut record, at(0, OWN), 1);
        assert_eq!(told(&record, 0), name("a"));
        update(&mut record, "b", at(6, OWN), 2);
        assert_eq!(told(&record, 1), name("b"));
        // Also in the answer to a later changeset, whose cursor passes it.
        assert_eq!(told_in_answer(&record, 1, Some(3)), name("b"));
        apply(&mut record, Op::Delete { at: at(9, OWN) }, 3);
        assert_eq!(told(&record, 2), Some(Told::Delete));
        insert(&mut record, at(20, OWN), 4);
        assert_eq!(told(&record, 2), Some(Told::Insert));
        assert_eq!(told_in_answer(&record, 3, Some(4)), Some(Told::Insert));
    }

    #[test]
    fn an_update_carries_exactly_the_fields_since_and_the_whole_record() {
        let mut record = Record::default();
        insert(&mut record, at(0, OTHER), 1);
        update(&mut record, "b", at(5, OTHER), 2);
        let told = told(&record, 1).unwrap();
        assert_eq!(
            text(&record, &told),
            r#"{"table":"tasks","id":"k1","op":"update","fields":{"b":{"value":2,"updatedAt":"2026-11-24T10:00:00.005Z"}},"data":{"a":1,"b":2}}"#
        );
    }

    #[test]
    fn a_record_that_begins_is_told_with_what_was_hidden_before() {
        let mut record = Record::default();
        update(&mut record, "b", at(1, OWN), 1);
        insert(&mut record, at(2, OWN), 2);
        let both = vec![FieldName::trusted("a"), FieldName::trusted("b")];
        assert_eq!(told(&record, 1), Some(Told::Update(both)));
    }

    #[test]
    fn a_delete_carries_its_time_and_one_just_sent_is_left_out() {
        let mut record = Record::default();
        insert(&mut record, at(0, OTHER), 1);
        let mut own = record.clone();
        apply(&mut record, Op::Delete { at: at(9, OTHER) }, 2);
        apply(&mut own, Op::Delete { at: at(9, OWN) }, 2);
        assert_eq!(told_in_answer(&own, 1, Some(2)), None);
        assert_eq!(
            text(&record, &told(&record, 1).unwrap()),
            r#"{"table":"tasks","id":"k1","op":"delete","deletedAt":"2026-11-24T10:00:00.009Z"}"#
        );
    }

    #[test]
    fn a_delete_of_a_record_that_was_never_inserted_here_is_told() {
        let mut record = Record::default();
        apply(&mut record, Op::Delete { at: at(9, OTHER) }, 7);
        assert_eq!(told(&record, 6), Some(Told::Delete));
        assert_eq!(told(&record, 7), None);
        assert_eq!(anew(&record), Some(Told::Delete));
        let mut own = Record::default();
        apply(&mut own, Op::Delete { at: at(9, OWN) }, 7);
        assert_eq!(told_in_answer(&own, 6, Some(7)), None);
    }

    #[test]
    fn a_revived_record_replaces_what_is_left_of_it_and_one_told_anew_is_not_deleted() {
        let mut record = Record::default();
        insert(&mut record, at(0, OTHER), 1);
        apply(&mut record, Op::Delete { at: at(9, OTHER) }, 2);
        insert(&mut record, at(20, OTHER), 3);
        assert_eq!(told(&record, 2), Some(Told::Insert));
        assert_eq!(anew(&record), Some(Told::Insert));
        let mut record = Record::default();
        insert(&mut record, at(20, OTHER), 3);
        assert_eq!(
            text(&record, &anew(&record).unwrap()),
            r#"{"table":"tasks","id":"k1","op":"update","fields":{"a":{"value":1,"updatedAt":"2026-11-24T10:00:00.020Z"},"deletedAt":{"value":null,"updatedAt":"2026-11-24T10:00:00.020Z"}},"data":{"a":1},"deletedAt":null}"#
        );
    }

    #[test]
    fn an_empty_device_gets_the_living_as_inserts_and_an_old_one_everything_without_insert() {
        let mut live = Record::default();
        insert(&mut live, at(0, OWN), 1);
        let mut dead = live.clone();
        apply(&mut dead, Op::Delete { at: at(9, OWN) }, 2);
        assert_eq!(anew(&live), Some(Told::Revived));
        assert_eq!(anew(&dead), Some(Told::Delete));
        assert_eq!(afresh(&live), Some(Told::Insert));
        assert_eq!(afresh(&dead), Some(Told::Delete));
    }

    #[test]
    fn a_change_of_stamps_only_and_a_record_never_inserted_are_not_told() {
        let mut record = Record::default();
        update(&mut record, "a", at(1, OTHER), 1);
        assert_eq!((told(&record, 0), anew(&record)), (None, None));
        insert(&mut record, at(2, OTHER), 2);
        let fields = vec![(FieldName::trusted("a"), Json::trusted("1"), at(9, OTHER))];
        apply(&mut record, Op::Update { fields }, 3);
        assert_eq!(told(&record, 2), None);
    }
}
