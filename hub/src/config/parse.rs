//! How single values are read: lists that the environment can hold too, and text parsed by a
//! function of the value's own type.

use std::fmt::Display;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    /// `a, b`, as an environment variable holds a list.
    One(String),
    Many(Vec<String>),
}

/// A list, or its items in one text with commas between them. Errors name the item.
pub(super) fn list<'de, D, T, E>(
    from: D,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    E: Display,
{
    let items = match OneOrMany::deserialize(from)? {
        OneOrMany::Many(items) => items,
        OneOrMany::One(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    items
        .iter()
        .map(|item| parse(item).map_err(|why| Error::custom(format!("{item:?}: {why}"))))
        .collect()
}

/// One text, parsed. Errors are those of `parse`.
pub(super) fn text<'de, D, T, E>(
    from: D,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Display,
{
    parse(&String::deserialize(from)?).map_err(Error::custom)
}
