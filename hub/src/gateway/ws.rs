//! WebSocket framing, strict RFC 6455, without IO.
//!
//! `fastwebsockets` serves the handshake, masking and frame heads. Its reader is not used: it
//! takes what the RFC forbids, reserves what a header claims and must not be cancelled half
//! way. This reader is fed whatever bytes arrived and keeps the rest, so cancelling a read
//! loses nothing, and memory is taken only for what has arrived.

use fastwebsockets::{Frame, OpCode, Payload};

/// How much a peer may send.
#[derive(Clone, Copy, Debug)]
pub struct WsLimits {
    /// Payload bytes of one frame.
    pub frame_bytes_max: usize,
    /// Payload bytes of a message, all fragments together.
    pub message_bytes_max: usize,
    /// Frames of a message.
    pub fragments_max: usize,
}

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message, whole.
    Text(String),
    /// A binary message, whole.
    Binary(Vec<u8>),
    /// A ping and what must be sent back.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer closes, with its code if it gave one.
    Close(Option<u16>),
}

/// What a peer may not do, and the close code that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code})")]
pub struct Violation {
    /// 1002, 1007 or 1009.
    pub code: u16,
    /// For people.
    pub reason: &'static str,
}

const PROTOCOL: u16 = 1002;
const BAD_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;

/// Longest payload of a control frame.
const CONTROL_BYTES_MAX: usize = 125;

fn violation<T>(code: u16, reason: &'static str) -> Result<T, Violation> {
    Err(Violation { code, reason })
}

/// Reads frames from bytes.
#[derive(Debug)]
pub struct Reader {
    limits: WsLimits,
    /// Bytes that are no whole frame yet.
    partial: Vec<u8>,
    message: Option<Fragments>,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    payload: Vec<u8>,
    frames: usize,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    fin: bool,
    opcode: OpCode,
    mask: [u8; 4],
    head_len: usize,
    payload_len: usize,
}

impl Reader {
    /// A reader of a new connection.
    pub fn new(limits: WsLimits) -> Reader {
        Reader {
            limits,
            partial: Vec::new(),
            message: None,
        }
    }

    /// Changes the limits, as after authentication.
    pub fn set_limits(&mut self, limits: WsLimits) {
        self.limits = limits;
    }

