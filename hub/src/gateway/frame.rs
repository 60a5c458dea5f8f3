//! A text message as it goes out: its WebSocket frame, made once and shared by all who get it.

use bytes::Bytes;

use super::ws::text_frame;

/// A whole text frame. Clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Frames a message's text.
    pub fn text(text: &str) -> Frame {
        Frame(text_frame(text))
    }

    /// A frame made by somebody else.
    pub fn encode(encode: impl FnOnce(&mut Vec<u8>)) -> Frame {
        let mut bytes = Vec::new();
        encode(&mut bytes);
        Frame(bytes.into())
    }

    /// What goes on the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Bytes on the wire.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// The message in it.
    pub fn message(&self) -> &[u8] {
        let head = match self.0.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        self.0.get(head..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_behind_a_head_of_any_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let frame = Frame::text(&text);
            assert_eq!(frame.message(), text.as_bytes(), "{length}");
        }
    }
}
