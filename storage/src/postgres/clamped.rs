//! A client's clamped claims as the bytes of their column.

use syncline_protocol::stamp::Hlc;
use syncline_protocol::verdict::Clamped;

use crate::types::StoreError;

pub(super) fn encode(clamped: &Clamped) -> Vec<u8> {
    let stamps = [clamped.from, clamped.to, clamped.became];
    let bytes = stamps.map(|stamp| stamp.to_bits().to_be_bytes());
    bytes.concat()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Clamped, StoreError> {
    let damaged = || StoreError::Damaged("clamped claims are no three stamps".to_owned());
    let (stamps, rest) = bytes.as_chunks::<8>();
    let ([from, to, became], []) = (stamps, rest) else {
        return Err(damaged());
    };
    let stamp = |bytes: &[u8; 8]| Hlc::from_bits(u64::from_be_bytes(*bytes));
    Ok(Clamped {
        from: stamp(from),
        to: stamp(to),
        became: stamp(became),
    })
}
