//! A record in two parts, for stores that people read with SQL: the values as one JSON object,
//! and everything else in the binary form. Nothing is stored twice, and no value is rewritten.

use super::{DecodeError, RecordV1, decode_record, encode_versioned, record_v1};
use crate::delta::write_data;
use crate::json::{self, Json};
use crate::record::Record;

/// A record at rest, in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Stamps, seqs and names: [`encode_record`](super::encode_record) with empty values.
    pub state: Vec<u8>,
    /// The values under their names, as canonical JSON. It may be read as JSON by anybody.
    pub values: String,
}

/// A record at rest, its values apart.
pub fn encode_split(record: &Record) -> Split {
    let mut bare: RecordV1<'_> = record_v1(record);
    for field in &mut bare.fields {
        field.value = "";
    }
    let mut values = String::with_capacity(record.size_bytes());
    write_data(&mut values, record);
    Split {
        state: encode_versioned(&bare),
        values,
    }
}

/// Reads [`encode_split`]. Errors: also if the parts do not fit each other.
pub fn decode_split(state: &[u8], values: &str) -> Result<Record, DecodeError> {
    let mut record = decode_record(state)?;
    let apart = || DecodeError::Damaged("its values are of another record".to_owned());
    let mut rest = values.strip_prefix('{').ok_or_else(apart)?;
    let mut name = String::new();
    for (at, field) in record.fields.iter_mut().enumerate() {
        name.clear();
        if at > 0 {
            name.push(',');
        }
        json::push_string(&mut name, field.name.as_str());
        name.push(':');
        let after_name = rest.strip_prefix(name.as_str()).ok_or_else(apart)?;
        let (value, after) = json::split_value(after_name);
        if value.is_empty() {
            return Err(apart());
        }
        field.value = Json::trusted(value);
        rest = after;
    }
    if rest == "}" {
        Ok(record)
    } else {
        Err(apart())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Seq;
    use crate::samples::{at, cases, delete, histories, insert, update};

    fn survives(record: &Record) {
        let split = encode_split(record);
        assert_eq!(decode_split(&split.state, &split.values).unwrap(), *record);
        let json = serde_json::from_str::<serde_json::Value>(&split.values).unwrap();
        assert!(json.is_object());
    }

    #[test]
    fn records_survive_whatever_their_names_and_values_hold() {
        let data = [
            ("", "1"),
            ("\"", "\"a\\\"b\\\\\""),
            ("\u{1f}", "[1,{\"]\":\"}\"},[]]"),
            ("a,b:c", "{\"x\":{\"y\":[\"{\"]}}"),
            ("n", "null"),
            ("t", "1.5e+300"),
            ("\u{e9}", "\"\\u0000\u{e9}\""),
        ];
        let mut record = Record::default();
        survives(&record);
        record.merge(&delete(at(1, 7)), Seq(1));
        for (name, value) in data {
            record.merge(&update(at(5, 1), name, value), Seq(2));
        }
        survives(&record);
        record.merge(&insert(at(9, 1), &[("z", "true")]), Seq(3));
        survives(&record);
    }

    #[test]
    fn parts_that_do_not_fit_are_damaged() {
        let record = |fields: &[(&str, &str)]| {
            let mut record = Record::default();
            record.merge(&insert(at(1, 1), fields), Seq(1));
            record
        };
        let state = encode_split(&record(&[("a", "1"), ("b", "2")])).state;
        assert!(decode_split(&state, r#"{"a":1,"b":2}"#).is_ok());
        for values in [
            "",
            "{}",
            r#"{"a":1}"#,
            r#"{"a":1,"c":2}"#,
            r#"{"b":2,"a":1}"#,
            r#"{"a":1,"b":2"#,
            r#"{"a":1,"b":}"#,
            r#"{"a":1,"b":2}}"#,
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a": 1,"b":2} "#,
            r#"{"a":"1,"b":2}"#,
        ] {
            assert!(decode_split(&state, values).is_err(), "{values}");
        }
    }

    proptest! {
        #![proptest_config(cases(300))]

        #[test]
        fn any_record_survives(history in histories()) {
            let mut record = Record::default();
            for (at, change) in history.iter().enumerate() {
                record.merge(change, Seq(at as u64));
            }
            let split = encode_split(&record);
            prop_assert_eq!(decode_split(&split.state, &split.values).unwrap(), record);
        }

        #[test]
        fn arbitrary_values_never_panic(values in ".{0,64}") {
            let mut record = Record::default();
            record.merge(&insert(at(1, 1), &[("a", "1")]), Seq(1));
            let _ = decode_split(&encode_split(&record).state, &values);
        }
    }
}
