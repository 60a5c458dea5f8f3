use proptest::prelude::*;

use super::*;
use crate::ids::Epoch;
use crate::samples::{cases, mutated};

const HELLO: &str = r#"{"t":"hello","v":1,"app":"todo","client":"c-8f2a","token":"<JWT>","cursor":{"epoch":"e1","seq":104},"tables":["tasks"],"snapshot_next":null}"#;

fn read(text: &str) -> ClientMessage {
    ClientMessage::parse(text, &Limits::DEFAULT).unwrap()
}

fn code(text: &str) -> Code {
    ClientMessage::parse(text, &Limits::DEFAULT)
        .unwrap_err()
        .code
}

fn hello(text: &str) -> Hello {
    match read(text) {
        ClientMessage::Hello(hello) => *hello,
        other => panic!("a hello is read as {other:?}"),
    }
}

fn push(muts: &[String]) -> String {
    format!(r#"{{"t":"push","muts":[{}]}}"#, muts.join(","))
}

/// The least hello, with more members.
fn hello_with(members: &str) -> String {
    format!(r#"{{"t":"hello","v":1,"app":"todo","client":"c","token":"x"{members}}}"#)
}

/// The mutation `m` with `n` changes.
fn mutation(m: usize, n: usize) -> String {
    let one = r#"{"table":"t","id":"k","op":"delete"}"#;
    format!(r#"{{"m":{m},"changes":[{}]}}"#, vec![one; n].join(","))
}

#[test]
fn the_designs_hello_is_read() {
    let hello = hello(HELLO);
    assert_eq!(hello.app, AppId::trusted("todo"));
    assert_eq!(hello.space, None);
    assert_eq!(hello.client, ClientId::trusted("c-8f2a"));
    assert_eq!(hello.token, "<JWT>");
    assert_eq!(
        hello.cursor,
        Some(Cursor {
            epoch: "e1".into(),
            seq: 104
        })
    );
    assert_eq!(hello.tables, Some(vec![TableName::trusted("tasks")]));
    assert_eq!(hello.backfill, []);
    assert_eq!(hello.snapshot_next, None);
    assert_eq!(hello.acked, None);
}

#[test]
fn the_least_hello_starts_from_scratch_with_all_tables() {
    let hello = hello(&hello_with(""));
    assert_eq!(
        (hello.cursor, hello.tables, hello.space),
        (None, None, None)
    );
}

#[test]
fn null_in_hello_is_absent() {
    let nulls = r#","space":null,"cursor":null,"tables":null,"backfill":null,"acked":null"#;
    let hello = hello(&hello_with(nulls));
    assert_eq!(
        (hello.cursor, hello.tables, hello.space),
        (None, None, None)
    );
    assert_eq!((hello.backfill, hello.acked), (vec![], None));
}

#[test]
fn the_rest_of_hello_is_read() {
    let place = SnapshotPlace {
        epoch: Epoch(1),
        at: crate::ids::Seq(131),
        after: crate::samples::key("k1"),
        done: 3,
        sum: super::super::cursor::SnapshotSum(9),
        selection: super::super::cursor::Selection(4),
    };
    let more = format!(
        r#","space":"s1","backfill":["projects"],"acked":811,"snapshot_next":"{}""#,
        place.to_text()
    );
    let hello = hello(&hello_with(&more));
    assert_eq!(hello.space, Some(SpaceId::trusted("s1")));
    assert_eq!(hello.backfill, [TableName::trusted("projects")]);
    assert_eq!(hello.acked, Some(811));
    assert_eq!(hello.snapshot_next, Some(place));
}

#[test]
fn an_epoch_of_another_history_is_read_and_not_judged() {
    let hello = hello(&hello_with(r#","cursor":{"epoch":"","seq":0}"#));
    assert_eq!(
        hello.cursor,
        Some(Cursor {
            epoch: String::new(),
            seq: 0
        })
    );
}

#[test]
fn the_designs_push_is_read() {
    let text = r#"{"t":"push","muts":[{"m":812,"changes":[{"table":"tasks","id":"k1","op":"update","fields":{"done":{"value":true,"updatedAt":"2026-11-24T10:00:00.123Z"}}}]}]}"#;
    let ClientMessage::Push(muts, _) = read(text) else {
        panic!("a push is read")
    };
    assert_eq!(muts.len(), 1);
    assert_eq!((muts[0].m, muts[0].change_count()), (812, 1));
}

#[test]
fn the_small_messages_are_read() {
    let read_all = [
        r#"{"t":"auth","token":"<JWT>"}"#,
        r#"{"t":"ack","seq":131}"#,
        r#"{"t":"presence","state":{"at":"k1"}}"#,
        r#"{"t":"broadcast","room":"r1","data":{}}"#,
        r#"{"t":"ping"}"#,
    ]
    .map(|text| format!("{:?}", read(text)));
    assert_eq!(
        read_all,
        [
            r#"Auth { token: "<JWT>" }"#,
            "Ack { seq: 131 }",
            r#"Presence(Some({"at":"k1"}))"#,
            r#"Broadcast { room: "r1", data: {} }"#,
            "Ping",
        ]
    );
}

#[test]
fn presence_is_cleared_by_null_or_nothing() {
    for text in [r#"{"t":"presence","state":null}"#, r#"{"t":"presence"}"#] {
        assert!(
            matches!(read(text), ClientMessage::Presence(None)),
            "{text}"
        );
    }
}

#[test]
fn unknown_members_are_ignored_in_every_message() {
    for text in [
        HELLO,
        r#"{"t":"push","muts":[]}"#,
        r#"{"t":"auth","token":"x"}"#,
        r#"{"t":"ack","seq":131}"#,
        r#"{"t":"presence","state":{}}"#,
        r#"{"t":"broadcast","room":"r1","data":{}}"#,
        r#"{"t":"ping"}"#,
    ] {
        let more = text.replacen('{', r#"{"later":[{"t":7}],"#, 1);
        assert_eq!(format!("{:?}", read(&more)), format!("{:?}", read(text)));
    }
}

#[test]
fn members_may_come_in_any_order() {
    assert!(matches!(
        read(r#"{"seq":1,"t":"ack"}"#),
        ClientMessage::Ack { seq: 1 }
    ));
}

#[test]
fn the_type_may_be_escaped() {
    assert!(matches!(read(r#"{"t":"p\u0069ng"}"#), ClientMessage::Ping));
}

#[test]
fn an_unknown_type_is_named_in_part() {
    let long = format!(r#"{{"t":"{}"}}"#, "x".repeat(1_000));
    let refusal = ClientMessage::parse(&long, &Limits::DEFAULT).unwrap_err();
    assert_eq!(refusal.code, Code::UnknownType);
    assert!(refusal.message.len() < 100);
}

#[test]
fn what_is_no_message_is_refused() {
    for text in [
        "",
        "7",
        "[]",
        "null",
        "{}",
        r#"{"t":7}"#,
        r#"{"t":"ping"} x"#,
        r#"{"t":"ping""#,
    ] {
        assert_eq!(code(text), Code::BadMessage, "{text}");
    }
}

#[test]
fn members_of_a_wrong_type_are_refused() {
    for text in [
        r#"{"t":"push"}"#,
        r#"{"t":"push","muts":{}}"#,
        r#"{"t":"ack","seq":-1}"#,
        r#"{"t":"ack","seq":"1"}"#,
        r#"{"t":"auth"}"#,
        r#"{"t":"broadcast","room":"r"}"#,
        r#"{"t":"hello","v":1,"app":"todo","client":"c"}"#,
        &hello_with(r#","cursor":{"seq":1}"#),
        &hello_with(r#","tables":"tasks""#),
    ] {
        assert_eq!(code(text), Code::BadMessage, "{text}");
    }
}

#[test]
fn another_version_is_told_to_upgrade() {
    for version in [0, 2] {
        let text = HELLO.replace(r#""v":1"#, &format!(r#""v":{version}"#));
        assert_eq!(code(&text), Code::VersionUnsupported);
    }
    assert_eq!(Code::VersionUnsupported.retry().as_str(), "upgrade");
}

#[test]
fn a_hello_of_another_version_may_have_another_shape() {
    assert_eq!(
        code(r#"{"t":"hello","v":2,"apps":["todo"]}"#),
        Code::VersionUnsupported
    );
}

#[test]
fn names_in_hello_are_checked() {
    for text in [
        HELLO.replace("todo", ""),
        HELLO.replace("c-8f2a", &"c".repeat(129)),
        HELLO.replace("tasks", "a\\u0001"),
        hello_with(r#","space":"""#),
        hello_with(r#","backfill":["__proto__"]"#),
    ] {
        assert_eq!(code(&text), Code::NameInvalid, "{text}");
    }
}

#[test]
fn a_place_that_cannot_be_read_is_refused() {
    assert_eq!(
        code(&hello_with(r#","snapshot_next":"zz""#)),
        Code::CursorInvalid
    );
}

#[test]
fn tables_are_taken_at_256_and_refused_at_257() {
    for member in ["tables", "backfill"] {
        let named = |n| {
            let names: Vec<_> = (0..n).map(|n| format!(r#""t{n}""#)).collect();
            hello_with(&format!(r#","{member}":[{}]"#, names.join(",")))
        };
        let most = hello(&named(TABLES_PER_HELLO_MAX));
        assert_eq!(
            most.tables.unwrap_or(most.backfill).len(),
            TABLES_PER_HELLO_MAX
        );
        assert_eq!(code(&named(TABLES_PER_HELLO_MAX + 1)), Code::TooManyTables);
    }
}

#[test]
fn mutations_are_taken_at_256_and_refused_at_257() {
    let muts = |n| (1..=n).map(|m| mutation(m, 1)).collect::<Vec<_>>();
    let most = read(&push(&muts(MUTATIONS_IN_FLIGHT_MAX)));
    assert!(matches!(most, ClientMessage::Push(muts, _) if muts.len() == MUTATIONS_IN_FLIGHT_MAX));
    assert_eq!(
        code(&push(&muts(MUTATIONS_IN_FLIGHT_MAX + 1))),
        Code::TooManyMutations
    );
}

#[test]
fn changes_of_a_push_are_taken_at_5000_and_refused_at_5001() {
    let half = Limits::DEFAULT.changes_per_push_max / 2;
    assert!(matches!(
        read(&push(&[mutation(1, half), mutation(2, half)])),
        ClientMessage::Push(..)
    ));
    let over = push(&[mutation(1, half), mutation(2, half + 1)]);
    assert_eq!(code(&over), Code::TooManyChanges);
}

#[test]
fn a_mutation_that_cannot_be_read_leaves_the_others() {
    let muts = [
        mutation(1, 1),
        r#"{"m":2,"changes":[7]}"#.into(),
        r#"{"m":3}"#.into(),
        mutation(4, 1),
    ];
    let ClientMessage::Push(muts, _) = read(&push(&muts)) else {
        panic!("a push is read")
    };
    let read: Vec<_> = muts.iter().map(|m| (m.m, m.asked.is_ok())).collect();
    assert_eq!(read, [(1, true), (2, false), (3, false), (4, true)]);
}

#[test]
fn a_mutation_without_number_refuses_the_push() {
    assert_eq!(
        code(&push(&[mutation(1, 1), r#"{"changes":[]}"#.into()])),
        Code::BadMessage
    );
}

#[test]
fn a_state_is_taken_at_4_kib_and_refused_one_past_it() {
    let text = |n: usize| "x".repeat(n - 2);
    for (before, after) in [
        (r#"{"t":"presence","state":""#, r#""}"#),
        (r#"{"t":"broadcast","room":"r","data":""#, r#""}"#),
    ] {
        read(&format!("{before}{}{after}", text(EPHEMERAL_BYTES_MAX)));
        let over = format!("{before}{}{after}", text(EPHEMERAL_BYTES_MAX + 1));
        assert_eq!(code(&over), Code::EphemeralTooLarge);
    }
}

#[test]
fn a_state_is_measured_as_it_is_passed_on() {
    let numbers = vec!["1e20"; 400].join(",");
    assert!(numbers.len() < EPHEMERAL_BYTES_MAX);
    let text = format!(r#"{{"t":"presence","state":[{numbers}]}}"#);
    assert_eq!(code(&text), Code::EphemeralTooLarge);
}

#[test]
fn a_state_in_a_text_too_long_to_be_rewritten_is_refused_unread() {
    let text = |bytes: usize| {
        let state = format!("[{}1]", " ".repeat(bytes - 3));
        format!(r#"{{"t":"presence","state":{state}}}"#)
    };
    read(&text(EPHEMERAL_TEXT_BYTES_MAX));
    let over = text(EPHEMERAL_TEXT_BYTES_MAX + 1);
    assert_eq!(code(&over), Code::EphemeralTooLarge);
}

#[test]
fn ephemeral_values_are_checked_as_stored_ones() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let presence = |value: &str| format!(r#"{{"t":"presence","state":{value}}}"#);
    read(&presence(&nested(Limits::DEFAULT.json_depth_max)));
    assert_eq!(
        code(&presence(&nested(Limits::DEFAULT.json_depth_max + 1))),
        Code::JsonTooDeep
    );
    assert_eq!(code(&presence(r#""\u0000""#)), Code::NulInString);
    assert_eq!(
        code(r#"{"t":"broadcast","room":"","data":1}"#),
        Code::NameInvalid
    );
}

#[test]
fn an_http_push_is_read() {
    let body = format!(
        r#"{{"client":"c-1","muts":[{}],"later":1}}"#,
        mutation(3, 2)
    );
    let (client, muts) = parse_http_push(&body).unwrap();
    assert_eq!((client.as_str(), muts.len(), muts[0].m), ("c-1", 1, 3));
}

#[test]
fn an_http_push_that_cannot_be_read_is_refused() {
    let code = |body: &str| parse_http_push(body).unwrap_err().code;
    assert_eq!(code(r#"{"muts":[]}"#), Code::BadMessage);
    assert_eq!(code(r#"{"client":"","muts":[]}"#), Code::NameInvalid);
    let muts: Vec<_> = (1..=257).map(|m| mutation(m, 1)).collect();
    let body = format!(r#"{{"client":"c","muts":[{}]}}"#, muts.join(","));
    assert_eq!(code(&body), Code::TooManyMutations);
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn arbitrary_text_never_panics(
        text in ".{0,40}",
        hello in mutated(HELLO),
        push in mutated(r#"{"t":"push","muts":[{"m":1,"changes":[]},{"m":2,"changes":[{"table":"t","id":"k","op":"delete"}]}]}"#),
        broadcast in mutated(r#"{"t":"broadcast","room":"r1","data":{"a":[1,"\u0041"]}}"#),
    ) {
        for text in [text, hello, push, broadcast] {
            drop((ClientMessage::parse(&text, &Limits::DEFAULT), parse_http_push(&text)));
        }
    }
}

fn parse_http_push(body: &str) -> Result<(ClientId, Vec<Mutation>), Refusal> {
    match HttpPush::parse(body, &Limits::DEFAULT)? {
        HttpPush::Numbered(push) => Ok((push.client, push.muts)),
        HttpPush::Keyed(keyed) => panic!("{keyed:?}"),
    }
}

#[test]
fn the_epoch_a_client_knew_is_read_or_left_out() {
    let epoch = Epoch(0xab);
    let of = |members: &str| hello(&hello_with(members)).epoch;
    assert_eq!(of(&format!(r#","epoch":"{epoch}""#)), Some(epoch));
    assert_eq!(of(r#","epoch":"-""#), None);
    assert_eq!(of(""), None);
    let body = format!(r#"{{"client":"c","epoch":"{epoch}","muts":[]}}"#);
    let HttpPush::Numbered(push) = HttpPush::parse(&body, &Limits::DEFAULT).unwrap() else {
        panic!("not numbered")
    };
    assert_eq!(push.epoch, Some(epoch));
}

#[test]
fn writes_under_keys_are_clients_of_their_own() {
    let body = r#"{"muts":[{"key":"a","changes":[]},{"key":"b","changes":[]}]}"#;
    let HttpPush::Keyed(keyed) = HttpPush::parse(body, &Limits::DEFAULT).unwrap() else {
        panic!("not keyed")
    };
    let clients: Vec<&str> = keyed.iter().map(|(client, _)| client.as_str()).collect();
    assert_eq!(clients, ["key:a", "key:b"]);
    assert!(keyed.iter().all(|(_, mutation)| mutation.m == 1));
    let mixed = r#"{"muts":[{"key":"a","changes":[]},{"m":1,"changes":[]}]}"#;
    assert_eq!(
        HttpPush::parse(mixed, &Limits::DEFAULT).unwrap_err().code,
        Code::BadMessage
    );
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn trace_of(said: &str) -> SaidTrace {
    let text = format!(r#"{{"t":"push","muts":[]{said}}}"#);
    let ClientMessage::Push(muts, trace) = read(&text) else {
        panic!("no push: {text}")
    };
    assert!(muts.is_empty());
    trace
}

#[test]
fn a_push_says_which_trace_it_is_part_of() {
    let said = format!(r#","traceparent":"{TRACEPARENT}""#);
    let SaidTrace::Parent(parent) = trace_of(&said) else {
        panic!("it is not read")
    };
    assert_eq!(parent.to_string(), TRACEPARENT);
    assert_eq!(trace_of(""), SaidTrace::Nothing);
}

/// Whoever traces must not keep a device from its data.
#[test]
fn a_trace_that_cannot_be_read_refuses_no_push() {
    let longer = format!(r#""{TRACEPARENT}-more""#);
    let escaped = format!(r#""\u0030{}""#, &TRACEPARENT[1..]);
    for bad in [
        "1", "[]", "{}", "true", r#""""#, r#""00""#, &longer, &escaped,
    ] {
        let trace = trace_of(&format!(r#","traceparent":{bad}"#));
        assert_eq!(trace, SaidTrace::Unreadable, "{bad}");
    }
    assert_eq!(trace_of(r#","traceparent":null"#), SaidTrace::Nothing);
}
