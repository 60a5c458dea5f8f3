//! How single values are read: lists, texts parsed by a function of the value's own type, and
//! texts that may not be shown.

use std::fmt::Display;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A list of texts, each parsed. Errors name the item.
pub(super) fn list<'de, D, T, E>(
    from: D,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    E: Display,
{
    Vec::<String>::deserialize(from)?
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

/// One text that is secret: what is there instead is not told.
pub(crate) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map_err(|_| Error::custom("must be a text in quotes"))
}
