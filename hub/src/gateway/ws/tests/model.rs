//! The simplest reader: it sees the whole stream, copies everything and takes its time.

use super::*;

/// What was read before the end or the violation, and the code of the violation.
pub(super) type Read = (Vec<Incoming<'static>>, Option<u16>);

/// Reads all of a connection's bytes.
pub(super) fn read(bytes: &[u8], limits: &WsLimits) -> Read {
    let mut read = Vec::new();
    let mut bytes = bytes.to_vec();
    let mut message: Option<(bool, usize, Vec<u8>)> = None;
    loop {
        let arrived = |at: usize| bytes.get(at).copied();
        let Some(first) = arrived(0) else {
            return (read, None);
        };
        let (fin, opcode) = (first >= 0x80, first % 16);
        let control = opcode >= 8;
        let order_is_wrong = !control && (opcode == 0) != message.is_some();
        if first & 0x70 != 0 || ![0, 1, 2, 8, 9, 10].contains(&opcode) {
            return (read, Some(1002));
        }
        if (control && !fin) || order_is_wrong {
            return (read, Some(1002));
        }
        let frames = message.as_ref().map_or(0, |(_, frames, _)| *frames);
        if !control && frames + 1 > limits.fragments_max {
            return (read, Some(1009));
        }
        let Some(second) = arrived(1) else {
            return (read, None);
        };
        if second < 0x80 || (control && second - 0x80 > 125) {
            return (read, Some(1002));
        }
        let (at, len) = match second - 0x80 {
            126 if bytes.len() < 4 => return (read, None),
            127 if bytes.len() < 10 => return (read, None),
            126 => (4, u64::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            127 => (10, u64::from_be_bytes(bytes[2..10].try_into().unwrap())),
            len => (2, u64::from(len)),
        };
        let shortest = match len {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        if at != shortest || len >= 1 << 63 {
            return (read, Some(1002));
        }
        let so_far = message.as_ref().map_or(0, |(_, _, payload)| payload.len());
        let too_long = len > limits.frame_bytes_max as u64
            || len.saturating_add(so_far as u64) > limits.message_bytes_max as u64;
        if !control && too_long {
            return (read, Some(1009));
        }
        if bytes.len() < at + 4 {
            return (read, None);
        }
        let mask = bytes[at..at + 4].to_vec();
        let masked = bytes[at + 4..].iter().take(len as usize);
        let payload: Vec<u8> = masked
            .zip(mask.iter().cycle())
            .map(|(b, m)| b ^ m)
            .collect();
        let is_whole = payload.len() as u64 == len;
        bytes.drain(..at + 4 + payload.len());
        if control {
            match (is_whole, control_frame(opcode, &payload)) {
                (false, _) => return (read, None),
                (true, Err(code)) => return (read, Some(code)),
                (true, Ok(Incoming::Close(code))) => {
                    read.push(Incoming::Close(code));
                    return (read, None);
                }
                (true, Ok(incoming)) => read.push(incoming),
            }
            continue;
        }
        let (is_text, frames, so_far) = message.get_or_insert((opcode == 1, 0, Vec::new()));
        *frames += 1;
        so_far.extend(&payload);
        if *is_text && is_spoilt(so_far) {
            return (read, Some(1007));
        }
        if !is_whole {
            return (read, None);
        }
        if fin {
            let (is_text, _, payload) = message.take().unwrap();
            if !is_text {
                read.push(Incoming::Binary(payload.into()));
            } else if let Ok(text) = String::from_utf8(payload) {
                read.push(Incoming::Text(text.into()));
            } else {
                return (read, Some(1007));
            }
        }
    }
}

/// No more bytes can make it UTF-8.
fn is_spoilt(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_err_and(|error| error.error_len().is_some())
}

fn control_frame(opcode: u8, payload: &[u8]) -> Result<Incoming<'static>, u16> {
    match (opcode, payload) {
        (9, _) => Ok(Incoming::Ping(payload.to_vec().into())),
        (10, _) => Ok(Incoming::Pong),
        (_, []) => Ok(Incoming::Close(None)),
        (_, [_]) => Err(1002),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from(*high) * 256 + u16::from(*low);
            let registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009];
            let later = [1010, 1011, 1012, 1013, 1014];
            let allowed = registered.contains(&code) || later.contains(&code);
            if !allowed && !(3000..5000).contains(&code) {
                return Err(1002);
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Incoming::Close(Some(code))),
                Err(_) => Err(1007),
            }
        }
    }
}
