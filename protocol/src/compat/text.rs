//! A text as a browser may send it: JSON can name halves of characters (lone surrogates), which
//! no text here can hold. What is sent is kept readable, and that it was broken is remembered.
//! Whoever reads one has seen that it stands in well-formed JSON.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// U+FFFD in UTF-8. A half, written like a character, takes as many bytes.
const REPLACEMENT: [u8; 3] = [0xef, 0xbf, 0xbd];

/// A text of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrowserText {
    /// The text, with U+FFFD for each half of a character.
    pub(super) shown: String,
    /// Whether there was one.
    pub(super) is_broken: bool,
}

impl<'de> Deserialize<'de> for BrowserText {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_byte_buf(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = BrowserText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<BrowserText, E> {
        let mut shown = bytes.to_vec();
        let is_broken = replace_halves(&mut shown);
        let shown = String::from_utf8(shown).map_err(E::custom)?;
        Ok(BrowserText { shown, is_broken })
    }
}

/// Replaces what would encode U+D800 to U+DFFF. In UTF-8, 0xED begins a character and is followed
/// by less than 0xA0.
fn replace_halves(bytes: &mut [u8]) -> bool {
    let mut found = false;
    for at in 0..bytes.len().saturating_sub(2) {
        if let [0xed, 0xa0..=0xff, _] = bytes[at..at + 3] {
            bytes[at..at + 3].copy_from_slice(&REPLACEMENT);
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_of_a_character_is_shown_as_one_replacement() {
        for (json, shown, is_broken) in [
            (r#""a""#, "a", false),
            (
                r#""\ud83d\ude00 \ud7ff \ue000 \ufffd""#,
                "\u{1f600} \u{d7ff} \u{e000} \u{fffd}",
                false,
            ),
            (r#""\ud800""#, "\u{fffd}", true),
            (r#""a\udc00\ud800b""#, "a\u{fffd}\u{fffd}b", true),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}", true),
            (r#""\ud7ff\udfff""#, "\u{d7ff}\u{fffd}", true),
        ] {
            let read: BrowserText = serde_json::from_str(json).unwrap();
            assert_eq!(
                (read.shown.as_str(), read.is_broken),
                (shown, is_broken),
                "{json}"
            );
        }
    }

    #[test]
    fn nothing_else_is_a_text() {
        for json in ["1", "null", "[97]", "{}", r#""\u12""#] {
            assert!(serde_json::from_str::<BrowserText>(json).is_err(), "{json}");
        }
    }
}
