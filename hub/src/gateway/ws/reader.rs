//! From bytes to messages.
//!
//! What arrived whole is lent; what did not is copied once, into the one box a reader may have.
//! The box exists only while something is unfinished.

use std::borrow::Cow;
use std::mem;

use super::close::close_code;
use super::head::{Control, Data, HEAD_BYTES_MAX, Head, Opcode};
use super::mask::unmask;
use super::message::{self, Message};
use super::{Incoming, Violation, WsLimits};

/// Reads the frames of one connection. At rest it is one pointer.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Option<Box<Partial>>,
}

/// What is unfinished.
#[derive(Debug, Default)]
struct Partial {
    kept: Kept,
    /// The front of a head.
    head: HeadFront,
    /// The frame whose payload is arriving.
    frame: Option<Arriving>,
    /// The payload of a control frame that is arriving.
    control: Vec<u8>,
    /// The message whose frames are arriving.
    message: Option<Message>,
    /// A close frame or a violation came: nothing is read any more.
    ended: bool,
}

/// Bytes that nobody has looked at.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// How many of them are read.
    read: usize,
}

#[derive(Debug, Default)]
struct HeadFront {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
}

#[derive(Debug)]
struct Arriving {
    head: Head,
    /// Payload bytes that have arrived.
    arrived: usize,
}

impl Reader {
    /// A reader of a new connection.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes the next message or control frame off the front of `input`; the bytes of an
    /// unfinished frame are kept. `Ok(None)`: `input` is used up. Masks are undone in place in
    /// `input`, and a message that lies in it whole and in one frame is lent, not copied. What
    /// [`Reader::keep`] was given is read first.
    ///
    /// A violation ends the connection with its code. After one, and after a close frame, all
    /// input is thrown away (RFC 6455, 1.4 and 7.1.7).
    pub fn next<'b>(
        &mut self,
        limits: &WsLimits,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if self.has_ended() {
            *input = &mut [];
            return Ok(None);
        }
        let incoming = self.read_kept_first(limits, input);
        match incoming {
            Err(_) | Ok(Some(Incoming::Close(_))) => self.end(),
            Ok(_) if self.is_at_rest() => self.partial = None,
            Ok(_) => {}
        }
        incoming
    }

    /// Keeps what the caller cannot take now, behind what was kept before and ahead of what
    /// `next` is given later. The caller bounds it: it reads no more from a peer whose bytes it
    /// keeps.
    pub fn keep(&mut self, input: &[u8]) {
        if input.is_empty() || self.has_ended() {
            return;
        }
        let kept = &mut self.partial().kept;
        kept.bytes.drain(..kept.read);
        kept.read = 0;
        kept.bytes.extend_from_slice(input);
    }

    /// Nothing of a frame or message is held.
    pub fn is_at_rest(&self) -> bool {
        self.partial.as_ref().is_none_or(|partial| {
            partial.kept.bytes.is_empty()
                && partial.head.len == 0
                && partial.frame.is_none()
                && partial.message.is_none()
        })
    }

    /// Whether there are bytes nobody has looked at yet, which may hold whole messages.
    pub fn has_kept(&self) -> bool {
        let partial = self.partial.as_ref();
        partial.is_some_and(|partial| !partial.kept.bytes.is_empty())
    }

    /// Whether a message has begun and not ended.
    pub fn is_in_message(&self) -> bool {
        let partial = self.partial.as_ref();
        partial.is_some_and(|partial| partial.message.is_some())
    }

    /// Bytes that have come of a message, or frame, that is not whole.
    pub fn arrived_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            let message = partial.message.as_ref().map_or(0, Message::len);
            message + partial.control.len() + partial.head.len
        })
    }

    /// Bytes held beside the reader itself, as the allocator counts them.
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>()
                + partial.kept.bytes.capacity()
                + partial.control.capacity()
                + partial.message.as_ref().map_or(0, Message::capacity)
        })
    }

    fn read_kept_first<'b>(
        &mut self,
        limits: &WsLimits,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if let Some(partial) = &mut self.partial
            && !partial.kept.bytes.is_empty()
        {
            let mut kept = mem::take(&mut partial.kept);
            let mut unread = &mut kept.bytes[kept.read..];
            let incoming = self.read(limits, &mut unread)?.map(Incoming::into_owned);
            let unread = unread.len();
            if unread > 0 {
                kept.read = kept.bytes.len() - unread;
                self.partial().kept = kept;
            }
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        self.read(limits, input)
    }

    fn read<'b>(
        &mut self,
        limits: &WsLimits,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, Violation> {
        loop {
            if let Some(partial) = &mut self.partial
                && let Some(mut frame) = partial.frame.take()
            {
                partial.take_payload(&mut frame, limits, input)?;
                if frame.remaining() > 0 {
                    partial.frame = Some(frame);
                    return Ok(None);
                }
                if let Some(incoming) = partial.finish_frame(&frame.head)? {
                    return Ok(Some(incoming));
                }
            }
            let Some(head) = self.read_head(limits, input)? else {
                return Ok(None);
            };
            if self.arrived_whole(&head, input.len()) {
                let payload = split_front(input, head.payload_len);
                unmask(payload, head.mask, 0);
                return lend(head.opcode, payload).map(Some);
            }
            self.partial().begin_frame(head);
        }
    }

    /// Takes the next head off the front of `input`, or all of it, if that does not make one.
    fn read_head(
        &mut self,
        limits: &WsLimits,
        input: &mut &mut [u8],
    ) -> Result<Option<Head>, Violation> {
        if input.is_empty() {
            return Ok(None);
        }
        let partial = self.partial.as_deref();
        let message = partial.and_then(|partial| partial.message.as_ref());
        let (mut front, before) = match partial {
            Some(partial) => (partial.head.bytes, partial.head.len),
            None => ([0; HEAD_BYTES_MAX], 0),
        };
        let more = input.len().min(HEAD_BYTES_MAX - before);
        front[before..before + more].copy_from_slice(&input[..more]);
        let Some(head) = Head::read(&front[..before + more], message, limits)? else {
            split_front(input, more);
            self.partial().head = HeadFront {
                bytes: front,
                len: before + more,
            };
            return Ok(None);
        };
        split_front(input, head.len - before);
        if let Some(partial) = &mut self.partial {
            partial.head.len = 0;
        }
        Ok(Some(head))
    }

    /// Whether the frame's payload is there and makes a whole message or control frame.
    fn arrived_whole(&self, head: &Head, arrived: usize) -> bool {
        let alone = match head.opcode {
            Opcode::Control(_) => true,
            Opcode::Data(data) => head.fin && data != Data::Continuation,
        };
        alone && arrived >= head.payload_len
    }

    fn partial(&mut self) -> &mut Partial {
        self.partial.get_or_insert_default()
    }

    fn has_ended(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.ended)
    }

    fn end(&mut self) {
        self.partial = Some(Box::new(Partial {
            ended: true,
            ..Partial::default()
        }));
    }
}

