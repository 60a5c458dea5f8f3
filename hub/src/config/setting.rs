//! What the sources set, before it is a [`super::Config`]: tables of values that are still as
//! their source has them.
//!
//! A value of a file has its type and no other is taken for it. A variable is text, and is read as
//! what its key asks for. Nothing is converted beyond that.

use std::collections::BTreeMap;

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Names and what they are set to.
pub(super) type Table = BTreeMap<String, Setting>;

/// One thing that is set.
#[derive(Clone, Debug)]
pub(super) enum Setting {
    /// Others, by name.
    Table(Table),
    /// A value of a file, of its own type.
    Typed(toml::Value),
    /// A variable's text.
    Text(String),
}

/// The tables of a file.
pub(super) fn of_file(table: toml::Table) -> Table {
    let setting = |value| match value {
        toml::Value::Table(inner) => Setting::Table(of_file(inner)),
        value => Setting::Typed(value),
    };
    table
        .into_iter()
        .map(|(name, value)| (name, setting(value)))
        .collect()
}

/// A table that holds one setting at a path.
pub(super) fn alone(path: &[String], setting: Setting) -> Table {
    let (last, outer) = path.split_last().expect("a setting has a name");
    let innermost = Table::from([(last.clone(), setting)]);
    let around = |inner, name: &String| Table::from([(name.clone(), Setting::Table(inner))]);
    outer.iter().rev().fold(innermost, around)
}

/// Every setting that is no table, or an empty one, with its path.
pub(super) fn leaves(table: &Table) -> Vec<(Vec<String>, Setting)> {
    let mut found = Vec::new();
    for (name, setting) in table {
        match setting {
            Setting::Table(inner) if !inner.is_empty() => {
                let inner = leaves(inner).into_iter().map(|(mut path, setting)| {
                    path.insert(0, name.clone());
                    (path, setting)
                });
                found.extend(inner);
            }
            setting => found.push((vec![name.clone()], setting.clone())),
        }
    }
    found
}

/// Lays `over` on `table`: of what both set, `over` counts.
pub(super) fn lay(table: &mut Table, over: Table) {
    for (name, setting) in over {
        match (table.get_mut(&name), setting) {
            (Some(Setting::Table(under)), Setting::Table(over)) => lay(under, over),
            (_, setting) => drop(table.insert(name, setting)),
        }
    }
}

/// A table as what is deserialized.
pub(super) fn deserializer(
    table: Table,
) -> MapDeserializer<'static, impl Iterator<Item = (String, Setting)>, Error> {
    MapDeserializer::new(table.into_iter())
}

impl IntoDeserializer<'_, Error> for Setting {
    type Deserializer = Setting;

    fn into_deserializer(self) -> Setting {
        self
    }
}

/// A variable's text, read as a number. Digits only.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let read = is_digits.then(|| text.parse().ok()).flatten();
    read.ok_or_else(|| Error::custom(format!("{text:?} is no whole number that fits")))
}

fn boolean(text: &str) -> Result<bool, Error> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::custom(format!("{text:?} is neither true nor false"))),
    }
}

/// The items of a variable that holds a list.
fn items(text: &str) -> Result<Vec<Setting>, Error> {
    let is_quoted = |item: &str| item.trim_start().starts_with(['[', '"', '\'']);
    if text.split(',').any(is_quoted) {
        let how = "a variable holds a list as a, b, c, without brackets and quotes";
        return Err(Error::custom(how));
    }
    let item = |item: &str| Setting::Text(item.trim().to_owned());
    Ok(text.split(',').map(item).collect())
}

fn of_toml(error: &toml::de::Error) -> Error {
    Error::custom(error.message())
}

/// Reads a variable's text as what is asked for; a value of a file is what it is.
macro_rules! read_text {
    ($($method:ident: $read:expr => $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Setting::Text(text) => visitor.$visit($read(&text)?),
                other => other.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Setting {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Setting::Table(table) => visitor.visit_map(deserializer(table)),
            Setting::Typed(value) => value.deserialize_any(visitor).map_err(|e| of_toml(&e)),
            Setting::Text(text) => visitor.visit_string(text),
        }
    }

    read_text! {
        deserialize_bool: boolean => visit_bool;
        deserialize_u8: number::<u64> => visit_u64;
        deserialize_u16: number::<u64> => visit_u64;
        deserialize_u32: number::<u64> => visit_u64;
        deserialize_u64: number::<u64> => visit_u64;
        deserialize_i8: number::<i64> => visit_i64;
        deserialize_i16: number::<i64> => visit_i64;
        deserialize_i32: number::<i64> => visit_i64;
        deserialize_i64: number::<i64> => visit_i64;
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Setting::Text(text) => {
                visitor.visit_seq(SeqDeserializer::new(items(&text)?.into_iter()))
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Only of a table: a list would be read by position.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Setting::Table(table) => visitor.visit_map(deserializer(table)),
            _ => Err(Error::custom("is a table of settings, not one value")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Setting::Typed(toml::Value::String(text)) | Setting::Text(text) => {
                visitor.visit_enum(text.into_deserializer())
            }
            _ => {
                let names: Vec<_> = variants.iter().map(|name| format!("{name:?}")).collect();
                let why = format!("must be one of {}", names.join(", "));
                Err(Error::custom(why))
            }
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        identifier ignored_any
    }
}
