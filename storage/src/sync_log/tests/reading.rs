//! What one row asks for.

use syncline_protocol::change::Op;
use syncline_protocol::error::Code;

use super::super::row::{Adjusted, LogRow};
use super::{DAY_MS, LIMITS, NOW, at, row};

/// The claims of a row, as seconds of the day, by field; of an insert and a delete by op.
fn claims(row: &LogRow) -> (Vec<(String, Option<u64>)>, Adjusted) {
    let written = row.read(&LIMITS, NOW).unwrap();
    let mut claims = Vec::new();
    let second =
        |claim: syncline_protocol::change::Claim| claim.map(|at| (at.wall_ms() - DAY_MS) / 1_000);
    for change in written.changes {
        match change.op {
            Op::Insert { at, .. } => claims.push(("insert".to_owned(), second(at))),
            Op::Delete { at } => claims.push(("delete".to_owned(), second(at))),
            Op::Update { fields } => {
                let fields = fields.iter();
                claims.extend(fields.map(|(name, _, at)| (name.to_string(), second(*at))));
            }
        }
    }
    (claims, written.adjusted)
}

fn adjusted(ahead: u64, unusable: u64) -> Adjusted {
    Adjusted { ahead, unusable }
}

#[test]
fn every_time_is_the_one_claimed_else_the_next_best() {
    let (early, late, ahead) = (at(1), at(5), at(1_000));
    let none = adjusted(0, 0);
    for (op, data, stamps, expected, counted) in [
        (
            "insert",
            format!(r#"{{"updatedAt":"{late}","createdAt":"{early}"}}"#),
            "{}".into(),
            vec![("insert", Some(5))],
            none,
        ),
        (
            "insert",
            format!(r#"{{"createdAt":"{early}"}}"#),
            "{}".into(),
            vec![("insert", Some(1))],
            none,
        ),
        (
            "insert",
            format!(r#"{{"updatedAt":"soon","createdAt":"{early}"}}"#),
            "{}".into(),
            vec![("insert", Some(1))],
            adjusted(0, 1),
        ),
        (
            "insert",
            r#"{"a":1}"#.into(),
            "null".into(),
            vec![("insert", None)],
            none,
        ),
        (
            "insert",
            r#"{"a":1,"b":2}"#.into(),
            format!(r#"{{"b":"{late}","c":"{late}"}}"#),
            vec![("insert", None), ("b", Some(5))],
            none,
        ),
        (
            "insert",
            format!(r#"{{"updatedAt":"{ahead}"}}"#),
            "{}".into(),
            vec![("insert", None)],
            adjusted(1, 0),
        ),
        (
            "update",
            r#"{"a":1,"b":2}"#.into(),
            format!(r#"{{"a":"{early}","b":""}}"#),
            vec![("a", Some(1)), ("b", None)],
            none,
        ),
        (
            "update",
            format!(r#"{{"a":1,"updatedAt":"{late}"}}"#),
            format!(r#"{{"a":"{early}"}}"#),
            vec![("a", Some(1)), ("updatedAt", Some(5))],
            none,
        ),
        (
            "update",
            r#"{"a":1}"#.into(),
            format!(r#"{{"a":"{ahead}"}}"#),
            vec![("a", None)],
            adjusted(1, 0),
        ),
        (
            "update",
            r#"{"a":1}"#.into(),
            r#"{"a":"1970-01-01T00:00:00.000Z"}"#.into(),
            vec![("a", None)],
            adjusted(0, 1),
        ),
        (
            "update",
            r#"{"a":1}"#.into(),
            "7".into(),
            vec![("a", None)],
            adjusted(0, 1),
        ),
        (
            "delete",
            format!(r#"{{"deletedAt":"{late}"}}"#),
            "{}".into(),
            vec![("delete", Some(5))],
            none,
        ),
        (
            "delete",
            "{}".into(),
            "{}".into(),
            vec![("delete", None)],
            none,
        ),
        (
            "delete",
            "null".into(),
            "{}".into(),
            vec![("delete", None)],
            none,
        ),
    ]
        as [(&str, String, String, Vec<(&str, Option<u64>)>, Adjusted); 14]
    {
        let (found, counts) = claims(&row(1, (op, &data, &stamps), 10));
        let found: Vec<(&str, Option<u64>)> = found
            .iter()
            .map(|(name, at)| (name.as_str(), *at))
            .collect();
        assert_eq!((found, counts), (expected, counted), "{op} {data} {stamps}");
    }
}

/// A minute ahead is a clock that is off, as for the hub.
#[test]
fn a_claim_a_minute_ahead_of_its_arrival_stands() {
    for (second, stands) in [(70, true), (71, false)] {
        let stamps = format!(r#"{{"a":"{}"}}"#, at(second));
        let (found, _) = claims(&row(1, ("update", r#"{"a":1}"#, &stamps), 10));
        assert_eq!(found[0].1.is_some(), stands, "{second}");
    }
}

#[test]
fn a_row_of_the_future_arrived_now() {
    let mut future = row(1, ("delete", "{}", "{}"), 10);
    future.at_us = Some((NOW as i64 + 5_000) * 1_000);
    let written = future.read(&LIMITS, NOW).unwrap();
    assert_eq!(
        (written.arrived.wall_ms(), written.arrived.counter()),
        (NOW, 0)
    );
}

#[test]
fn what_can_never_be_stored_is_refused_with_its_reason() {
    let code = |change: &dyn Fn(&mut LogRow)| {
        let mut row = row(1, ("insert", r#"{"a":1}"#, "{}"), 10);
        change(&mut row);
        row.read(&LIMITS, NOW)
            .map(drop)
            .map_err(|refusal| refusal.code)
    };
    let data = |text: &str| code(&|row| row.data = Some(text.to_owned()));
    let many: Vec<String> = (0..=LIMITS.fields_max)
        .map(|n| format!(r#""f{n}":1"#))
        .collect();
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(33), "]".repeat(33));
    assert_eq!(code(&|_| {}), Ok(()));
    assert_eq!(code(&|row| row.data = None), Ok(()));
    assert_eq!(code(&|row| row.op = "upsert".into()), Err(Code::OpUnknown));
    assert_eq!(code(&|row| row.op = String::new()), Err(Code::OpUnknown));
    assert_eq!(
        code(&|row| row.table = String::new()),
        Err(Code::NameInvalid)
    );
    assert_eq!(
        code(&|row| row.id = "x".repeat(129)),
        Err(Code::NameInvalid)
    );
    assert_eq!(
        code(&|row| row.id = "a\u{0}".into()),
        Err(Code::NameInvalid)
    );
    assert_eq!(code(&|row| row.at_us = None), Err(Code::StampInvalid));
    assert_eq!(code(&|row| row.at_us = Some(0)), Err(Code::StampInvalid));
    assert_eq!(code(&|row| row.at_us = Some(-1)), Err(Code::StampInvalid));
    assert_eq!(data("[1]"), Err(Code::ChangeInvalid));
    assert_eq!(data("7"), Err(Code::ChangeInvalid));
    assert_eq!(data(r#"{"a":"\u0000"}"#), Err(Code::NulInString));
    assert_eq!(data(r#"{"a":"\ud800"}"#), Err(Code::ValueInvalid));
    assert_eq!(data(r#"{"\ud800":1}"#), Err(Code::ChangeInvalid));
    assert_eq!(data(r#"{"a":9007199254740993}"#), Err(Code::ValueInvalid));
    assert_eq!(data(r#"{"__proto__":1}"#), Err(Code::NameInvalid));
    assert_eq!(data(&deep), Err(Code::JsonTooDeep));
    assert_eq!(
        data(&format!("{{{}}}", many.join(","))),
        Err(Code::TooManyFields)
    );
}
