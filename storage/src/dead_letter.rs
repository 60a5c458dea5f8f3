//! What is kept of a text that is set aside.

use sha2::{Digest, Sha256};

use crate::types::DeadLetter;

/// Bytes of a dead letter's change, table or id that are kept. A longer text is cut there and says
/// so, see [`DeadLetter::kept`].
pub const DEAD_LETTER_BYTES_MAX: usize = 4 << 10;

impl DeadLetter {
    /// The text itself, or its first [`DEAD_LETTER_BYTES_MAX`] bytes, cut at a character, and then
    /// `… [cut: 20480 bytes, 0011223344556677]`: the length it had and the first 8 bytes of
    /// its SHA-256, so that two texts that begin alike stay two.
    pub fn kept(text: &str) -> String {
        if DeadLetter::keeps(text) {
            return text.to_owned();
        }
        let begins = &text[..text.floor_char_boundary(DEAD_LETTER_BYTES_MAX)];
        let digest = Sha256::digest(text.as_bytes());
        let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
        let hash = u64::from_be_bytes(*first);
        format!("{begins}… [cut: {} bytes, {hash:016x}]", text.len())
    }

    /// Whether a text is kept whole.
    pub fn keeps(text: &str) -> bool {
        text.len() <= DEAD_LETTER_BYTES_MAX
    }

    /// Bytes of its texts.
    pub fn bytes(&self) -> usize {
        self.table.len() + self.id.len() + self.change.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_past_the_limit_at_a_character() {
        let whole = "x".repeat(DEAD_LETTER_BYTES_MAX);
        assert_eq!(DeadLetter::kept(&whole), whole);
        assert!(DeadLetter::keeps(&whole) && !DeadLetter::keeps(&format!("{whole}y")));
        let cut = DeadLetter::kept(&format!("{whole}y"));
        assert!(
            cut.starts_with(&format!("{whole}… [cut: 4097 bytes, ")),
            "{cut}"
        );
        let wide = format!("x{}", "é".repeat(DEAD_LETTER_BYTES_MAX));
        let begins = &wide[..DEAD_LETTER_BYTES_MAX - 1];
        assert!(DeadLetter::kept(&wide).starts_with(&format!("{begins}… [cut: 8193 bytes, ")));
    }

    #[test]
    fn texts_that_begin_alike_stay_apart() {
        let text = |end| DeadLetter::kept(&format!("{}{end}", "x".repeat(9_000)));
        assert_ne!(text("a"), text("b"));
        assert_eq!(text("a"), text("a"));
    }
}
