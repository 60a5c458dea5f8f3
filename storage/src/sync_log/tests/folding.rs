//! What the rows of one record become.

use syncline_protocol::error::Code;
use syncline_protocol::ids::Seq;
use syncline_protocol::limits::Limits;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::Stamp;

use super::super::fold::Folding;
use super::super::row::LogRow;
use super::{LIMITS, NOW, at, row};
use crate::faulty::Prng;

fn folded(rows: &[LogRow]) -> Record {
    let mut folding: Option<Folding> = None;
    for (no, row) in (1..).zip(rows) {
        let written = row.read(&LIMITS, NOW).unwrap();
        let key = written.changes[0].key.clone();
        let folding = folding.get_or_insert_with(|| Folding::new(key));
        folding.fold(&written, Seq(no), &LIMITS).unwrap();
    }
    folding.unwrap().record
}

/// All but which commit brought what.
type State = (Option<Stamp>, Option<Stamp>, Vec<(String, String, Stamp)>);

fn state(record: &Record) -> State {
    let fields = record.fields.iter();
    let fields = fields.map(|f| (f.name.to_string(), f.value.as_str().to_owned(), f.stamp));
    (record.inserted, record.deleted, fields.collect())
}

fn value<'r>(record: &'r Record, name: &str) -> &'r str {
    record.field(name).unwrap().value.as_str()
}

