//! How a configuration is shown: TOML, a line a key, without secrets. What is not shown is a
//! comment: what is shown may be read again, and nothing of it is a value that nobody chose.

use std::fmt::Display;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// In place of a secret that is set, or behind what may be shown of it.
pub(super) const HIDDEN: &str = "(set, not shown)";

/// Every key of what serializes as tables in tables, in order of name.
pub(super) fn lines(config: &impl Serialize) -> String {
    let value = serde_json::to_value(config).expect("plain data");
    let mut out = String::new();
    write(&mut out, "", &value);
    out
}

fn write(out: &mut String, key: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if key.is_empty() { "" } else { "." };
                write(out, &format!("{key}{dot}{}", bare(name)), value);
            }
        }
        Value::String(text) if text.ends_with(HIDDEN) => {
            out.push_str(&format!("# {key}: {text}\n"));
        }
        Value::Null => out.push_str(&format!("# {key} is not set\n")),
        value => out.push_str(&format!("{key} = {}\n", inline(value))),
    }
}

/// A name as TOML has it before `=`.
fn bare(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => name.to_owned(),
        false => inline(&Value::from(name)),
    }
}

/// A value on one line. Strings and numbers are written in TOML as they are in JSON, but for the one
/// control character that JSON leaves as it is. What is not set is left out, as TOML has no null.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: Vec<String> = members
                .map(|(name, value)| format!("{} = {}", bare(name), inline(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        value => value.to_string().replace('\u{7f}', "\\u007F"),
    }
}

/// A value by its text.
pub(super) fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// A value by its text, if it is set.
pub(super) fn maybe<T: Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// Values by their texts.
pub(super) fn list<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

/// Only whether it is set.
pub(super) fn secret<T, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(_) => to.serialize_str(HIDDEN),
        None => to.serialize_none(),
    }
}
