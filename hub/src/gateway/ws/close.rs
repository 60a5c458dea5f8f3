//! What a close frame may say.

use super::{BAD_UTF8, PROTOCOL, Violation, violation};

/// Reads a close frame's payload (RFC 6455, 5.5.1 and 7.4; the codes 1012 to 1014 are from the
/// registry): nothing, or a code and a reason.
pub(super) fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
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