impl Partial {
    fn begin_frame(&mut self, head: Head) {
        if let Opcode::Data(data) = head.opcode {
            self.message
                .get_or_insert_with(|| Message::new(data == Data::Text))
                .begin_frame();
        }
        self.frame = Some(Arriving { head, arrived: 0 });
    }

    /// Takes what `input` has of the frame's payload.
    fn take_payload(
        &mut self,
        frame: &mut Arriving,
        limits: &WsLimits,
        input: &mut &mut [u8],
    ) -> Result<(), Violation> {
        let remaining = frame.remaining();
        let chunk = split_front(input, remaining.min(input.len()));
        unmask(chunk, frame.head.mask, frame.arrived);
        frame.arrived += chunk.len();
        match &mut self.message {
            Some(message) if matches!(frame.head.opcode, Opcode::Data(_)) => {
                let bytes_max = match frame.head.fin {
                    true => message.len() + remaining,
                    false => limits.message_bytes_max,
                };
                message.append(chunk, bytes_max)
            }
            _ => {
                self.control.extend_from_slice(chunk);
                Ok(())
            }
        }
    }

    /// What a frame makes whose payload has arrived, if anything yet.
    fn finish_frame(&mut self, head: &Head) -> Result<Option<Incoming<'static>>, Violation> {
        match head.opcode {
            Opcode::Control(control) => {
                let payload = mem::take(&mut self.control);
                read_control(control, Cow::Owned(payload)).map(Some)
            }
            Opcode::Data(_) if head.fin => self.message.take().map(Message::finish).transpose(),
            Opcode::Data(_) => Ok(None),
        }
    }
}

impl Arriving {
    fn remaining(&self) -> usize {
        self.head.payload_len - self.arrived
    }
}

/// A frame that arrived whole and needs no other.
fn lend(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    match opcode {
        Opcode::Control(control) => read_control(control, Cow::Borrowed(payload)),
        Opcode::Data(data) => message::whole(data == Data::Text, payload),
    }
}

fn read_control(control: Control, payload: Cow<'_, [u8]>) -> Result<Incoming<'_>, Violation> {
    match control {
        Control::Ping => Ok(Incoming::Ping(payload)),
        Control::Pong => Ok(Incoming::Pong),
        Control::Close => close_code(&payload).map(Incoming::Close),
    }
}

/// Takes the first `len` bytes off.
fn split_front<'b>(input: &mut &'b mut [u8], len: usize) -> &'b mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(len);
    *input = rest;
    front
}
