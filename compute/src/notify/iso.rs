//! Milliseconds as the texts that records hold, such as `2026-11-24T10:00:00.000Z`.

use serde::{Deserialize, Deserializer, Serializer, de};
use syncline_protocol::stamp::{Hlc, WallMs, wall_text};

pub(super) fn serialize<S: Serializer>(ms: &WallMs, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&wall_text(*ms))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallMs, D::Error> {
    let text = String::deserialize(from)?;
    let read = Hlc::parse(&text).map(Hlc::wall_ms);
    read.map_err(|refusal| de::Error::custom(refusal.message))
}
