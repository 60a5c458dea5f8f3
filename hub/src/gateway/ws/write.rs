//! What a server sends: whole frames, unmasked, lengths in their shortest form.

use bytes::Bytes;

use super::CONTROL_BYTES_MAX;

/// First bytes of frames that are whole messages.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Bytes of a server's longest head.
const HEAD_BYTES_MAX: usize = 10;

/// Appends a text frame. The payload must be UTF-8.
pub fn push_text(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, TEXT, payload);
}

/// Appends a binary frame.
pub fn push_binary(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, BINARY, payload);
}

/// Appends a pong that answers a ping with its payload of at most 125 bytes.
pub fn push_pong(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, PONG, payload);
}

/// Appends a ping.
pub fn push_ping(out: &mut Vec<u8>) {
    push_frame(out, PING, b"");
}

/// Appends a close frame; the reason is cut to what fits.
pub fn push_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    push_head(out, CLOSE, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// A whole text frame, head and payload, in one allocation of exactly its size: a fan-out frames
/// once and shares the bytes.
pub fn text_frame(text: &str) -> Bytes {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    push_head(&mut head, TEXT, text.len());
    let mut frame = Vec::with_capacity(head.len() + text.len());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(text.as_bytes());
    Bytes::from(frame)
}

fn push_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.reserve(HEAD_BYTES_MAX + payload.len());
    push_head(out, first, payload.len());
    out.extend_from_slice(payload);
}

fn push_head(out: &mut Vec<u8>, first: u8, payload_len: usize) {
    out.push(first);
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len @ ..126), _) => out.push(len),
        (_, Ok(len)) => {
            out.push(126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_frames_are_unmasked_and_of_the_shortest_form() {
        let written = |len: usize| {
            let mut out = Vec::new();
            push_text(&mut out, &vec![b'x'; len]);
            out
        };
        assert_eq!(written(2), [0x81, 2, b'x', b'x']);
        assert_eq!(written(126)[..4], [0x81, 126, 0, 126]);
        assert_eq!(written(65_536)[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_close_reason_is_cut_at_a_character() {
        let mut out = Vec::new();
        push_close(&mut out, 4001, &"\u{e9}".repeat(100));
        assert_eq!(out[1], 124);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }

    #[test]
    fn a_text_frame_is_what_is_pushed_in_one_exact_allocation() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(len);
            let mut pushed = Vec::new();
            push_text(&mut pushed, text.as_bytes());
            let frame = text_frame(&text);
            assert_eq!(frame, pushed, "{len} bytes");
            let frame = Vec::from(frame);
            assert_eq!(frame.capacity(), frame.len(), "{len} bytes");
        }
    }
}
