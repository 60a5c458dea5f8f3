//! The named cases of the state are in `vectors/merge.json`. Here are the laws, and the
//! bookkeeping that vectors do not show.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::samples::{
    State, at, cases, delete, histories, insert, stamps, state, update, values, visible,
};

fn merged(changes: &[StampedChange]) -> Record {
    let mut record = Record::default();
    for (change, seq) in changes.iter().zip(1..) {
        record.merge(change, Seq(seq));
    }
    record
}

/// The state by the design's words alone: the greatest of everything, without what the delete
/// covers.
fn by_definition(changes: &[StampedChange]) -> State {
    let (mut inserted, mut deleted) = (None, None);
    let mut writes: Vec<(&str, Stamp, &Json)> = Vec::new();
    for change in changes {
        match &change.op {
            Op::Insert { at, data } => {
                inserted = inserted.max(Some(*at));
                writes.extend(data.iter().map(|(name, value)| (name.as_str(), *at, value)));
            }
            Op::Update { fields } => {
                writes.extend(
                    fields
                        .iter()
                        .map(|(name, value, at)| (name.as_str(), *at, value)),
                );
            }
            Op::Delete { at } => deleted = deleted.max(Some(*at)),
        }
    }
    let mut fields = BTreeMap::new();
    writes.sort_by_key(|(_, at, value)| (*at, value.as_str().as_bytes()));
    for (name, at, value) in writes {
        if Some(at) > deleted {
            fields.insert(name.to_owned(), (value.clone(), at));
        }
    }
    (inserted, deleted, fields)
}

fn with_repeats() -> impl Strategy<Value = (Vec<StampedChange>, Vec<StampedChange>)> {
    (
        histories(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    )
        .prop_flat_map(|(changes, repeats)| {
            let mut again = changes.clone();
            if !changes.is_empty() {
                again.extend(repeats.iter().map(|at| at.get(&changes).clone()));
            }
            (Just(changes), Just(again).prop_shuffle())
        })
}

fn names_twice(change: &StampedChange) -> bool {
    let mut names: Vec<&str> = match &change.op {
        Op::Insert { data, .. } => data.iter().map(|(name, _)| name.as_str()).collect(),
        Op::Update { fields } => fields.iter().map(|(name, _, _)| name.as_str()).collect(),
        Op::Delete { .. } => Vec::new(),
    };
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    names.len() < count
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn every_order_and_repetition_ends_in_the_defined_state((changes, again) in with_repeats()) {
        let expected = by_definition(&changes);
        prop_assert_eq!(state(&merged(&changes)), expected.clone());
        prop_assert_eq!(state(&merged(&again)), expected);
    }

    #[test]
    fn a_size_is_known_before_the_merge(changes in histories()) {
        let mut record = Record::default();
        for (change, seq) in changes.iter().zip(1..) {
            if names_twice(change) {
                continue;
            }
            let after = record.size_after(record.size(), change);
            record.merge(change, Seq(seq));
            match change.op {
                Op::Delete { .. } => prop_assert!(record.size().fields <= after.fields),
                _ => prop_assert_eq!(record.size(), after),
            }
        }
    }

    #[test]
    fn every_grouping_ends_in_the_same_state(
        parts in prop::collection::vec(histories(), 0..4),
    ) {
        let all: Vec<_> = parts.concat();
        let joined = parts.iter().fold(Record::default(), |record, part| record.join(&merged(part)));
        prop_assert_eq!(state(&joined), state(&merged(&all)));
    }

    #[test]
    fn join_is_commutative_associative_and_idempotent(
        a in histories(), b in histories(), c in histories(),
    ) {
        let (a, b, c) = (merged(&a), merged(&b), merged(&c));
        prop_assert_eq!(state(&a.join(&b)), state(&b.join(&a)));
        prop_assert_eq!(state(&a.join(&b).join(&c)), state(&a.join(&b.join(&c))));
        prop_assert_eq!(a.join(&a), a);
    }

    #[test]
    fn what_a_delete_covers_never_comes_back(
        before in histories(), deleted in stamps(), after in histories(),
    ) {
        let mut record = merged(&before);
        record.merge(&delete(deleted), Seq(100));
        for change in after.iter().filter(|change| newest(change) <= Some(deleted)) {
            let shown = visible(&record);
            let merged = record.merge(change, Seq(101));
            prop_assert!(!merged.visible);
            prop_assert_eq!(visible(&record), shown);
        }
        prop_assert!(record.fields.iter().all(|field| field.stamp > deleted));
    }

    #[test]
    fn merged_tells_exactly_what_moved(changes in histories()) {
        let mut record = Record::default();
        for (change, seq) in changes.iter().zip(1..) {
            let before = record.clone();
            let merged = record.merge(change, Seq(seq));
            prop_assert_eq!(merged.changed, state(&before) != state(&record));
            prop_assert_eq!(merged.visible, visible(&before) != visible(&record));
            prop_assert_eq!(record.seq, if merged.changed { Seq(seq) } else { before.seq });
            if !merged.changed {
                prop_assert_eq!(&record, &before);
            }
        }
    }

    #[test]
    fn a_change_loses_or_is_there_afterwards(before in histories(), changes in histories()) {
        let mut record = merged(&before);
        for change in &changes {
            let merged = record.merge(change, Seq(100));
            for (name, value, stamp) in writes(change) {
                let lost = merged.lost.fields.contains(name);
                let covered = merged.lost.to_delete && record.deleted >= Some(stamp);
                let stands = record.field(name.as_str());
                let stands = stands.is_some_and(|f| (f.stamp, &f.value) == (stamp, value));
                prop_assert_eq!(u8::from(lost) + u8::from(covered) + u8::from(stands), 1);
            }
        }
    }

    #[test]
    fn equal_stamps_are_decided_by_bytes(stamp in stamps(), a in values(), b in values()) {
        let mut record = merged(&[update(stamp, "a", a.as_str())]);
        let merged = record.merge(&update(stamp, "a", b.as_str()), Seq(2));
        let greater = if a.as_str().as_bytes() > b.as_str().as_bytes() { &a } else { &b };
        prop_assert_eq!(&record.field("a").unwrap().value, greater);
        prop_assert_eq!(merged.ties, usize::from(a != b));
    }
}

fn newest(change: &StampedChange) -> Option<Stamp> {
    match &change.op {
        Op::Insert { at, .. } | Op::Delete { at } => Some(*at),
        Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).max(),
    }
}

