//! Messages of the native protocol.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::Case;
use super::Expect::{Close, Error, Nothing, Told};
use super::When::{First, Later};
use super::{bad_text, case, frame};
use crate::bad_input::{ADA, EVE, Hub};

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Texts that are no message at all.
const NO_MESSAGE: [&str; 14] = [
    "",
    " ",
    "{",
    "[]",
    "null",
    "7",
    "\"ping\"",
    "[\"ping\"]",
    "{}",
    r#"{"t":7}"#,
    r#"{"t":null}"#,
    r#"{"t":["ping"]}"#,
    r#"{"t":"ping","t":"ping"}"#,
    r#"{"t":"\ud800"}"#,
];

pub(super) fn cases(hub: &Hub) -> Vec<Case> {
    let bad = Close(Some("bad_message"), 4001);
    let mut cases: Vec<Case> = NO_MESSAGE
        .iter()
        .flat_map(|text| {
            [
                case(First, *text, bad),
                case(Later, *text, Error("bad_message")),
            ]
        })
        .collect();
    cases.extend(before_hello());
    cases.extend(hellos(&hub.issuer.token(ADA)));
    cases.extend(after_hello(hub));
    cases
}

fn before_hello() -> Vec<Case> {
    let early = Close(Some("out_of_order"), 4001);
    vec![
        case(First, r#"{"t":"push","muts":[]}"#, early),
        case(First, r#"{"t":"auth","token":"x"}"#, early),
        case(First, r#"{"t":"ack","seq":1}"#, early),
        case(First, r#"{"t":"presence","state":null}"#, early),
        case(First, r#"{"t":"broadcast","room":"r","data":1}"#, early),
        case(First, r#"{"t":"dance"}"#, Close(Some("unknown_type"), 4001)),
        case(
            First,
            r#"{"t":"welcome"}"#,
            Close(Some("unknown_type"), 4001),
        ),
        case(
            First,
            r#"{"t":"__proto__"}"#,
            Close(Some("unknown_type"), 4001),
        ),
        case(
            First,
            format!(r#"{{"t":"{}"}}"#, "x".repeat(60_000)),
            Close(Some("unknown_type"), 4001),
        ),
        case(First, r#"{"t":"ping"}"#, Told("pong")),
        case(First, padded_ping(64 << 10), Told("pong")),
        case(First, padded_ping((64 << 10) + 1), Close(None, 1009)),
        frame(
            "binary",
            First,
            Message::binary(b"{\"t\":\"ping\"}".to_vec()),
            Close(None, 1003),
        ),
        frame("no UTF-8", First, bad_text(), Close(None, 1007)),
    ]
}

/// A ping of so many bytes.
fn padded_ping(bytes: usize) -> String {
    let empty = r#"{"t":"ping","x":""}"#;
    empty.replace(
        r#""x":"""#,
        &format!(r#""x":"{}""#, "y".repeat(bytes - empty.len())),
    )
}

fn hellos(token: &str) -> Vec<Case> {
    let hello = |members: &str| {
        let good = json!({"t": "hello", "v": 1, "app": "todo", "client": "c", "token": token});
        let mut hello: Value = good;
        let members: Value = serde_json::from_str(members).unwrap();
        for (name, value) in members.as_object().unwrap() {
            hello[name] = value.clone();
            if value == "absent" {
                hello.as_object_mut().unwrap().remove(name);
            }
        }
        hello.to_string()
    };
    let mut cases = Vec::new();
    for (members, code) in [
        (r#"{"v":"absent"}"#, "bad_message"),
        (r#"{"v":"1"}"#, "bad_message"),
        (r#"{"v":-1}"#, "bad_message"),
        (r#"{"v":1.5}"#, "bad_message"),
        (r#"{"v":4294967297}"#, "bad_message"),
        (r#"{"v":0}"#, "version_unsupported"),
        (r#"{"v":2}"#, "version_unsupported"),
        (r#"{"v":2,"app":7}"#, "version_unsupported"),
        (r#"{"app":"absent"}"#, "bad_message"),
        (r#"{"app":7}"#, "bad_message"),
        (r#"{"app":""}"#, "name_invalid"),
        (r#"{"app":"__proto__"}"#, "name_invalid"),
        (r#"{"app":"a\u0000"}"#, "name_invalid"),
        (r#"{"client":"absent"}"#, "bad_message"),
        (r#"{"client":null}"#, "bad_message"),
        (r#"{"client":""}"#, "name_invalid"),
        (r#"{"client":"key:c"}"#, "name_invalid"),
        (r#"{"client":"a\n"}"#, "name_invalid"),
        (r#"{"token":"absent"}"#, "bad_message"),
        (r#"{"token":7}"#, "bad_message"),
        (r#"{"cursor":7}"#, "bad_message"),
        (r#"{"cursor":["0123456789abcdef",1]}"#, "bad_message"),
        (r#"{"cursor":{"epoch":"x"}}"#, "bad_message"),
        (r#"{"cursor":{"epoch":"x","seq":-1}}"#, "bad_message"),
        (r#"{"cursor":{"epoch":"x","seq":0.5}}"#, "bad_message"),
        (r#"{"cursor":{"epoch":"x","seq":"1"}}"#, "bad_message"),
        (r#"{"cursor":{"epoch":7,"seq":1}}"#, "bad_message"),
        (r#"{"tables":"tasks"}"#, "bad_message"),
        (r#"{"tables":[7]}"#, "bad_message"),
        (r#"{"tables":[""]}"#, "name_invalid"),
        (r#"{"tables":["__proto__"]}"#, "name_invalid"),
        (r#"{"backfill":[null]}"#, "bad_message"),
        (r#"{"snapshot_next":7}"#, "bad_message"),
        (r#"{"snapshot_next":""}"#, "cursor_invalid"),
        (r#"{"snapshot_next":"zz"}"#, "cursor_invalid"),
        (r#"{"acked":-1}"#, "bad_message"),
        (r#"{"epoch":1}"#, "bad_message"),
        (r#"{"acked":"1"}"#, "bad_message"),
        (r#"{"acked":1.5}"#, "bad_message"),
    ] {
        cases.push(Case {
            name: members.into(),
            ..case(First, hello(members), Close(Some(code), 4001))
        });
    }
    let tables: Vec<String> = (0..257).map(|i| format!("t{i}")).collect();
    let many = json!({"tables": tables}).to_string();
    cases.push(case(
        First,
        hello(&many),
        Close(Some("too_many_tables"), 4001),
    ));
    cases.push(case(
        First,
        hello(r#"{"space":"bob"}"#),
        Close(Some("forbidden"), 4003),
    ));
    cases.push(case(
        First,
        hello(r#"{"space":"@service"}"#),
        Close(Some("forbidden"), 4003),
    ));
    let long = "n".repeat(129);
    cases.push(case(
        First,
        hello(&json!({"app": long}).to_string()),
        Close(Some("name_invalid"), 4001),
    ));
    // Odd, and taken.
    cases.push(case(
        First,
        hello(r#"{"__proto__":{"v":2},"x":1e308}"#),
        Told("welcome"),
    ));
    cases.push(case(
        First,
        hello(r#"{"cursor":null,"tables":[],"acked":null}"#),
        Told("welcome"),
    ));
    cases.push(case(
        First,
        hello(r#"{"cursor":{"epoch":"__proto__","seq":1}}"#),
        Told("reset"),
    ));
    cases
}

fn after_hello(hub: &Hub) -> Vec<Case> {
    let bad = Error("bad_message");
    let mut cases: Vec<Case> = [
        r#"{"t":"push"}"#,
        r#"{"t":"push","muts":null}"#,
        r#"{"t":"push","muts":{}}"#,
        r#"{"t":"push","muts":[7]}"#,
        r#"{"t":"push","muts":[{}]}"#,
        r#"{"t":"push","muts":[[1,[]]]}"#,
        r#"{"t":"push","muts":[{"m":0,"changes":[]}]}"#,
        r#"{"t":"push","muts":[{"m":-1,"changes":[]}]}"#,
        r#"{"t":"push","muts":[{"m":1.5,"changes":[]}]}"#,
        r#"{"t":"push","muts":[{"m":"1","changes":[]}]}"#,
        r#"{"t":"push","muts":[{"m":9007199254740992,"changes":[]}]}"#,
        r#"{"t":"push","muts":[{"m":1e400,"changes":[]}]}"#,
        r#"{"t":"auth"}"#,
        r#"{"t":"auth","token":7}"#,
        r#"{"t":"ack"}"#,
        r#"{"t":"ack","seq":-1}"#,
        r#"{"t":"ack","seq":"1"}"#,
        r#"{"t":"ack","seq":1e400}"#,
        r#"{"t":"broadcast","data":1}"#,
        r#"{"t":"broadcast","room":"r"}"#,
        r#"{"t":"broadcast","room":7,"data":1}"#,
        r#"{"t":"hello","v":"1"}"#,
    ]
    .into_iter()
    .map(|text| case(Later, text, bad))
    .collect();
    let hello =
        json!({"t": "hello", "v": 1, "app": "todo", "client": "c", "token": hub.issuer.token(ADA)});
    let room = format!(
        r#"{{"t":"broadcast","room":"{}","data":1}}"#,
        "r".repeat(129)
    );
    let state = |text: usize| format!(r#"{{"t":"presence","state":"{}"}}"#, "x".repeat(text));
    let many: Vec<Value> = (1..=257).map(|m| json!({"m": m, "changes": []})).collect();
    let other = json!({"t": "auth", "token": hub.issuer.token(EVE)}).to_string();
    cases.extend([
        case(Later, hello.to_string(), Error("out_of_order")),
        case(
            Later,
            r#"{"t":"hello","v":9}"#,
            Error("version_unsupported"),
        ),
        case(Later, r#"{"t":"dance"}"#, Error("unknown_type")),
        case(Later, r#"{"t":"constructor"}"#, Error("unknown_type")),
        case(
            Later,
            r#"{"t":"push","muts":[{"m":7,"changes":[]}]}"#,
            Error("gap"),
        ),
        case(
            Later,
            json!({"t": "push", "muts": many}).to_string(),
            Error("too_many_mutations"),
        ),
        case(Later, room, Error("name_invalid")),
        case(
            Later,
            r#"{"t":"broadcast","room":"","data":1}"#,
            Error("name_invalid"),
        ),
        case(
            Later,
            r#"{"t":"broadcast","room":"__proto__","data":1}"#,
            Error("name_invalid"),
        ),
        case(
            Later,
            r#"{"t":"broadcast","room":"r","data":1e400}"#,
            Error("value_invalid"),
        ),
        case(
            Later,
            r#"{"t":"broadcast","room":"r","data":"\ud800"}"#,
            Error("value_invalid"),
        ),
        case(
            Later,
            r#"{"t":"broadcast","room":"r","data":"\u0000"}"#,
            Error("nul_in_string"),
        ),
        case(
            Later,
            format!(r#"{{"t":"presence","state":{}}}"#, nested(33)),
            Error("json_too_deep"),
        ),
        case(
            Later,
            format!(r#"{{"t":"presence","state":{}}}"#, nested(32_000)),
            Error("json_too_deep"),
        ),
        case(
            Later,
            format!(r#"{{"t":"presence","state":{}}}"#, nested(32)),
            Nothing,
        ),
        // With its quotes, 4 KiB and a byte more.
        case(Later, state(4_094), Nothing),
        case(Later, state(4_095), Error("ephemeral_too_large")),
        case(
            Later,
            format!(r#"{{"t":"ack","seq":{}}}"#, u64::MAX),
            Nothing,
        ),
        case(
            Later,
            format!(r#"{{"t":"ping","x":{}}}"#, nested(100_000)),
            Told("pong"),
        ),
        case(
            Later,
            r#"{"t":"ping","__proto__":{"t":"hello"}}"#,
            Told("pong"),
        ),
        case(Later, padded_ping(1 << 20), Told("pong")),
        case(Later, padded_ping((1 << 20) + 1), Close(None, 1009)),
        case(
            Later,
            r#"{"t":"auth","token":""}"#,
            Close(Some("token_invalid"), 4001),
        ),
        case(Later, other, Close(Some("forbidden"), 4003)),
        frame(
            "binary",
            Later,
            Message::binary(b"{\"t\":\"ping\"}".to_vec()),
            Close(None, 1003),
        ),
        frame("no UTF-8", Later, bad_text(), Close(None, 1007)),
    ]);
    cases
}
