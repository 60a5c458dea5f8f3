//! The head of a client's frame (RFC 6455, 5.2), refused as soon as a byte of it is wrong.

use super::message::Message;
use super::{CONTROL_BYTES_MAX, PROTOCOL, TOO_BIG, Violation, WsLimits, violation};

/// Bytes of the longest head.
pub(super) const HEAD_BYTES_MAX: usize = 14;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Data(Data),
    Control(Control),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Continuation,
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Close,
    Ping,
    Pong,
}

/// A head that may come where it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The last frame of its message.
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: [u8; 4],
    /// Bytes of the head itself.
    pub(super) len: usize,
    /// Bytes of the payload, within the limits.
    pub(super) payload_len: usize,
}

impl Head {
    /// Reads the head at the front of `bytes`; `None` until all of it has arrived. `message` is
    /// the one that is unfinished. Checks go from byte to byte, so how the bytes were cut does
    /// not change what is found.
    pub(super) fn read(
        bytes: &[u8],
        message: Option<&Message>,
        limits: &WsLimits,
    ) -> Result<Option<Head>, Violation> {
        let Some((first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let (fin, opcode) = opcode(*first)?;
        check_order(fin, opcode, message, limits)?;
        let Some((second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        if second & 0x80 == 0 {
            return violation(PROTOCOL, "frame is not masked");
        }
        let seven_bits = second & 0x7f;
        if matches!(opcode, Opcode::Control(_)) && usize::from(seven_bits) > CONTROL_BYTES_MAX {
            return violation(PROTOCOL, "control frame is too long");
        }
        let Some((payload_len, rest)) = payload_len(seven_bits, rest)? else {
            return Ok(None);
        };
        if let Opcode::Data(_) = opcode {
            check_len(payload_len, message, limits)?;
        }
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Head {
            fin,
            opcode,
            mask: *mask,
            len: bytes.len() - rest.len(),
            payload_len,
        }))
    }
}

/// Whether the frame is its message's last, and its opcode.
fn opcode(first: u8) -> Result<(bool, Opcode), Violation> {
    if first & 0x70 != 0 {
        return violation(PROTOCOL, "reserved bits are set");
    }
    let opcode = match first & 0x0f {
        0x0 => Opcode::Data(Data::Continuation),
        0x1 => Opcode::Data(Data::Text),
        0x2 => Opcode::Data(Data::Binary),
        0x8 => Opcode::Control(Control::Close),
        0x9 => Opcode::Control(Control::Ping),
        0xa => Opcode::Control(Control::Pong),
        _ => return violation(PROTOCOL, "opcode is reserved"),
    };
    Ok((first & 0x80 != 0, opcode))
}

/// Whether such a frame may come now (RFC 6455, 5.4).
fn check_order(
    fin: bool,
    opcode: Opcode,
    message: Option<&Message>,
    limits: &WsLimits,
) -> Result<(), Violation> {
    let opcode = match opcode {
        Opcode::Control(_) if !fin => {
            return violation(PROTOCOL, "control frame is fragmented");
        }
        Opcode::Control(_) => return Ok(()),
        Opcode::Data(opcode) => opcode,
    };
    match (message, opcode) {
        (None, Data::Continuation) => violation(PROTOCOL, "continuation without a start"),
        (Some(_), Data::Text | Data::Binary) => violation(PROTOCOL, "new message inside a message"),
        _ if message.map_or(0, Message::frames) >= limits.fragments_max => {
            violation(TOO_BIG, "message has too many fragments")
        }
        _ => Ok(()),
    }
}

/// Reads the length from its seven bits and the bytes behind them; gives it with the bytes
/// behind it. A length no `usize` holds becomes the greatest, which no limit allows.
fn payload_len(seven_bits: u8, rest: &[u8]) -> Result<Option<(usize, &[u8])>, Violation> {
    let (len_bytes, shortest) = match seven_bits {
        126 => (2, 126),
        127 => (8, 1 << 16),
        len => return Ok(Some((usize::from(len), rest))),
    };
    let Some((bytes, rest)) = rest.split_at_checked(len_bytes) else {
        return Ok(None);
    };
    let len = bytes
        .iter()
        .fold(0u64, |len, byte| len << 8 | u64::from(*byte));
    if len >> 63 != 0 {
        return violation(PROTOCOL, "length has its highest bit set");
    }
    if len < shortest {
        return violation(PROTOCOL, "length is not in its shortest form");
    }
    Ok(Some((usize::try_from(len).unwrap_or(usize::MAX), rest)))
}

/// Whether a data frame may have so long a payload, before any of it has arrived.
fn check_len(
    payload_len: usize,
    message: Option<&Message>,
    limits: &WsLimits,
) -> Result<(), Violation> {
    if payload_len > limits.frame_bytes_max {
        return violation(TOO_BIG, "frame is too long");
    }
    let so_far = message.map_or(0, Message::len);
    if payload_len > limits.message_bytes_max.saturating_sub(so_far) {
        return violation(TOO_BIG, "message is too long");
    }
    Ok(())
}