/// Rows of four clients, each with a time of its own.
fn some_rows(random: &mut Prng) -> Vec<LogRow> {
    let rows = 0..4 + random.below(14);
    rows.map(|no| {
        let second = random.below(200) * 20 + no;
        let (time, arrived) = (at(second), 5_000 + random.below(100));
        let field = ["a", "b", "c"][random.below(3) as usize];
        let (op, data, stamps) = match random.below(4) {
            0 => (
                "insert",
                format!(r#"{{"{field}":{no},"updatedAt":"{time}"}}"#),
                String::new(),
            ),
            1 => (
                "delete",
                format!(r#"{{"deletedAt":"{time}"}}"#),
                String::new(),
            ),
            _ => (
                "update",
                format!(r#"{{"{field}":{no},"d":{no}}}"#),
                format!(r#""{field}":"{time}","d":"{time}""#),
            ),
        };
        let writer = 1 + random.below(4) as u32;
        row(writer, (op, &data, &format!("{{{stamps}}}")), arrived)
    })
    .collect()
}

#[test]
fn where_stamps_decide_rows_in_any_order_end_alike() {
    for seed in 0..500 {
        let mut random = Prng::new(seed);
        let mut rows = some_rows(&mut random);
        let expected = state(&folded(&rows));
        for _ in 0..5 {
            for at in (1..rows.len()).rev() {
                rows.swap(at, random.below(at as u64 + 1) as usize);
            }
            assert_eq!(state(&folded(&rows)), expected, "seed {seed}");
        }
    }
}

/// A device that inserts and writes in one millisecond meant the last.
#[test]
fn of_one_client_and_time_the_later_row_wins() {
    let time = at(1);
    let insert = format!(r#"{{"a":"z","updatedAt":"{time}"}}"#);
    let update = format!(r#"{{"a":"{time}"}}"#);
    let delete = format!(r#"{{"deletedAt":"{time}"}}"#);
    let mut rows = vec![
        row(1, ("insert", &insert, "{}"), 10),
        row(1, ("update", r#"{"a":"m"}"#, &update), 11),
        row(1, ("update", r#"{"a":"b"}"#, &update), 12),
    ];
    assert_eq!(value(&folded(&rows), "a"), r#""b""#);
    rows.push(row(1, ("delete", &delete, "{}"), 13));
    assert!(!folded(&rows).is_live());
    rows.push(row(1, ("insert", &insert, "{}"), 14));
    let again = folded(&rows);
    assert!(again.is_live());
    assert_eq!(value(&again, "a"), r#""z""#);
    // Two clients tie as everywhere: the greater number.
    let tie = [
        row(2, ("insert", &insert, "{}"), 10),
        row(1, ("update", r#"{"a":"zz"}"#, &update), 11),
    ];
    assert_eq!(value(&folded(&tie), "a"), r#""z""#);
}

/// That server took every request again whose answer was lost.
#[test]
fn rows_that_came_twice_change_nothing() {
    let (one, two) = (at(1), at(2));
    let rows = [
        row(
            1,
            ("insert", &format!(r#"{{"a":1,"updatedAt":"{one}"}}"#), "{}"),
            10,
        ),
        row(
            1,
            ("update", r#"{"a":2}"#, &format!(r#"{{"a":"{two}"}}"#)),
            11,
        ),
    ];
    let twice: Vec<LogRow> = rows.iter().chain(&rows).cloned().collect();
    assert_eq!(value(&folded(&twice), "a"), "2");
}

#[test]
fn what_was_ahead_loses_to_what_came_later() {
    let honest = at(11);
    let ahead = r#"{"a":"2099-01-01T00:00:00.000Z"}"#;
    let rows = [
        row(
            1,
            (
                "insert",
                &format!(r#"{{"a":0,"updatedAt":"{}"}}"#, at(1)),
                "{}",
            ),
            1,
        ),
        row(2, ("update", r#"{"a":"ahead"}"#, ahead), 10),
        row(
            1,
            (
                "update",
                r#"{"a":"honest"}"#,
                &format!(r#"{{"a":"{honest}"}}"#),
            ),
            12,
        ),
    ];
    assert_eq!(value(&folded(&rows[..2]), "a"), r#""ahead""#);
    assert_eq!(value(&folded(&rows), "a"), r#""honest""#);
}

/// A record that was deleted and made again offline, all sent at once.
#[test]
fn what_was_inserted_after_its_delete_lives_though_both_arrived_later() {
    let rows = [
        row(
            1,
            (
                "insert",
                &format!(r#"{{"a":1,"updatedAt":"{}"}}"#, at(1)),
                "{}",
            ),
            1,
        ),
        row(
            1,
            ("delete", &format!(r#"{{"deletedAt":"{}"}}"#, at(2)), "{}"),
            100,
        ),
        row(
            1,
            (
                "insert",
                &format!(r#"{{"b":2,"updatedAt":"{}"}}"#, at(3)),
                "{}",
            ),
            101,
        ),
    ];
    let record = folded(&rows);
    assert!(record.is_live());
    assert_eq!(record.field("a"), None);
    assert_eq!(value(&record, "b"), "2");
}

/// Also where a part of it would fit.
#[test]
fn a_row_that_makes_a_record_too_large_leaves_it_as_it_was() {
    let limits = Limits {
        fields_max: 2,
        ..LIMITS
    };
    let stamps = format!(r#"{{"c":"{}","d":"{}"}}"#, at(8), at(8));
    let fits = row(1, ("insert", r#"{"a":1,"b":1}"#, "{}"), 1);
    let grows = row(1, ("insert", r#"{"a":2,"c":1}"#, &stamps), 10);
    let written = fits.read(&limits, NOW).unwrap();
    let mut folding = Folding::new(written.changes[0].key.clone());
    folding.fold(&written, Seq(1), &limits).unwrap();
    let before = folding.record.clone();
    let refused = folding.fold(&grows.read(&limits, NOW).unwrap(), Seq(2), &limits);
    assert_eq!(refused, Err(Code::TooManyFields));
    assert_eq!(folding.record, before);
}

#[test]
fn a_record_of_which_nothing_is_said_is_none() {
    let nothing = row(1, ("update", "{}", "{}"), 1)
        .read(&LIMITS, NOW)
        .unwrap();
    let mut folding = Folding::new(nothing.changes[0].key.clone());
    folding.fold(&nothing, Seq(1), &LIMITS).unwrap();
    assert_eq!(folding.image(NOW), None);
}
