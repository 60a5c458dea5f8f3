//! [`rules`] are the RFC's, one by one; [`resting`] is what is held when; [`agreement`] puts the
//! reader beside [`model`], which reads all at once and copies everything.

mod agreement;
mod model;
mod resting;
mod rules;

use super::*;

const LIMITS: WsLimits = WsLimits {
    frame_bytes_max: 1_000,
    message_bytes_max: 1_500,
    fragments_max: 4,
};

/// A client's frame: first byte, payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n if n < 1 << 16 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

fn text(text: &str) -> Incoming<'_> {
    Incoming::Text(text.into())
}

fn binary(payload: &[u8]) -> Incoming<'_> {
    Incoming::Binary(payload.into())
}

/// Gives the reader all of `bytes` and adds what it reads to `all`.
fn give(
    reader: &mut Reader,
    bytes: &[u8],
    all: &mut Vec<Incoming<'static>>,
) -> Result<(), Violation> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    while let Some(incoming) = reader.next(&LIMITS, &mut input)? {
        all.push(incoming.into_owned());
    }
    assert!(input.is_empty(), "input is used up");
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Vec<Incoming<'static>>, Violation> {
    read_in_pieces(bytes, bytes.len().max(1))
}

fn read_in_pieces(bytes: &[u8], piece: usize) -> Result<Vec<Incoming<'static>>, Violation> {
    let mut reader = Reader::new();
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        give(&mut reader, piece, &mut all)?;
    }
    Ok(all)
}

fn code(bytes: &[u8]) -> u16 {
    read(bytes).unwrap_err().code
}
