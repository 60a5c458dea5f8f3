//! What users do: edits of a small space, so that they meet.

use std::fmt::Write as _;

use syncline_protocol::stamp::Hlc;

use super::super::clock::DeviceClock;
use super::super::count::Kind;
use super::Cx;

/// The tables.
pub(super) const TABLES: [&str; 3] = ["notes", "pairs", "tasks"];

/// Records of a table.
pub(super) const IDS: [&str; 4] = ["a1", "a2", "b1", "b2"];

pub(super) const FIELDS: [&str; 3] = ["n", "title", "done"];

/// A minute: where clamping begins.
pub(super) const SKEWED_MS: u64 = 60_000;

/// Draws the changes of one mutation, as text.
pub(super) fn draw(clock: &mut DeviceClock, cx: &mut Cx<'_>) -> String {
    if clock.skew_ms().unsigned_abs() > SKEWED_MS {
        cx.aids.counts.add(Kind::SkewedEdit);
    }
    let stamp = draw_stamp(clock, cx);
    let changes = match cx.aids.rng.below(100) {
        0..=3 => return invalid(cx),
        4..=23 => pair(stamp, cx),
        24..=33 => {
            let count = 2 + cx.aids.rng.below(3);
            (0..count).map(|_| change(stamp, cx)).collect()
        }
        _ => vec![change(stamp, cx)],
    };
    format!("[{}]", changes.join(","))
}

/// A delete of a record.
pub(super) fn draw_delete(clock: &mut DeviceClock, cx: &mut Cx<'_>) -> String {
    let table = *cx.aids.rng.pick(&TABLES);
    let id = *cx.aids.rng.pick(&IDS);
    format!("[{}]", delete(table, id, Some(clock.tick(cx.now_ms))))
}

/// Usually a fresh one; sometimes the last one again, or none.
fn draw_stamp(clock: &mut DeviceClock, cx: &mut Cx<'_>) -> Option<Hlc> {
    match cx.aids.rng.below(100) {
        0..=11 => {
            let again = clock.again();
            if again.is_some() {
                cx.aids.counts.add(Kind::TiedEdit);
            }
            again.or_else(|| Some(clock.tick(cx.now_ms)))
        }
        12..=14 => None,
        _ => Some(clock.tick(cx.now_ms)),
    }
}

/// A change of one record.
fn change(stamp: Option<Hlc>, cx: &mut Cx<'_>) -> String {
    let table = *cx.aids.rng.pick(&["notes", "tasks"]);
    let id = *cx.aids.rng.pick(&IDS);
    match cx.aids.rng.below(10) {
        0..=3 => {
            let data = data(cx);
            insert(table, id, &data, stamp)
        }
        4..=8 => {
            let (field, value) = (*cx.aids.rng.pick(&FIELDS), value(cx));
            update(table, id, (field, &value), stamp)
        }
        _ => delete(table, id, stamp),
    }
}

/// Two records that are only ever changed together.
fn pair(stamp: Option<Hlc>, cx: &mut Cx<'_>) -> Vec<String> {
    let ids = *cx.aids.rng.pick(&[["a1", "a2"], ["b1", "b2"]]);
    let value = value(cx);
    let what = cx.aids.rng.below(10);
    let one = |id: &&str| match what {
        0..=4 => insert("pairs", id, &format!(r#"{{"n":{value}}}"#), stamp),
        5..=8 => update("pairs", id, ("n", &value), stamp),
        _ => delete("pairs", id, stamp),
    };
    ids.iter().map(one).collect()
}

/// A mutation that can never be done.
fn invalid(cx: &mut Cx<'_>) -> String {
    let change = match cx.aids.rng.below(3) {
        0 => r#"{"table":"tasks","id":"a1","op":"twist"}"#,
        1 => {
            r#"{"table":"tasks","id":"a1","op":"insert","data":{},"insertedAt":"2019-01-01T00:00:00Z"}"#
        }
        _ => r#"{"table":"tasks","id":"a1","op":"update","fields":{"n":{"add":1}}}"#,
    };
    format!("[{change}]")
}

fn data(cx: &mut Cx<'_>) -> String {
    let (n, title) = (value(cx), value(cx));
    match cx.aids.rng.below(3) {
        0 => "{}".into(),
        1 => format!(r#"{{"n":{n}}}"#),
        _ => format!(r#"{{"n":{n},"title":{title}}}"#),
    }
}

pub(super) fn value(cx: &mut Cx<'_>) -> String {
    let n = cx.aids.rng.below(40);
    match n % 4 {
        0 => format!(r#""v{n}""#),
        1 => "null".into(),
        2 => "true".into(),
        _ => n.to_string(),
    }
}

/// An insert as text.
pub(super) fn insert(table: &str, id: &str, data: &str, at: Option<Hlc>) -> String {
    let mut text = format!(r#"{{"table":"{table}","id":"{id}","op":"insert","data":{data}"#);
    push_time(&mut text, "insertedAt", at);
    text.push('}');
    text
}

fn update(table: &str, id: &str, (field, value): (&str, &str), at: Option<Hlc>) -> String {
    let mut text = format!(
        r#"{{"table":"{table}","id":"{id}","op":"update","fields":{{"{field}":{{"value":{value}"#
    );
    push_time(&mut text, "updatedAt", at);
    text.push_str("}}}");
    text
}

fn delete(table: &str, id: &str, at: Option<Hlc>) -> String {
    let mut text = format!(r#"{{"table":"{table}","id":"{id}","op":"delete""#);
    push_time(&mut text, "deletedAt", at);
    text.push('}');
    text
}

fn push_time(text: &mut String, name: &str, at: Option<Hlc>) {
    if let Some(at) = at {
        write!(text, r#","{name}":"{at}""#).expect("writing to a String cannot fail");
    }
}
