//! What a change is about, whatever else it holds.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::text::BrowserText;

/// What a change is about. It is read whatever else the change holds, so that the change can be
/// named when it is set aside.
#[derive(Default)]
pub(super) struct RawHead<'a> {
    pub(super) table: Option<BrowserText>,
    pub(super) id: Option<BrowserText>,
    pub(super) op: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawHead<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_map(HeadReader)
    }
}

struct HeadReader;

impl<'de> Visitor<'de> for HeadReader {
    type Value = RawHead<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawHead<'de>, A::Error> {
        let mut head = RawHead::default();
        let twice = |name| Err(A::Error::duplicate_field(name));
        // A name may hold half a character, as a value may.
        while let Some(name) = members.next_key::<BrowserText>()? {
            match name.shown.as_str() {
                "table" if head.table.is_some() => return twice("table"),
                "table" => head.table = members.next_value()?,
                "id" if head.id.is_some() => return twice("id"),
                "id" => head.id = members.next_value()?,
                "op" if head.op.is_some() => return twice("op"),
                "op" => {
                    let op: Option<Text<'de>> = members.next_value()?;
                    head.op = op.map(|Text(op)| op);
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(head)
    }
}

/// A text, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
