//! Milliseconds as the texts that records hold, such as `2026-11-24T10:00:00.000Z`.

use serde::{Deserialize, Deserializer, Serializer, de};
use syncline_protocol::stamp::{Hlc, WallMs, wall_text};

/// The same of what may not be there.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, Serializer, WallMs, read};

    pub(in crate::notify) fn serialize<S: Serializer>(
        ms: &Option<WallMs>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => super::serialize(ms, to),
            None => to.serialize_none(),
        }
    }

    pub(in crate::notify) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<WallMs>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| read(&text)).transpose()
    }
}

pub(super) fn serialize<S: Serializer>(ms: &WallMs, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&wall_text(*ms))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallMs, D::Error> {
    read(&String::deserialize(from)?)
}

fn read<E: de::Error>(text: &str) -> Result<WallMs, E> {
    let read = Hlc::parse(text).map(Hlc::wall_ms);
    read.map_err(|refusal| E::custom(refusal.message))
}
