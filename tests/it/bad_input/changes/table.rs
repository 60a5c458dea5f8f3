//! The changes: their shapes, names, values, sizes and stamps.

use super::Case;
use super::Compat::{Aside, NotSent, Refused, Stored};
use super::Native::{Applied, Rejected};
use super::case;

/// One code by both.
fn refused(name: &str, change: impl Into<String>, code: &'static str) -> Case {
    case(name, change, Rejected(code), Aside(code))
}

fn taken(name: &str, change: impl Into<String>) -> Case {
    case(name, change, Applied, Stored)
}

/// An insert of a record called after the case.
fn insert(id: &str, data: &str) -> String {
    format!(r#"{{"table":"tasks","id":"{id}","op":"insert","data":{data}}}"#)
}

/// An update of the record that is there from the start.
fn update(fields: &str) -> String {
    format!(r#"{{"table":"tasks","id":"base","op":"update","fields":{fields}}}"#)
}

fn nested(depth: usize) -> String {
    format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
}

pub(super) fn cases() -> Vec<Case> {
    [shapes(), names(), values(), sizes(), stamps()]
        .into_iter()
        .flatten()
        .collect()
}

fn shapes() -> Vec<Case> {
    let malformed =
        |name: &str, change: &str| case(name, change, Rejected("change_invalid"), Refused);
    let wrong_type = |name: &str, change: String| refused(name, change, "change_invalid");
    let unknown_op = |op: &str| {
        let change = format!(r#"{{"table":"tasks","id":"base","op":{op}}}"#);
        case(
            &format!("op {}", op.len()),
            change,
            Rejected("op_unknown"),
            Refused,
        )
    };
    vec![
        malformed("a change that is a string", r#""delete""#),
        malformed("a change that is a number", "7"),
        malformed("a change that is null", "null"),
        malformed("a change that is an empty list", "[]"),
        malformed(
            "a change by position",
            r#"["tasks","base","delete",null,null,null,"2026-01-01T00:00:00Z"]"#,
        ),
        malformed("no op", r#"{"table":"tasks","id":"base"}"#),
        malformed("op is a number", r#"{"table":"tasks","id":"base","op":7}"#),
        malformed("op is null", r#"{"table":"tasks","id":"base","op":null}"#),
        unknown_op(r#""""#),
        unknown_op(r#""upsert""#),
        unknown_op(r#""Insert""#),
        unknown_op(r#""__proto__""#),
        unknown_op(&format!(r#""{}""#, "x".repeat(100_000))),
        malformed("no table", r#"{"id":"base","op":"delete"}"#),
        malformed("table is a number", r#"{"table":1,"id":"base","op":"delete"}"#),
        malformed("table is null", r#"{"table":null,"id":"base","op":"delete"}"#),
        malformed("no id", r#"{"table":"tasks","op":"delete"}"#),
        malformed("id is a number", r#"{"table":"tasks","id":1,"op":"delete"}"#),
        malformed("id is a list", r#"{"table":"tasks","id":["base"],"op":"delete"}"#),
        wrong_type("data is a list", insert("x", "[1]")),
        wrong_type("data is a text", insert("x", r#""x""#)),
        wrong_type("data is a long text", insert("x", &format!(r#""{}""#, "x".repeat(100_000)))),
        wrong_type("fields are a number", update("7")),
        wrong_type("a field is no object", update(r#"{"a":7}"#)),
        wrong_type("a field is a list", update(r#"{"a":[1,"2026-01-01T00:00:00Z"]}"#)),
        case("no data", r#"{"table":"tasks","id":"no-data","op":"insert"}"#, Rejected("change_invalid"), Stored),
        case("no fields", r#"{"table":"tasks","id":"base","op":"update"}"#, Rejected("change_invalid"), NotSent),
        case("a field without a value", update(r#"{"a":{}}"#), Rejected("change_invalid"), NotSent),
        case("a reserved operation", update(r#"{"a":{"add":1}}"#), Rejected("op_reserved"), NotSent),
        case("an update of nothing known", r#"{"table":"tasks","id":"never","op":"update","fields":{"a":{"value":1}}}"#, Rejected("record_unknown"), NotSent),
        case("a delete of nothing known", r#"{"table":"tasks","id":"never","op":"delete"}"#, Rejected("record_unknown"), NotSent),
        // Canonical form keeps the last of equal members; the other protocol refuses two ops.
        case("two ops", r#"{"table":"tasks","id":"two-ops","op":"delete","op":"insert","data":{}}"#, Applied, Refused),
        taken("two values of one field", insert("two-values", r#"{"a":9,"a":1}"#)),
        taken("members nobody knows", r#"{"table":"tasks","id":"more","op":"insert","data":{},"__proto__":{"op":"delete"},"constructor":1,"1e400":1e400}"#.replace("1e400}", "1}")),
    ]
}

fn names() -> Vec<Case> {
    let in_table =
        |name: &str| format!(r#"{{"table":"{name}","id":"k","op":"insert","data":{{}}}}"#);
    let in_id = |name: &str| insert(name, "{}");
    let in_field = |name: &str| insert("named", &format!(r#"{{"{name}":1}}"#));
    let mut cases = named("table", in_table);
    cases.extend(named("id", in_id));
    cases.extend(named("field", in_field));
    let nameless = |place, change| case(place, change, Rejected("name_invalid"), Refused);
    let lone = |name, change, compat| case(name, change, Rejected("value_invalid"), compat);
    cases.extend([
        nameless("table empty", in_table("")),
        nameless("id empty", in_id("")),
        refused("field empty", in_field(""), "name_invalid"),
        lone(
            "table with a lone surrogate",
            in_table(r"\ud800"),
            Aside("value_invalid"),
        ),
        lone(
            "id with a lone surrogate",
            in_id(r"\udc00"),
            Aside("value_invalid"),
        ),
        lone(
            "field with a lone surrogate",
            in_field(r"a\ud800"),
            Aside("change_invalid"),
        ),
        lone(
            "a member that nobody knows with a lone surrogate",
            r#"{"\ud800":1,"table":"tasks","id":"k","op":"insert","data":{}}"#.to_owned(),
            Aside("change_invalid"),
        ),
    ]);
    cases
}

/// Names of one place, good and bad.
fn named(place: &str, change: impl Fn(&str) -> String) -> Vec<Case> {
    let called = |what: &str| format!("{place} {what}");
    let mut cases = Vec::new();
    for (what, name) in [
        ("of 129 bytes", "n".repeat(129)),
        ("of 129 bytes in 43 characters", "\u{20ac}".repeat(43)),
        ("__proto__", "__proto__".into()),
        ("with an escape character", r"a\u0001".into()),
        ("with a line break", r"a\nb".into()),
        ("with DEL", r"a\u007f".into()),
        ("with a C1 control", r"a\u0085".into()),
    ] {
        cases.push(refused(&called(what), change(&name), "name_invalid"));
    }
    let nul = (Rejected("nul_in_string"), Aside("name_invalid"));
    cases.push(case(&called("with NUL"), change(r"a\u0000"), nul.0, nul.1));
    for name in [
        "constructor",
        "prototype",
        "toString",
        "hasOwnProperty",
        "..",
        "a/b",
        "a b",
        "'; drop table records; --",
        "%00",
    ] {
        cases.push(taken(&called(name), change(name)));
    }
    cases.push(taken(&called("of 128 bytes"), change(&"n".repeat(128))));
    let wide = format!("aa{}", "\u{20ac}".repeat(42));
    let of_44 = called("of 128 bytes in 44 characters");
    cases.push(taken(&of_44, change(&wide)));
    cases
}

fn values() -> Vec<Case> {
    let value = |id: &str, value: &str| insert(id, &format!(r#"{{"x":{value}}}"#));
    let invalid = |name: &str, text: &str| refused(name, value("x", text), "value_invalid");
    vec![
        refused(
            "NUL in a text",
            value("x", r#""a\u0000b""#),
            "nul_in_string",
        ),
        refused(
            "NUL in a member",
            value("x", r#"{"a\u0000":1}"#),
            "nul_in_string",
        ),
        invalid("a lone high surrogate", r#""\ud800""#),
        invalid("a lone low surrogate", r#""\udfff""#),
        invalid("surrogates in the wrong order", r#""\udc00\ud800""#),
        invalid("a lone surrogate in a member", r#"{"\ud800":1}"#),
        invalid("1e400", "1e400"),
        invalid("-1e400", "-1e400"),
        invalid("2^53 + 1", "9007199254740993"),
        invalid("-(2^53 + 1)", "-9007199254740993"),
        invalid("2^64 - 1", "18446744073709551615"),
        invalid("thirty digits", "123456789012345678901234567890"),
        invalid("2^53 + 1 inside", r#"[[{"a":9007199254740993}]]"#),
        taken("surrogates in order", value("pair", r#""\ud83d\ude00""#)),
        taken(
            "controls in a text",
            value("controls", r#""\u0001\u001f\u007f\u0085\u2028""#),
        ),
        taken("2^53", value("exact", "9007199254740992")),
        taken("-0", value("minus-zero", "-0")),
        taken("1e-400", value("tiny", "1e-400")),
        taken(
            "the greatest double",
            value("greatest", "1.7976931348623157e308"),
        ),
        taken(
            "__proto__ inside",
            value("proto", r#"{"__proto__":{"admin":true},"constructor":1}"#),
        ),
        taken(
            "two members of one name",
            value("twice", r#"{"a":1,"a":2}"#),
        ),
        taken("an empty member", value("empty-member", r#"{"":""}"#)),
        taken("depth 32", insert("deep", &nested(32))),
        refused("depth 33", insert("x", &nested(33)), "json_too_deep"),
        refused("depth 127", insert("x", &nested(127)), "json_too_deep"),
        refused(
            "depth 100,000",
            insert("x", &nested(100_000)),
            "json_too_deep",
        ),
        refused(
            "depth 33 in an update",
            update(&format!(r#"{{"a":{{"value":{}}}}}"#, nested(32))),
            "json_too_deep",
        ),
    ]
}

fn sizes() -> Vec<Case> {
    // {"x":"…"} has 8 bytes around the text.
    let of_bytes =
        |id: &str, bytes: usize| insert(id, &format!(r#"{{"x":"{}"}}"#, "y".repeat(bytes - 8)));
    let of_fields = |id: &str, fields: usize| {
        let fields: Vec<String> = (0..fields).map(|i| format!(r#""f{i}":{i}"#)).collect();
        insert(id, &format!("{{{}}}", fields.join(",")))
    };
    let many = |fields: usize| {
        let fields: Vec<String> = (0..fields)
            .map(|i| format!(r#""f{i}":{{"value":{i}}}"#))
            .collect();
        update(&format!("{{{}}}", fields.join(",")))
    };
    vec![
        taken("a record of 256 KiB", of_bytes("large", 256 << 10)),
        refused(
            "a record of 256 KiB and a byte",
            of_bytes("x", (256 << 10) + 1),
            "record_too_large",
        ),
        taken("1,024 fields", of_fields("wide", 1_024)),
        refused("1,025 fields", of_fields("x", 1_025), "too_many_fields"),
        refused("an update of 1,025 fields", many(1_025), "too_many_fields"),
        // With the one it has, it would be one too many.
        refused("1,024 fields more", many(1_024), "too_many_fields"),
    ]
}

fn stamps() -> Vec<Case> {
    let at = |stamp: &str| update(&format!(r#"{{"a":{{"value":1,"updatedAt":{stamp}}}}}"#));
    let mut cases: Vec<Case> = [
        r#""""#,
        r#""garbage""#,
        r#""NaN""#,
        r#""9007199254740993""#,
        r#""1e400""#,
        r#""1970-01-01T00:00:00.000Z""#,
        r#""2019-12-31T23:59:59.999Z""#,
        r#""-2026-01-01T00:00:00Z""#,
        r#""+012026-01-01T00:00:00Z""#,
        r#""10000-01-01T00:00:00Z""#,
        r#""2026-13-01T00:00:00Z""#,
        r#""2026-02-30T00:00:00Z""#,
        r#""2026-01-01""#,
        r#""2026-01-01T00:00:00""#,
        r#""2026-01-01T00:00:00Z-zzzz""#,
        r#""2026-01-01T00:00:00Z\u0000""#,
        r#""2026-01-01T00:00:00.0000000000Z""#,
    ]
    .into_iter()
    .map(|stamp| {
        let code = if stamp.contains("u0000") {
            "nul_in_string"
        } else {
            "stamp_invalid"
        };
        case(
            &format!("stamp {stamp}"),
            at(stamp),
            Rejected(code),
            Aside("stamp_invalid"),
        )
    })
    .collect();
    for stamp in [
        "0",
        "-1",
        "1.5",
        "9007199254740993",
        "null",
        "{}",
        "[]",
        "true",
    ] {
        // The other protocol takes what is no text for no time at all.
        let code = if stamp.len() > 9 {
            "value_invalid"
        } else {
            "stamp_invalid"
        };
        cases.push(case(
            &format!("stamp {stamp}"),
            at(stamp),
            Rejected(code),
            NotSent,
        ));
    }
    let timed = |id: &str, time: &str| insert(id, &format!(r#"{{"updatedAt":"{time}"}}"#));
    cases.extend([
        taken(
            "a stamp of 2020",
            timed("oldest", "2020-01-01T00:00:00.000Z"),
        ),
        taken("a stamp of 9999", timed("far", "9999-12-31T23:59:59.999Z")),
        case(
            "a delete in 1999",
            r#"{"table":"tasks","id":"base","op":"delete","deletedAt":"1999-01-01T00:00:00Z"}"#,
            Rejected("stamp_invalid"),
            Aside("stamp_invalid"),
        ),
        case(
            "a delete at a number",
            r#"{"table":"tasks","id":"base","op":"delete","deletedAt":5}"#,
            Rejected("change_invalid"),
            NotSent,
        ),
        case(
            "an insert at nonsense",
            r#"{"table":"tasks","id":"x","op":"insert","data":{},"insertedAt":"soon"}"#,
            Rejected("stamp_invalid"),
            NotSent,
        ),
        case(
            "data of nonsense time",
            timed("odd", "soon"),
            Applied,
            Aside("stamp_invalid"),
        ),
    ]);
    cases
}
