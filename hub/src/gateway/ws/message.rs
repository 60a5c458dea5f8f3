//! A message that did not arrive in one piece.

use std::borrow::Cow;

use super::{BAD_UTF8, Incoming, Violation, violation};

const NOT_UTF8: &str = "text is not UTF-8";

/// The payload of an unfinished message, unmasked.
#[derive(Debug)]
pub(super) struct Message {
    is_text: bool,
    payload: Vec<u8>,
    /// Frames whose head has arrived.
    frames: usize,
    /// Bytes of a text that are whole characters.
    whole_characters: usize,
}

impl Message {
    pub(super) fn new(is_text: bool) -> Message {
        Message {
            is_text,
            payload: Vec::new(),
            frames: 0,
            whole_characters: 0,
        }
    }

    /// Frames whose head has arrived.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Payload bytes that have arrived.
    pub(super) fn len(&self) -> usize {
        self.payload.len()
    }

    /// Bytes taken from the allocator.
    pub(super) fn capacity(&self) -> usize {
        self.payload.capacity()
    }

    /// Another frame of it begins.
    pub(super) fn begin_frame(&mut self) {
        self.frames += 1;
    }

    /// Takes payload that arrived. Room grows to twice what has arrived, at most to
    /// `bytes_max`, the most the message can come to. Text that can no longer become UTF-8 is
    /// refused at once.
    pub(super) fn append(&mut self, chunk: &[u8], bytes_max: usize) -> Result<(), Violation> {
        let len = self.payload.len() + chunk.len();
        if len > self.payload.capacity() {
            let room = len.max(bytes_max.min(2 * self.payload.capacity()));
            self.payload.reserve_exact(room - self.payload.len());
        }
        self.payload.extend_from_slice(chunk);
        if !self.is_text {
            return Ok(());
        }
        match std::str::from_utf8(&self.payload[self.whole_characters..]) {
            Ok(_) => self.whole_characters = len,
            Err(error) if error.error_len().is_none() => {
                self.whole_characters += error.valid_up_to();
            }
            Err(_) => return violation(BAD_UTF8, NOT_UTF8),
        }
        Ok(())
    }

    /// The message, all of which has arrived.
    pub(super) fn finish(self) -> Result<Incoming<'static>, Violation> {
        if !self.is_text {
            return Ok(Incoming::Binary(Cow::Owned(self.payload)));
        }
        match String::from_utf8(self.payload) {
            Ok(text) => Ok(Incoming::Text(Cow::Owned(text))),
            Err(_) => violation(BAD_UTF8, NOT_UTF8),
        }
    }
}

/// A message that arrived in one piece, lent.
pub(super) fn whole(is_text: bool, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    if !is_text {
        return Ok(Incoming::Binary(Cow::Borrowed(payload)));
    }
    match std::str::from_utf8(payload) {
        Ok(text) => Ok(Incoming::Text(Cow::Borrowed(text))),
        Err(_) => violation(BAD_UTF8, NOT_UTF8),
    }
}
