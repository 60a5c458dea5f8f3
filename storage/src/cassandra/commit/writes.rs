//! A commit as the statements of its batch.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use syncline_protocol::codec;
use syncline_protocol::ids::{RecordKey, WriterNo};
use syncline_protocol::record::Record;

use super::super::hold::Hold;
use super::super::row::{ALIVE, Place, kind, ordered_clock};
use super::super::server::{Writes, of};
use super::super::space::at;
use super::super::statements::Text;
use super::super::used;
use super::super::value::Value;
use super::look::{Seen, SeenRecord};
use crate::types::{Commit, DEAD_LETTERS_MAX, DeadLetter, MarkMove, NEVER_MS, used_at_ms};

/// The places that the statements name.
pub(super) struct Places<'c> {
    marks: Vec<(&'c MarkMove, Place)>,
    /// Of clients that were not known.
    writers: Vec<Place>,
    /// Of clients that had no number.
    used: Vec<Place>,
    verdicts: Vec<(&'c syncline_protocol::verdict::Remembered, Place)>,
    records: Vec<RecordPlaces<'c>>,
    letters: Vec<(&'c DeadLetter, Place, Vec<u8>)>,
    /// Rows that go.
    removed: Vec<Place>,
}

struct RecordPlaces<'c> {
    record: &'c Record,
    dead_at: i64,
    place: Place,
    change: Place,
    death: Option<Place>,
}

impl<'c> Places<'c> {
    pub(super) fn of(commit: &'c Commit, seen: &Seen) -> Places<'c> {
        let mut places = Places {
            marks: Vec::new(),
            writers: Vec::new(),
            used: Vec::new(),
            verdicts: Vec::new(),
            records: Vec::new(),
            letters: Vec::new(),
            removed: Vec::new(),
        };
        for moved in &commit.marks {
            places.add_mark(commit, moved, seen);
        }
        for (key, record) in &commit.records {
            places.add_record(commit, (key, record), seen.records.get(key));
        }
        places.add_letters(commit, seen);
        places
    }

    fn add_mark(&mut self, commit: &Commit, moved: &'c MarkMove, seen: &Seen) {
        let place = Place::client(&moved.client);
        if !seen.marks.contains_key(&moved.client) {
            let n = i64::from(moved.writer.0);
            let writer = Place::new(kind::WRITER, n, (&place.a, &place.b));
            self.writers.push(writer);
        }
        if moved.expect_last.is_none() {
            let used_at = used_at_ms(commit.now_ms) as i64;
            self.used.push(used::place(used_at, (&place.a, &place.b)));
        }
        self.marks.push((moved, place));
        // The last of each place: a batch has one time, at which only one value can be written.
        let mut taken = HashSet::new();
        for remembered in moved.verdicts.iter().rev() {
            let place = Place::verdict(moved.writer, remembered.m);
            if taken.insert(place.n) {
                self.verdicts.push((remembered, place));
            }
        }
    }

    fn add_record(
        &mut self,
        commit: &Commit,
        (key, record): (&RecordKey, &'c Record),
        before: Option<&SeenRecord>,
    ) {
        debug_assert_eq!(record.seq, commit.head, "a record of another commit: {key}");
        let names = (key.table.as_str(), key.id.as_str());
        let change = Place::new(kind::CHANGE, record.seq.0 as i64, names);
        let dead_at = match record.is_live() {
            true => ALIVE,
            false => commit.now_ms as i64,
        };
        let death_at = |at| Place::new(kind::DEATH, at, names);
        if let Some(before) = before {
            let old = Place::new(kind::CHANGE, before.seq.0 as i64, names);
            if old != change {
                self.removed.push(old);
            }
            if ![ALIVE, NEVER_MS, dead_at].contains(&before.dead_at) {
                self.removed.push(death_at(before.dead_at));
            }
        }
        self.records.push(RecordPlaces {
            record,
            dead_at,
            place: Place::record(key),
            change,
            death: (dead_at != ALIVE).then(|| death_at(dead_at)),
        });
    }

    fn add_letters(&mut self, commit: &'c Commit, seen: &Seen) {
        let known = |letter: &super::look::SeenLetter| {
            let (user, client) = (letter.place.a.clone(), letter.place.b.clone());
            (user, client, letter.hash.clone())
        };
        let mut same: HashSet<_> = seen.letters.iter().map(known).collect();
        let mut n = seen.letters.last().map_or(0, |letter| letter.place.n);
        for letter in &commit.dead_letters {
            let hash = Sha256::digest(letter.change.as_bytes()).to_vec();
            let client = Place::client(&letter.client);
            if same.insert((client.a.clone(), client.b.clone(), hash.clone())) {
                n += 1;
                let place = Place::new(kind::LETTER, n, (&client.a, &client.b));
                self.letters.push((letter, place, hash));
            }
        }
        let kept = DEAD_LETTERS_MAX.saturating_sub(self.letters.len());
        let past = seen.letters.len().saturating_sub(kept);
        let oldest = seen.letters.iter().take(past);
        self.removed
            .extend(oldest.map(|letter| letter.place.clone()));
    }
}

/// The batch, by who holds the space. `id` is random and names it.
pub(super) fn writes<'a>(
    commit: &'a Commit,
    (seen, places): (&Seen, &'a Places<'a>),
    (id, hold): (i64, Hold),
) -> Writes<'a> {
    let mut writes = Writes::by(hold);
    push_move(&mut writes, (commit, hold), seen, (places, id));
    for (moved, place) in &places.marks {
        push_mark(&mut writes, commit, (moved, place), seen);
    }
    for place in places.writers.iter().chain(&places.used) {
        writes.push(Text::PutPlace, at(&commit.space, place));
    }
    for (remembered, place) in &places.verdicts {
        let mut values = at(&commit.space, place);
        values.extend([
            Value::Int(remembered.m as i64),
            Value::Blob(remembered.hash.to_vec()),
            Value::Blob(codec::encode_verdict(&remembered.verdict)),
        ]);
        writes.push(Text::PutVerdict, values);
    }
    for record in &places.records {
        push_record(&mut writes, commit, record);
    }
    for (letter, place, hash) in &places.letters {
        let mut values = at(&commit.space, place);
        values.extend(letter_values(letter, commit.now_ms, hash.clone()));
        writes.push(Text::PutLetter, values);
    }
    for place in &places.removed {
        writes.push(Text::Remove, at(&commit.space, place));
    }
    writes
}

fn push_move<'a>(
    writes: &mut Writes<'a>,
    (commit, hold): (&'a Commit, Hold),
    seen: &Seen,
    (places, id): (&Places<'_>, i64),
) {
    let clock = ordered_clock(commit.clock.max(seen.row.view.clock));
    let is_new = |place: &Place| WriterNo(u32::try_from(place.n).unwrap_or(0));
    let first_new = places.writers.iter().map(is_new).min();
    // No number is given twice.
    let below_new = first_new.map_or(u32::MAX, |first| first.0.saturating_sub(1));
    let writers_max = commit.writers.0.min(below_new);
    let mut values = vec![
        Value::Int(commit.head.0 as i64),
        Value::Int(clock),
        Value::Int(commit.live as i64),
        Value::Int(i64::from(commit.writers.0)),
        Value::Int(id),
    ];
    values.extend(of(&commit.space));
    values.extend([
        Value::Int(commit.expect_epoch.0 as i64),
        Value::Int(commit.expect_head.0 as i64),
        Value::Int(i64::from(writers_max)),
        Value::Int(clock),
    ]);
    // The head does not tell that somebody else set something aside, or changed a job.
    let text = match &seen.jobs {
        Some(made) => {
            values.insert(5, made.plan.last_no());
            values.push(Value::Int(seen.row.last_commit));
            Text::MoveWithJobs
        }
        None if commit.dead_letters.is_empty() => Text::Move,
        None => {
            values.push(Value::Int(seen.row.last_commit));
            Text::MoveExact
        }
    };
    values.push(hold.value());
    writes.push(text, values);
}

fn push_mark<'a>(
    writes: &mut Writes<'a>,
    commit: &'a Commit,
    (moved, place): (&'a MarkMove, &'a Place),
    seen: &Seen,
) {
    let is_known = seen.marks.contains_key(&moved.client);
    let writer = Value::Int(i64::from(moved.writer.0));
    let given = moved.given.as_deref();
    let given_count = match given {
        Some(given) => Value::Int(given.count as i64),
        None if is_known => Value::Unset,
        None => Value::Int(0),
    };
    let mut values = vec![
        writer.clone(),
        moved
            .last
            .map_or(Value::Unset, |last| Value::Int(last as i64)),
        Value::Int(used_at_ms(commit.now_ms) as i64),
        given.map_or(Value::Unset, |given| {
            Value::Blob(codec::encode_given(given))
        }),
        given_count,
    ];
    values.extend(at(&commit.space, place));
    values.push(if is_known { writer } else { Value::Null });
    values.push(Value::maybe(moved.expect_last.map(|last| last as i64)));
    match moved.expect_given.filter(|_| is_known) {
        Some(expected) => {
            values.push(Value::Int(expected as i64));
            writes.push(Text::MarkGiven, values);
        }
        None => writes.push(Text::Mark, values),
    }
}

fn push_record<'a>(writes: &mut Writes<'a>, commit: &'a Commit, record: &'a RecordPlaces<'_>) {
    let state = codec::encode_record(record.record);
    let bytes = Value::Small(i32::try_from(state.len()).unwrap_or(i32::MAX));
    let mut values = at(&commit.space, &record.place);
    values.extend([
        Value::Int(record.record.seq.0 as i64),
        bytes.clone(),
        Value::Int(record.dead_at),
        Value::Int(commit.now_ms as i64),
        Value::Blob(state),
    ]);
    writes.push(Text::PutRecord, values);
    let mut values = at(&commit.space, &record.change);
    values.push(bytes);
    writes.push(Text::PutChange, values);
    if let Some(place) = &record.death {
        writes.push(Text::PutPlace, at(&commit.space, place));
    }
}

/// The values of a dead letter behind those of its place.
pub(in super::super) fn letter_values<'a>(
    letter: &'a DeadLetter,
    at_ms: u64,
    hash: Vec<u8>,
) -> [Value<'a>; 6] {
    [
        Value::Int(at_ms as i64),
        Value::Text(letter.code.as_str()),
        Value::Blob(hash),
        Value::Blob(letter.table.as_bytes().to_vec()),
        Value::Blob(letter.id.as_bytes().to_vec()),
        Value::Blob(letter.change.as_bytes().to_vec()),
    ]
}