    /// Takes bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
    }

    /// The next message or control frame, or `None` until more bytes arrive.
    pub fn next_incoming(&mut self) -> Result<Option<Incoming>, Violation> {
        while let Some(head) = self.head()? {
            if self.partial.len() < head.head_len + head.payload_len {
                break;
            }
            let payload = self.take_payload(head);
            if let Some(incoming) = self.frame(head, payload)? {
                return Ok(Some(incoming));
            }
        }
        if self.partial.is_empty() {
            // Nothing is held while nothing happens.
            self.partial = Vec::new();
        }
        Ok(None)
    }

    /// Reads and checks the head of the next frame, before its payload has arrived.
    fn head(&self) -> Result<Option<Head>, Violation> {
        let [first, second, rest @ ..] = &self.partial[..] else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return violation(PROTOCOL, "reserved bits are set");
        }
        let Ok(opcode) = OpCode::try_from(first & 0x0f) else {
            return violation(PROTOCOL, "opcode is reserved");
        };
        if second & 0x80 == 0 {
            return violation(PROTOCOL, "frame is not masked");
        }
        let (length_bytes, shortest) = match second & 0x7f {
            126 => (2, 126),
            127 => (8, 1 << 16),
            _ => (0, 0),
        };
        let Some((length, rest)) = rest.split_at_checked(length_bytes) else {
            return Ok(None);
        };
        let payload_len = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if payload_len >> 63 != 0 {
            return violation(PROTOCOL, "length has its highest bit set");
        }
        if payload_len < shortest {
            return violation(PROTOCOL, "length is not in its shortest form");
        }
        let fin = first & 0x80 != 0;
        let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
        self.check(fin, opcode, payload_len)?;
        let Some(mask) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Head {
            fin,
            opcode,
            mask: *mask,
            head_len: 6 + length_bytes,
            payload_len,
        }))
    }

    fn check(&self, fin: bool, opcode: OpCode, payload_len: usize) -> Result<(), Violation> {
        if is_control(opcode) {
            if !fin {
                return violation(PROTOCOL, "control frame is fragmented");
            }
            if payload_len > CONTROL_BYTES_MAX {
                return violation(PROTOCOL, "control frame is too long");
            }
            return Ok(());
        }
        match (&self.message, opcode) {
            (None, OpCode::Continuation) => {
                return violation(PROTOCOL, "continuation without a start");
            }
            (Some(_), OpCode::Text | OpCode::Binary) => {
                return violation(PROTOCOL, "new message inside a message");
            }
            _ => {}
        }
        let so_far = self
            .message
            .as_ref()
            .map_or(0, |message| message.payload.len());
        if payload_len > self.limits.frame_bytes_max {
            return violation(TOO_BIG, "frame is too long");
        }
        if so_far + payload_len > self.limits.message_bytes_max {
            return violation(TOO_BIG, "message is too long");
        }
        if self
            .message
            .as_ref()
            .is_some_and(|m| m.frames >= self.limits.fragments_max)
        {
            return violation(TOO_BIG, "message has too many fragments");
        }
        Ok(())
    }

    fn take_payload(&mut self, head: Head) -> Vec<u8> {
        let end = head.head_len + head.payload_len;
        let mut payload = if self.partial.len() == end {
            std::mem::take(&mut self.partial)
        } else {
            self.partial.drain(..end).collect()
        };
        payload.drain(..head.head_len);
        fastwebsockets::unmask(&mut payload, head.mask);
        payload
    }

    fn frame(&mut self, head: Head, payload: Vec<u8>) -> Result<Option<Incoming>, Violation> {
        match head.opcode {
            OpCode::Ping => Ok(Some(Incoming::Ping(payload))),
            OpCode::Pong => Ok(Some(Incoming::Pong)),
            OpCode::Close => close_code(&payload).map(|code| Some(Incoming::Close(code))),
            OpCode::Text | OpCode::Binary => {
                let is_text = head.opcode == OpCode::Text;
                self.message = Some(Fragments {
                    is_text,
                    payload,
                    frames: 1,
                });
                self.finish(head.fin)
            }
            OpCode::Continuation => {
                if let Some(message) = &mut self.message {
                    message.payload.extend_from_slice(&payload);
                    message.frames += 1;
                }
                self.finish(head.fin)
            }
        }
    }

    fn finish(&mut self, fin: bool) -> Result<Option<Incoming>, Violation> {
        if !fin {
            return Ok(None);
        }
        let Some(message) = self.message.take() else {
            return Ok(None);
        };
        if !message.is_text {
            return Ok(Some(Incoming::Binary(message.payload)));
        }
        match String::from_utf8(message.payload) {
            Ok(text) => Ok(Some(Incoming::Text(text))),
            Err(_) => violation(BAD_UTF8, "text is not UTF-8"),
        }
    }

    /// Nothing of a frame or message is held.
    pub fn is_at_rest(&self) -> bool {
        self.partial.is_empty() && self.message.is_none()
    }
}

fn is_control(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Close | OpCode::Ping | OpCode::Pong)
}

/// Reads a close frame's payload (RFC 6455, 5.5.1 and 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(None),
            _ => violation(PROTOCOL, "close code is cut short"),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return violation(PROTOCOL, "close code is not allowed");
    }
    if std::str::from_utf8(reason).is_err() {
        return violation(BAD_UTF8, "close reason is not UTF-8");
    }
    Ok(Some(code))
}

/// Appends a text frame.
pub fn push_text(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, OpCode::Text, payload);
}

/// Appends a pong that answers a ping.
pub fn push_pong(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, OpCode::Pong, payload);
}

/// Appends a ping.
pub fn push_ping(out: &mut Vec<u8>) {
    push_frame(out, OpCode::Ping, b"");
}

/// Appends a close frame; the reason is cut to what fits.
pub fn push_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    push_frame(out, OpCode::Close, &payload);
}

fn push_frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let mut head = [0; 16];
    let mut frame = Frame::new(true, opcode, None, Payload::Borrowed(payload));
    let head_len = frame.fmt_head(&mut head);
    out.extend_from_slice(&head[..head_len]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
