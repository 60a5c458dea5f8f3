//! The environment's variables: which are ours, and which keys they set.

use std::ffi::{OsStr, OsString};

use super::setting::{Setting, Table, alone, lay};

/// Before every variable of ours.
pub const ENV_PREFIX: &str = "HUB__";

/// The variable that sets a key: `auth.jwks_url` is `HUB__AUTH__JWKS_URL`.
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// What a variable of ours sets.
#[derive(Debug)]
pub(super) struct Variable {
    /// As it is spelled.
    pub(super) name: String,
    /// The names of the tables, then of the key.
    pub(super) path: Vec<String>,
    /// Its value.
    pub(super) text: String,
}

impl Variable {
    /// A table with what it sets.
    pub(super) fn alone(&self) -> Table {
        alone(&self.path, Setting::Text(self.text.clone()))
    }
}

/// Our variables among all of them; an empty one counts as not set. Errors: a sentence for each
/// that cannot be meant so, with its name first.
pub(super) fn ours(env: &[(OsString, OsString)]) -> Result<Vec<Variable>, Vec<String>> {
    let (mut ours, mut wrong) = (Vec::new(), Vec::new());
    for (name, value) in env {
        if value.is_empty() || !is_ours(name) {
            continue;
        }
        match read(name, value) {
            Ok(variable) => ours.push(variable),
            Err(why) => wrong.push(format!("{}: {why}", name.to_string_lossy())),
        }
    }
    if wrong.is_empty() {
        Ok(ours)
    } else {
        Err(wrong)
    }
}

/// All that they set. Where two set the same, the last counts.
pub(super) fn table(variables: &[Variable]) -> Table {
    let mut all = Table::new();
    for variable in variables {
        lay(&mut all, variable.alone());
    }
    all
}

/// A spelling in small letters is ours too: it was meant to set something.
fn is_ours(name: &OsStr) -> bool {
    let head = name.as_encoded_bytes().get(..ENV_PREFIX.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(ENV_PREFIX.as_bytes()))
}

fn read(name: &OsStr, value: &OsStr) -> Result<Variable, String> {
    let Some(spelled) = name.to_str() else {
        return Err("is no UTF-8".into());
    };
    // Two spellings would be two values of one key.
    let capitals = spelled.to_uppercase();
    if capitals != spelled {
        return Err(format!("is written {capitals}"));
    }
    let path: Vec<String> = spelled[ENV_PREFIX.len()..]
        .split("__")
        .map(str::to_lowercase)
        .collect();
    if path.iter().any(String::is_empty) {
        let example = variable("auth.jwks_url");
        return Err(format!("names no key; auth.jwks_url is {example}"));
    }
    let Some(text) = value.to_str() else {
        return Err("its value is no UTF-8".into());
    };
    Ok(Variable {
        name: spelled.to_owned(),
        path,
        text: text.to_owned(),
    })
}
