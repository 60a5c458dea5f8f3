use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::limits::Limits;
use crate::samples::{cases, json_values, mutated};

fn canon(text: &str) -> String {
    canonical(text, Limits::DEFAULT.json_depth_max).unwrap()
}

fn code(text: &str) -> Code {
    canonical(text, Limits::DEFAULT.json_depth_max)
        .unwrap_err()
        .code
}

#[test]
fn rfc_8785_example_is_reproduced() {
    // RFC 8785, section 3.2.2 and 3.2.3.
    let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
        "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
    let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(canon(text), expected);
}

#[test]
fn members_are_sorted_by_utf16_code_units() {
    // RFC 8785, section 3.2.3: U+1F600 (surrogates D83D…) sorts before U+FB33.
    assert_eq!(
        canon("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\u{20ac}\":3,\"1\":4,\"\\r\":5}"),
        "{\"\\r\":5,\"1\":4,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"
    );
}

#[test]
fn the_last_of_equal_names_is_kept() {
    assert_eq!(canon(r#"{"b":1,"a":2,"b":3}"#), r#"{"a":2,"b":3}"#);
    assert_eq!(canon(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
}

#[test]
fn equal_numbers_have_one_text() {
    for text in ["1", "1.0", "1e0", "10e-1"] {
        assert_eq!(canon(text), "1");
    }
    assert_eq!(canon("-0"), "0");
    assert_eq!(canon("-0.0"), "0");
}

#[test]
fn an_integer_is_kept_exactly_or_refused() {
    assert_eq!(canon("9007199254740992"), "9007199254740992");
    assert_eq!(code("9007199254740993"), Code::ValueInvalid);
    assert_eq!(canon("-9007199254740992"), "-9007199254740992");
    assert_eq!(code("-9007199254740993"), Code::ValueInvalid);
    // What a browser writes for 2**63 and for 12345678901234567890.
    assert_eq!(canon("9223372036854776000"), "9223372036854776000");
    assert_eq!(canon("12345678901234567000"), "12345678901234567000");
    assert_eq!(code("12345678901234567891"), Code::ValueInvalid);
}

#[test]
fn an_integer_past_64_bits_is_kept_or_refused_by_the_same_rule() {
    for refused in [
        "123456789012345678901234567890",
        "-123456789012345678901234567890",
        "18446744073709551617",
        "-9223372036854775809",
        r#"{"a":["1\"",123456789012345678901234567890]}"#,
    ] {
        assert_eq!(code(refused), Code::ValueInvalid, "{refused}");
    }
    // As a browser would write them out.
    assert_eq!(canon("123456789012345680000"), "123456789012345680000");
    assert_eq!(canon("-18446744073709552000"), "-18446744073709552000");
    assert_eq!(canon("1000000000000000000000000"), "1e+24");
    // No integers: written with fraction or exponent, or inside a string.
    assert_eq!(
        canon("123456789012345678901234567890.0"),
        "1.2345678901234568e+29"
    );
    assert_eq!(canon("1.5e29"), "1.5e+29");
    let text = r#"["\\","123456789012345678901234567890",1e29]"#;
    assert_eq!(
        canon(text),
        r#"["\\","123456789012345678901234567890",1e+29]"#
    );
}

#[test]
fn what_no_double_holds_is_refused() {
    assert_eq!(code("1e400"), Code::ValueInvalid);
    assert_eq!(canon("1e308"), "1e+308");
    assert_eq!(code("NaN"), Code::ValueInvalid);
}

#[test]
fn nul_is_refused_in_strings_and_names() {
    assert_eq!(code(r#"{"a":["x\u0000"]}"#), Code::NulInString);
    assert_eq!(code(r#"{"a\u0000":1}"#), Code::NulInString);
}

#[test]
fn lone_surrogates_are_refused() {
    assert_eq!(code(r#""\ud800""#), Code::ValueInvalid);
}

#[test]
fn nesting_is_taken_at_the_limit_and_refused_one_past_it() {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(canon(&nested(32)), nested(32));
    assert_eq!(code(&nested(33)), Code::JsonTooDeep);
    assert_eq!(depth(&nested(32)), 32);
    assert_eq!(depth(r#"{"a]":[{"b":"\"[["}]}"#), 3);
    assert_eq!(depth("\"[[\""), 0);
}

#[test]
fn trailing_text_is_refused() {
    assert_eq!(code("1 2"), Code::ValueInvalid);
    assert_eq!(code(""), Code::ValueInvalid);
}

fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(n) => Value::from(n.as_f64().unwrap() + 0.0),
        Value::Array(items) => items.iter().map(as_doubles).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), as_doubles(value)))
            .collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_canonical_text_is_the_same_value(value in json_values()) {
        let text = canon(&value.to_string());
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(as_doubles(&read), as_doubles(&value));
    }

    #[test]
    fn the_canonical_text_is_its_own(value in json_values()) {
        let text = canon(&value.to_string());
        prop_assert_eq!(canon(&text), text);
    }

    #[test]
    fn layout_does_not_matter(value in json_values()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(canon(&pretty), canon(&value.to_string()));
    }

    #[test]
    fn depth_is_what_canonical_counts(value in json_values()) {
        let text = canon(&value.to_string());
        let depth = depth(&text);
        prop_assert!(canonical(&text, depth).is_ok());
        if let Some(less) = depth.checked_sub(1) {
            prop_assert_eq!(canonical(&text, less).unwrap_err().code, Code::JsonTooDeep);
        }
    }

    #[test]
    fn a_double_is_read_back_to_the_bit(n in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let text = canon(&format!("{n:e}"));
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), (n + 0.0).to_bits());
    }

    #[test]
    fn arbitrary_text_never_panics(
        text in ".{0,40}",
        near in mutated(r#"{"b":[1,2.5e3,"x\u0041\n"],"a":{"c":null,"d":[true,-0]}}"#),
    ) {
        for text in [text, near] {
            if let Ok(canonical) = canonical(&text, Limits::DEFAULT.json_depth_max) {
                prop_assert_eq!(canon(&canonical), canonical);
            }
        }
    }

    #[test]
    fn the_order_of_names_is_that_of_their_utf16(a in "\\PC{0,4}", b in "\\PC{0,4}") {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        prop_assert_eq!(utf16_cmp(&a, &b), units(&a).cmp(&units(&b)));
    }
}
