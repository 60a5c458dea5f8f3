//! Reading a template, and putting values into it.

use std::collections::BTreeMap;

use super::TEMPLATE_BYTES_MAX;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Value(String),
}

impl Part {
    /// What it stands for. A value is made plain: one line, no control characters, and none that turn
    /// the direction of what follows.
    pub(super) fn text(&self, values: &BTreeMap<&str, String>) -> String {
        match self {
            Part::Text(text) => text.clone(),
            Part::Value(name) => values
                .get(name.as_str())
                .map(|value| plain(value))
                .unwrap_or_default(),
        }
    }
}

/// A text as one line of what is seen.
pub(crate) fn plain(value: &str) -> String {
    let words: Vec<&str> = value.split_whitespace().collect();
    words.join(" ").replace(is_hidden, "")
}

/// Characters that are not seen and change what is: controls, and marks of direction that reach
/// beyond the text they stand in.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Reads a template that may use these values. Errors: what is wrong.
pub(super) fn parsed(text: &str, names: &[&str]) -> Result<Vec<Part>, String> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(format!("at most {TEMPLATE_BYTES_MAX} bytes"));
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if let Some(doubled) = after.strip_prefix(brace) {
            plain.push_str(brace);
            rest = doubled;
            continue;
        }
        let value = after.split_once('}').filter(|_| brace == "{");
        let Some((name, following)) = value else {
            return Err(format!("a {brace} alone; a brace is written twice"));
        };
        if !names.contains(&name) {
            return Err(format!("there is no {{{name}}}, only {}", names.join(", ")));
        }
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Value(name.to_owned()));
        rest = following;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}
