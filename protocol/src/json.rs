//! Values as canonical JSON text (RFC 8785).
//!
//! A value is kept as the text that every device would write for it, so equality is equality
//! of bytes, the tie rule of the merge is a comparison of bytes, and sending it is a copy.
//! Numbers are IEEE doubles, as in every browser. An integer (without fraction or exponent) that
//! a double cannot carry is refused rather than rounded, whatever its length; a decimal is
//! rounded as every parser does.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::error::{Code, Refusal};
use crate::out::Out;

/// Integers up to this magnitude are exact in a double: 2^53.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Integers from this magnitude on may come from the parser as doubles: 2^63.
const INTEGERS_READ_MAX: f64 = 9_223_372_036_854_775_808.0;

const TOO_MANY_DIGITS: &str = "an integer has more digits than a double holds; send it as a string";

/// A JSON value in canonical form. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Reads any JSON text. `depth_max` bounds the nesting of arrays and objects (0 allows
    /// scalars only). Errors: `value_invalid`, `nul_in_string`, `json_too_deep`.
    pub fn parse(text: &str, depth_max: usize) -> Result<Json, Refusal> {
        canonical(text, depth_max).map(|text| Json(text.into()))
    }

    /// Takes a text that is canonical already, such as a part of one.
    pub fn trusted(text: &str) -> Json {
        Json(text.into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rewrites a JSON text in canonical form: no white space, members sorted by UTF-16 code
/// units, the last of equal names kept, numbers and strings as ECMAScript writes them.
pub fn canonical(text: &str, depth_max: usize) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let (mut refusal, mut large) = (None, false);
    let mut source = serde_json::Deserializer::from_str(text);
    let writer = Writer {
        out: &mut out,
        refusal: &mut refusal,
        large: &mut large,
        depth_left: depth_max,
    };
    let read = writer.deserialize(&mut source).and_then(|()| source.end());
    match (refusal, read) {
        (Some(refusal), _) => Err(refusal),
        (None, Ok(())) if large && !numbers(text).all(is_carried) => {
            Err(Refusal::new(Code::ValueInvalid, TOO_MANY_DIGITS))
        }
        (None, Err(error)) => Err(Refusal::new(
            Code::ValueInvalid,
            format!("not JSON: {error}"),
        )),
        (None, Ok(())) => Ok(out),
    }
}

/// The numbers of a valid JSON text, as they are written.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let (mut in_string, mut escaped) = (false, false);
    let of_number = move |c: char| {
        let here = !in_string && matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        !here
    };
    let tokens = text.split(of_number);
    tokens.filter(|token| token.ends_with(|c: char| c.is_ascii_digit()))
}

/// Whether a number that is an integer has the digits that ECMAScript would write for its
/// double, all of them written out. Decimals are rounded, so they pass.
fn is_carried(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let Ok(double) = digits.parse::<f64>() else {
        return false;
    };
    let shortest = format!("{double:e}");
    let significant = shortest.split('e').next().unwrap_or_default();
    let significant: String = significant.chars().filter(char::is_ascii_digit).collect();
    digits.trim_end_matches('0') == significant.trim_end_matches('0')
}

/// How deep the arrays and objects of a valid JSON text are nested; 0 for a scalar.
pub fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    if !text.starts_with(['[', '{']) {
        return 0;
    }
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Splits a text after the JSON value it begins with, which must be canonical: up to the comma or
/// bracket that is not the value's own, or to the end. The value may be empty.
pub(crate) fn split_value(text: &str) -> (&str, &str) {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' if depth == 0 => return text.split_at(at),
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    (text, "")
}

/// Appends a string as a JSON string literal in canonical form.
pub fn push_string(out: &mut impl Out, text: &str) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[clean_from..at]);
        clean_from = at + 1;
        if escape.is_empty() {
            out.push_str(&format!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

/// Writes what it visits in canonical form; a refusal with its code is left in `refusal`.
struct Writer<'a> {
    out: &'a mut String,
    refusal: &'a mut Option<Refusal>,
    /// A number past 64 bits was read: whether it was written as an integer, only the text tells.
    large: &'a mut bool,
    depth_left: usize,
}

impl Writer<'_> {
    fn refuse<E: serde::de::Error>(self, code: Code, why: &str) -> E {
        *self.refusal = Some(Refusal::new(code, why));
        E::custom(why)
    }

    fn inner(&mut self) -> Writer<'_> {
        Writer {
            out: self.out,
            refusal: self.refusal,
            large: self.large,
            depth_left: self.depth_left - 1,
        }
    }

    fn too_deep<E: serde::de::Error>(self) -> E {
        self.refuse(Code::JsonTooDeep, "a value is nested too deep")
    }

    fn integer<E: serde::de::Error>(self, negative: bool, magnitude: u64) -> Result<(), E> {
        let mut digits = String::with_capacity(20);
        if negative {
            digits.push('-');
        }
        digits.push_str(&magnitude.to_string());
        if magnitude > EXACT_INTEGER_MAX {
            let value = if negative {
                -(magnitude as f64)
            } else {
                magnitude as f64
            };
            if ryu_js::Buffer::new().format_finite(value) != digits {
                return Err(self.refuse(Code::ValueInvalid, TOO_MANY_DIGITS));
            }
        }
        self.out.push_str(&digits);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(false, value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(value < 0, value.unsigned_abs())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(self.refuse(Code::ValueInvalid, "a number is out of a double's range"));
        }
        *self.large |= value.abs() >= INTEGERS_READ_MAX;
        self.out
            .push_str(ryu_js::Buffer::new().format_finite(value));
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        if value.contains('\0') {
            return Err(self.refuse(Code::NulInString, "a string holds NUL"));
        }
        push_string(self.out, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        if self.depth_left == 0 {
            return Err(self.too_deep());
        }
        self.out.push('[');
        let first = self.out.len();
        loop {
            let before = self.out.len();
            if before > first {
                self.out.push(',');
            }
            if items.next_element_seed(self.inner())?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        if self.depth_left == 0 {
            return Err(self.too_deep());
        }
        self.out.push('{');
        let first = self.out.len();
        let mut written: Vec<(String, std::ops::Range<usize>)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if name.contains('\0') {
                return Err(self.refuse(Code::NulInString, "a member name holds NUL"));
            }
            if !written.is_empty() {
                self.out.push(',');
            }
            let start = self.out.len();
            push_string(self.out, &name);
            self.out.push(':');
            members.next_value_seed(self.inner())?;
            written.push((name, start..self.out.len()));
        }
        if !written.is_sorted_by(|a, b| utf16_cmp(&a.0, &b.0).is_lt()) {
            sort_members(self.out, first, written);
        }
        self.out.push('}');
        Ok(())
    }
}

/// Rewrites the members written from `first` on in order, of equal names the last.
fn sort_members(
    out: &mut String,
    first: usize,
    mut written: Vec<(String, std::ops::Range<usize>)>,
) {
    written.reverse();
    written.sort_by(|a, b| utf16_cmp(&a.0, &b.0));
    written.dedup_by(|later, first| later.0 == first.0);
    let unsorted = out[first..].to_owned();
    out.truncate(first);
    for (at, (_, range)) in written.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&unsorted[range.start - first..range.end - first]);
    }
}

/// The order of members in canonical JSON. It differs from the order of bytes only between
/// U+E000 to U+FFFF and what is past them.
pub(crate) fn utf16_cmp(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

#[cfg(test)]
mod tests;
