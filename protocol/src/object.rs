//! Objects on the wire, and nothing else. A derived reader also takes a list for an object, its
//! members by position: what a client never meant would be read as something.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A `T` that was written as an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

/// Reads a text that is one object. Errors: those of the parser, with the place.
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).map(|Object(read)| read)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_map(Reader(PhantomData)).map(Object)
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point<'a> {
        x: u8,
        #[serde(borrow)]
        name: Option<&'a str>,
    }

    #[test]
    fn an_object_is_read_and_its_texts_are_borrowed() {
        let point = from_str::<Point<'_>>(r#"{"name":"a","x":1,"y":2}"#).unwrap();
        let name = Some("a");
        assert_eq!(point, Point { x: 1, name });
    }

    #[test]
    fn raw_members_stay_as_they_stand() {
        #[derive(Deserialize)]
        struct Raw<'a> {
            #[serde(borrow)]
            inner: Vec<&'a RawValue>,
        }
        let raw = from_str::<Raw<'_>>(r#"{"inner":[ 1e400 , {"a" : 1}]}"#).unwrap();
        let texts: Vec<&str> = raw.inner.iter().map(|text| text.get()).collect();
        assert_eq!(texts, ["1e400", r#"{"a" : 1}"#]);
    }

    #[test]
    fn nothing_else_is_taken_for_an_object() {
        for text in [r#"[1,"a"]"#, "[]", "null", "1", r#""x""#, "", "{", "{} {}"] {
            assert!(from_str::<Point<'_>>(text).is_err(), "{text}");
        }
        let list = serde_json::from_str::<Vec<Object<Point<'_>>>>(r#"[[1,"a"]]"#);
        assert!(list.unwrap_err().to_string().contains("expected an object"));
    }
}
