//! WebSocket framing, strict RFC 6455, without IO and without a buffer at rest.
//!
//! `fastwebsockets` serves the handshake only. Its reader takes what the RFC forbids, reserves
//! what a header claims and must not be cancelled half way. This [`Reader`] is given whatever
//! bytes arrived, lends whole messages out of them and keeps only what is unfinished; the
//! `push_` functions write what a server sends. Time has no place here: how long a message may
//! take is the caller's business.

mod close;
mod head;
mod mask;
mod message;
mod reader;
mod write;

use std::borrow::Cow;

pub use self::reader::Reader;
pub use self::write::{push_binary, push_close, push_ping, push_pong, push_text, text_frame};

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

/// What a peer sent. It borrows from the bytes that arrived where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'b> {
    /// A text message, whole.
    Text(Cow<'b, str>),
    /// A binary message, whole.
    Binary(Cow<'b, [u8]>),
    /// A ping and what must be sent back: at most 125 bytes.
    Ping(Cow<'b, [u8]>),
    /// A pong.
    Pong,
    /// The peer closes, with its code if it gave one. Nothing comes after it.
    Close(Option<u16>),
}

impl Incoming<'_> {
    /// The same, with nothing borrowed.
    pub fn into_owned(self) -> Incoming<'static> {
        match self {
            Incoming::Text(text) => Incoming::Text(Cow::Owned(text.into_owned())),
            Incoming::Binary(payload) => Incoming::Binary(Cow::Owned(payload.into_owned())),
            Incoming::Ping(payload) => Incoming::Ping(Cow::Owned(payload.into_owned())),
            Incoming::Pong => Incoming::Pong,
            Incoming::Close(code) => Incoming::Close(code),
        }
    }
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

#[cfg(test)]
mod tests;
