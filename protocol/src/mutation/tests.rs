use proptest::prelude::*;

use super::*;
use crate::samples::{cases, mutated};

const AT: &str = "2026-11-24T10:00:00.123Z";

fn parse(text: &str) -> Result<Mutation, Refusal> {
    Mutation::parse(text, &Limits::DEFAULT)
}

fn read(changes: &str) -> Mutation {
    parse(&format!(r#"{{"m":7,"changes":{changes}}}"#)).unwrap()
}

fn asked(changes: &str) -> Vec<ClaimedChange> {
    read(changes).asked.unwrap()
}

/// The code of a mutation that is rejected, under its own number.
fn code(changes: &str) -> Code {
    let mutation = read(changes);
    assert_eq!(mutation.m, 7);
    assert_eq!(mutation.change_count(), 1);
    mutation.asked.unwrap_err().code
}

fn change(members: &str) -> String {
    format!(r#"[{{"table":"tasks","id":"k1",{members}}}]"#)
}

fn update(write: &str) -> String {
    change(&format!(r#""op":"update","fields":{{"done":{write}}}"#))
}

fn insert_time(members: &str) -> Claim {
    match &asked(&change(&format!(r#""op":"insert",{members}"#)))[0].op {
        Op::Insert { at, .. } => *at,
        other => panic!("an insert is read as {other:?}"),
    }
}

fn written(write: &str) -> (String, Claim) {
    match &asked(&update(write))[0].op {
        Op::Update { fields } => (fields[0].1.as_str().to_owned(), fields[0].2),
        other => panic!("an update is read as {other:?}"),
    }
}

fn at(text: &str) -> Claim {
    Some(Hlc::parse(text).unwrap())
}

#[test]
fn the_designs_example_is_read() {
    let text = format!(
        r#"{{"m":812,"changes":[{{"table":"tasks","id":"k1","op":"update","fields":{{"done":{{"value":true,"updatedAt":"{AT}"}}}}}}]}}"#
    );
    let mutation = parse(&text).unwrap();
    let fields = vec![(FieldName::trusted("done"), Json::trusted("true"), at(AT))];
    assert_eq!(mutation.m, 812);
    assert_eq!(
        mutation.asked.unwrap(),
        [Change {
            key: crate::samples::key("k1"),
            op: Op::Update { fields }
        }]
    );
}

#[test]
fn changes_keep_their_order() {
    let list: Vec<_> = (0..3)
        .map(|n| format!(r#"{{"table":"t","id":"k{n}","op":"delete","deletedAt":"{AT}"}}"#))
        .collect();
    let ids: Vec<_> = asked(&format!("[{}]", list.join(",")))
        .iter()
        .map(|change| change.key.id.to_string())
        .collect();
    assert_eq!(ids, ["k0", "k1", "k2"]);
}

#[test]
fn no_changes_are_a_mutation() {
    assert_eq!(asked("[]"), []);
}

#[test]
fn unknown_members_are_ignored() {
    let known = change(r#""op":"delete""#);
    let more = change(r#""op":"delete","later":{"x":[1]},"seq":5"#);
    assert_eq!(asked(&known), asked(&more));
    let text = format!(r#"{{"later":[],"m":7,"changes":{known}}}"#);
    assert_eq!(parse(&text).unwrap().hash, read(&known).hash);
}

#[test]
fn a_number_is_needed() {
    for text in [
        r#"{"changes":[]}"#,
        r#"{"m":0,"changes":[]}"#,
        r#"{"m":-1,"changes":[]}"#,
        r#"{"m":1.5,"changes":[]}"#,
        r#"{"m":"1","changes":[]}"#,
        r#"{"m":null,"changes":[]}"#,
        "[]",
        "7",
        "",
    ] {
        assert_eq!(parse(text).unwrap_err().code, Code::BadMessage, "{text}");
    }
}

#[test]
fn a_number_is_taken_at_its_limit_and_refused_one_past_it() {
    let text = |m: u64| format!(r#"{{"m":{m},"changes":[]}}"#);
    assert_eq!(parse(&text((1 << 53) - 1)).unwrap().m, MUTATION_NUMBER_MAX);
    assert_eq!(parse(&text(1 << 53)).unwrap_err().code, Code::BadMessage);
}

#[test]
fn a_mutation_without_changes_keeps_its_number() {
    for text in [r#"{"m":7}"#, r#"{"m":7,"changes":null}"#] {
        let mutation = parse(text).unwrap();
        assert_eq!(mutation.m, 7);
        assert_eq!(mutation.asked.unwrap_err().code, Code::ChangeInvalid);
    }
}

#[test]
fn an_unreadable_mutation_keeps_its_number() {
    for changes in ["7", "{}", "[7]", "[[]]", "[null]", r#""text""#, "[{}]"] {
        assert_eq!(code(changes), Code::ChangeInvalid, "{changes}");
    }
}

#[test]
fn a_change_needs_table_id_and_op() {
    for members in [
        r#""id":"k1","op":"delete""#,
        r#""table":"t","op":"delete""#,
        r#""table":"t","id":"k1""#,
        r#""table":7,"id":"k1","op":"delete""#,
        r#""table":"t","id":null,"op":"delete""#,
    ] {
        assert_eq!(
            code(&format!("[{{{members}}}]")),
            Code::ChangeInvalid,
            "{members}"
        );
    }
}

#[test]
fn one_bad_change_rejects_all() {
    let text = r#"[{"table":"t","id":"k1","op":"delete"},{"table":"t","id":"","op":"delete"}]"#;
    assert_eq!(code(text), Code::NameInvalid);
}

#[test]
fn an_op_is_insert_update_or_delete() {
    for op in ["upsert", "Insert", "", "add"] {
        assert_eq!(
            code(&change(&format!(r#""op":"{op}""#))),
            Code::OpUnknown,
            "{op}"
        );
    }
}

#[test]
fn an_insert_needs_data() {
    for data in ["", r#","data":null"#, r#","data":[]"#, r#","fields":{}"#] {
        let text = change(&format!(r#""op":"insert"{data}"#));
        assert_eq!(code(&text), Code::ChangeInvalid, "{data}");
    }
}

#[test]
fn an_update_needs_fields() {
    for fields in ["", r#","fields":null"#, r#","fields":[]"#, r#","data":{}"#] {
        let text = change(&format!(r#""op":"update"{fields}"#));
        assert_eq!(code(&text), Code::ChangeInvalid, "{fields}");
    }
    for write in ["7", "null", "[]", "true"] {
        assert_eq!(code(&update(write)), Code::ChangeInvalid, "{write}");
    }
}

#[test]
fn null_is_a_value_and_absent_is_none() {
    assert_eq!(written(r#"{"value":null}"#), ("null".into(), None));
    assert_eq!(code(&update("{}")), Code::ChangeInvalid);
    assert_eq!(
        code(&update(r#"{"updatedAt":"2026-11-24T10:00:00Z"}"#)),
        Code::ChangeInvalid
    );
}

#[test]
fn values_are_canonical() {
    let (value, _) = written(r#"{"value": {"b": 1.0, "a": "\u0041"} }"#);
    assert_eq!(value, r#"{"a":"A","b":1}"#);
}

#[test]
fn reserved_field_operations_are_refused() {
    for op in ["add", "addTo", "removeFrom"] {
        let alone = update(&format!(r#"{{"{op}":1}}"#));
        let beside = update(&format!(r#"{{"value":1,"{op}":null}}"#));
        assert_eq!(code(&alone), Code::OpReserved, "{op}");
        assert_eq!(code(&beside), Code::OpReserved, "{op}");
    }
}

#[test]
fn fields_may_be_named_as_operations() {
    let text = change(r#""op":"update","fields":{"add":{"value":{"removeFrom":1}}}"#);
    assert_eq!(asked(&text).len(), 1);
}

#[test]
fn an_inserts_time_is_inserted_at_then_updated_at_then_created_at() {
    let (first, second, third) = (
        "2026-11-24T10:00:00.001Z",
        "2026-11-24T10:00:00.002Z",
        "2026-11-24T10:00:00.003Z",
    );
    let all = format!(r#""updatedAt":"{second}","createdAt":"{third}""#);
    assert_eq!(
        insert_time(&format!(r#""insertedAt":"{first}","data":{{{all}}}"#)),
        at(first)
    );
    assert_eq!(insert_time(&format!(r#""data":{{{all}}}"#)), at(second));
    assert_eq!(
        insert_time(&format!(r#""data":{{"createdAt":"{third}"}}"#)),
        at(third)
    );
    assert_eq!(insert_time(r#""data":{}"#), None);
}

#[test]
fn data_that_is_no_time_is_no_claim() {
    for value in ["7", "null", r#""soon""#, r#""2019-01-01T00:00:00Z""#, "{}"] {
        assert_eq!(
            insert_time(&format!(r#""data":{{"updatedAt":{value}}}"#)),
            None,
            "{value}"
        );
    }
}

#[test]
fn a_delete_may_leave_its_time_to_the_hub() {
    assert_eq!(
        asked(&change(r#""op":"delete""#))[0].op,
        Op::Delete { at: None }
    );
    let text = change(&format!(r#""op":"delete","deletedAt":"{AT}""#));
    assert_eq!(asked(&text)[0].op, Op::Delete { at: at(AT) });
}

#[test]
fn a_time_that_is_no_stamp_is_refused() {
    assert_eq!(
        code(&change(r#""op":"delete","deletedAt":"soon""#)),
        Code::StampInvalid
    );
    let text = change(r#""op":"insert","data":{},"insertedAt":"2019-12-31T23:59:59.999Z""#);
    assert_eq!(code(&text), Code::StampInvalid);
    for time in [r#""soon""#, "7", "-1", "1e300", "null"] {
        let write = format!(r#"{{"value":1,"updatedAt":{time}}}"#);
        assert_eq!(code(&update(&write)), Code::StampInvalid, "{time}");
    }
}

#[test]
fn names_are_taken_at_128_bytes_and_refused_at_129() {
    let longest = "n".repeat(Limits::DEFAULT.name_bytes_max);
    let (over, wide) = (
        format!("{longest}n"),
        "é".repeat(Limits::DEFAULT.name_bytes_max / 2),
    );
    let named = |table: &str, id: &str, field: &str| {
        format!(r#"[{{"table":"{table}","id":"{id}","op":"insert","data":{{"{field}":1}}}}]"#)
    };
    assert_eq!(asked(&named(&longest, &longest, &longest)).len(), 1);
    assert_eq!(asked(&named(&wide, &wide, &wide)).len(), 1);
    for names in [(&*over, "i", "f"), ("t", &*over, "f"), ("t", "i", &*over)] {
        assert_eq!(code(&named(names.0, names.1, names.2)), Code::NameInvalid);
    }
    let text = change(&format!(
        r#""op":"update","fields":{{"{over}":{{"value":1}}}}"#
    ));
    assert_eq!(code(&text), Code::NameInvalid);
}

#[test]
fn names_that_harm_are_refused() {
    for name in ["", "a\\u0001", "a\\n", "\\u007f", "\\u0085", "__proto__"] {
        let text = change(&format!(r#""op":"insert","data":{{"{name}":1}}"#));
        assert_eq!(code(&text), Code::NameInvalid, "{name}");
    }
}

#[test]
fn nul_is_refused_everywhere() {
    assert_eq!(code(&update(r#"{"value":"a\u0000"}"#)), Code::NulInString);
    assert_eq!(
        code(&update(r#"{"value":{"a\u0000":1}}"#)),
        Code::NulInString
    );
    assert_eq!(
        code(r#"[{"table":"t","id":"\u0000","op":"delete"}]"#),
        Code::NulInString
    );
}

#[test]
fn values_that_no_device_can_hold_are_refused() {
    for value in ["1e400", "9007199254740993", r#""\ud800""#] {
        let write = format!(r#"{{"value":{value}}}"#);
        assert_eq!(code(&update(&write)), Code::ValueInvalid, "{value}");
    }
}

#[test]
fn values_are_taken_at_depth_32_and_refused_at_33() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let update = |n| update(&format!(r#"{{"value":{}}}"#, nested(n)));
    let insert = |n| change(&format!(r#""op":"insert","data":{{"a":{}}}"#, nested(n)));
    assert_eq!(asked(&update(Limits::DEFAULT.json_depth_max)).len(), 1);
    assert_eq!(asked(&insert(Limits::DEFAULT.json_depth_max)).len(), 1);
    assert_eq!(
        code(&update(Limits::DEFAULT.json_depth_max + 1)),
        Code::JsonTooDeep
    );
    assert_eq!(
        code(&insert(Limits::DEFAULT.json_depth_max + 1)),
        Code::JsonTooDeep
    );
}

#[test]
fn nesting_far_past_the_limit_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        code(&update(&format!(r#"{{"value":{deep}}}"#))),
        Code::JsonTooDeep
    );
}

#[test]
fn changes_are_taken_at_5000_and_refused_at_5001() {
    let list = |n| {
        let one = r#"{"table":"t","id":"k","op":"delete"}"#;
        format!("[{}]", vec![one; n].join(","))
    };
    let most = read(&list(Limits::DEFAULT.changes_per_push_max));
    assert_eq!(most.change_count(), Limits::DEFAULT.changes_per_push_max);
    assert_eq!(
        code(&list(Limits::DEFAULT.changes_per_push_max + 1)),
        Code::TooManyChanges
    );
}

#[test]
fn fields_of_a_change_are_taken_at_1024_and_refused_at_1025() {
    let members = |n: usize, value: &str| {
        let members: Vec<_> = (0..n).map(|n| format!(r#""f{n}":{value}"#)).collect();
        members.join(",")
    };
    let insert = |n| change(&format!(r#""op":"insert","data":{{{}}}"#, members(n, "1")));
    let write = r#"{"value":1}"#;
    let update = |n| {
        change(&format!(
            r#""op":"update","fields":{{{}}}"#,
            members(n, write)
        ))
    };
    assert_eq!(asked(&insert(Limits::DEFAULT.fields_max)).len(), 1);
    assert_eq!(asked(&update(Limits::DEFAULT.fields_max)).len(), 1);
    assert_eq!(
        code(&insert(Limits::DEFAULT.fields_max + 1)),
        Code::TooManyFields
    );
    assert_eq!(
        code(&update(Limits::DEFAULT.fields_max + 1)),
        Code::TooManyFields
    );
}

#[test]
fn equal_payloads_hash_equal_whatever_their_layout() {
    let hash = |changes: &str| read(changes).hash;
    let one = hash(r#"[{"table":"t","id":"k","op":"insert","data":{"a":1,"b":"x"}}]"#);
    let other = hash(
        "[ { \"op\":\"insert\", \"data\" : {\"b\":\"\\u0078\",\"a\":1.0},\n\"id\":\"k\",\"table\":\"t\"} ]",
    );
    assert_eq!(one, other);
}

#[test]
fn another_payload_hashes_otherwise() {
    let delete = |id: &str| read(&format!(r#"[{{"table":"t","id":"{id}","op":"delete"}}]"#)).hash;
    assert_ne!(delete("a"), delete("b"));
    assert_ne!(read("[1,2]").hash, read("[2,1]").hash);
}

#[test]
fn the_hash_is_the_sha_256_of_the_canonical_changes() {
    // printf '[]' | sha256sum
    let expected = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945";
    let hash: String = read(" [ ] ")
        .hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash, expected);
}

#[test]
fn the_hash_does_not_cover_the_number() {
    let hash = |m| parse(&format!(r#"{{"m":{m},"changes":[]}}"#)).unwrap().hash;
    assert_eq!(hash(1), hash(2));
}

#[test]
fn a_rejected_payload_has_a_hash_too() {
    let broken = |value: &str| read(&update(&format!(r#"{{"value":{value}}}"#))).hash;
    assert_eq!(broken("1e400"), broken("1e400"));
    assert_ne!(broken("1e400"), broken("1e500"));
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn arbitrary_text_never_panics(
        text in ".{0,40}",
        near in mutated(
            r#"{"m":7,"changes":[{"table":"t","id":"k\u0031","op":"insert","insertedAt":"2026-11-24T10:00:00Z-00ff","data":{"a":[1,{"b":null}]}},{"table":"t","id":"k","op":"update","fields":{"a":{"value":1.5,"updatedAt":"2026-11-24T10:00:00+01:00"}}},{"table":"t","id":"k","op":"delete","deletedAt":"2026-11-24T10:00:00Z"}]}"#,
        ),
    ) {
        for text in [text, near] {
            if let Ok(mutation) = parse(&text) {
                prop_assert!((1..=MUTATION_NUMBER_MAX).contains(&mutation.m));
                prop_assert!(mutation.change_count() <= 3);
            }
        }
    }
}

#[test]
fn the_limits_are_those_given() {
    let limits = Limits {
        fields_max: 2,
        json_depth_max: 3,
        changes_per_push_max: 2,
        name_bytes_max: 200,
        ..Limits::DEFAULT
    };
    let code = |changes: &str| {
        let text = format!(r#"{{"m":1,"changes":[{changes}]}}"#);
        let asked = Mutation::parse(&text, &limits).unwrap().asked;
        asked.err().map(|refusal| refusal.code)
    };
    let insert = |id: &str, data: &str| {
        format!(r#"{{"table":"t","id":"{id}","op":"insert","data":{data}}}"#)
    };
    let (longest, over) = ("n".repeat(200), "n".repeat(201));
    let two = [insert("a", "{}"), insert("b", "{}")].join(",");
    for (changes, expected) in [
        (two.clone(), None),
        (format!("{two},{two}"), Some(Code::TooManyChanges)),
        (insert("a", r#"{"a":1,"b":1}"#), None),
        (
            insert("a", r#"{"a":1,"b":1,"c":1}"#),
            Some(Code::TooManyFields),
        ),
        (insert("a", r#"{"a":[[[]]]}"#), None),
        (insert("a", r#"{"a":[[[[]]]]}"#), Some(Code::JsonTooDeep)),
        (insert(&longest, "{}"), None),
        (insert(&over, "{}"), Some(Code::NameInvalid)),
        (insert("a", &format!(r#"{{"{longest}":1}}"#)), None),
        (
            insert("a", &format!(r#"{{"{over}":1}}"#)),
            Some(Code::NameInvalid),
        ),
    ] {
        assert_eq!(code(&changes), expected, "{changes}");
    }
}

#[test]
fn the_deepest_nesting_an_operator_may_allow_can_be_read() {
    let limits = Limits {
        json_depth_max: crate::limits::JSON_DEPTH_CEILING,
        ..Limits::DEFAULT
    };
    let update = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let fields = format!(r#"{{"a":{{"value":{value}}}}}"#);
        format!(r#"{{"m":1,"changes":[{{"table":"t","id":"k","op":"update","fields":{fields}}}]}}"#)
    };
    let code = |depth| {
        let asked = Mutation::parse(&update(depth), &limits).unwrap().asked;
        asked.err().map(|refusal| refusal.code)
    };
    assert_eq!(code(limits.json_depth_max), None);
    assert_eq!(code(limits.json_depth_max + 1), Some(Code::JsonTooDeep));
    assert_eq!(code(100_000), Some(Code::JsonTooDeep));
}