fn writes(change: &StampedChange) -> Vec<(&FieldName, &Json, Stamp)> {
    match &change.op {
        Op::Insert { at, data } => data
            .iter()
            .map(|(name, value)| (name, value, *at))
            .collect(),
        Op::Update { fields } => fields
            .iter()
            .map(|(name, value, at)| (name, value, *at))
            .collect(),
        Op::Delete { .. } => Vec::new(),
    }
}

#[test]
fn a_field_keeps_the_seq_of_its_value_when_only_the_stamp_moves() {
    let record = merged(&[insert(at(0, 1), &[("a", "1")]), update(at(5, 2), "a", "1")]);
    assert_eq!(record.field("a").unwrap().seq, Seq(1));
    assert_eq!((record.seq, record.by), (Seq(2), WriterNo(2)));
}

#[test]
fn a_field_takes_the_seq_of_its_new_value() {
    let record = merged(&[insert(at(0, 1), &[("a", "1")]), update(at(5, 2), "a", "2")]);
    assert_eq!(record.field("a").unwrap().seq, Seq(2));
    assert_eq!(record.inserted_seq, Seq(1));
}

#[test]
fn a_repeat_leaves_seq_and_writer() {
    let first = insert(at(0, 1), &[("a", "1")]);
    let record = merged(&[first.clone(), update(at(5, 2), "b", "1"), first]);
    assert_eq!((record.seq, record.by), (Seq(2), WriterNo(2)));
}

#[test]
fn death_and_revival_note_their_commits() {
    let record = merged(&[
        insert(at(0, 1), &[]),
        delete(at(1, 1)),
        insert(at(2, 1), &[]),
        delete(at(3, 1)),
    ]);
    assert_eq!((record.inserted_seq, record.deleted_seq), (Seq(3), Seq(4)));
}

#[test]
fn a_live_record_that_loses_fields_is_taken_as_a_whole() {
    let record = merged(&[
        update(at(1, 1), "a", "1"),
        insert(at(9, 1), &[]),
        delete(at(5, 1)),
    ]);
    assert!(record.is_live());
    assert_eq!((record.inserted_seq, record.deleted_seq), (Seq(3), Seq(0)));
}

#[test]
fn a_second_delete_of_a_dead_record_notes_no_death() {
    let record = merged(&[insert(at(0, 1), &[]), delete(at(1, 1)), delete(at(2, 1))]);
    assert_eq!((record.deleted_seq, record.seq), (Seq(2), Seq(3)));
}

#[test]
fn fields_stand_in_the_order_of_canonical_json() {
    let names = ["\u{fb33}", "a", "\u{1f600}", "B"];
    let data: Vec<_> = names.iter().map(|name| (*name, "1")).collect();
    let record = merged(&[insert(at(0, 1), &data)]);
    let stored: Vec<_> = record
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(stored, ["B", "a", "\u{1f600}", "\u{fb33}"]);
}

#[test]
fn joined_bookkeeping_is_the_greater() {
    let first = insert(at(0, 1), &[("a", "1")]);
    let early = merged(std::slice::from_ref(&first));
    let late = merged(&[delete(Stamp::default()), first]);
    assert_eq!(early.join(&late), late.join(&early));
    assert_eq!(early.join(&late).field("a").unwrap().seq, Seq(2));
}
