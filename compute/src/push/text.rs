//! Bytes as the text of base64url, which keys and tokens of Web Push are written in.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode::Indifferent;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};

const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_padding_mode(Indifferent));

/// Without padding.
pub(super) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// With padding or without, in the alphabet of either base64: browsers give buffers, which apps
/// encode with what is at hand. `None`: it is neither.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('+', "-").replace('/', "_");
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_with_padding_or_without() {
        let bytes = [0xfb, 0xff, 0xbf, 1];
        for text in ["-_-_AQ", "-_-_AQ==", "+/+/AQ", "+/+/AQ=="] {
            assert_eq!(decoded(text).unwrap(), bytes, "{text}");
        }
        assert_eq!(encoded(bytes), "-_-_AQ");
    }

    #[test]
    fn what_is_neither_is_none() {
        for text in ["!", "A", "AA A", "AB", "ä", "AQ\n"] {
            assert_eq!(decoded(text), None, "{text}");
        }
        assert_eq!(decoded("").unwrap(), b"");
    }
}
