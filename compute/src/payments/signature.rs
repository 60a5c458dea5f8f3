//! Whether Stripe sent an event: the header `Stripe-Signature` over the body as it came (Stripe's docs,
//! "Verify webhook signatures manually").
//!
//! `t=1614556800,v1=5257a8…,v1=6ffbb5…,v0=…`: the seconds at which it was signed, and for each secret that
//! the endpoint has the HMAC-SHA-256 of `{t}.{body}` in hex. While a secret is rolled there are two.
//! Other schemes are passed over. A body that was read and written again has another signature. Pure: what
//! time it is comes in.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::outgoing::secret::Secret;

/// Seconds between the signing of an event and its coming, either way. One more refuses it: whoever has
/// recorded an event cannot send it again later.
pub const TOLERANCE_S: u64 = 300;

/// Bytes of the header. One more refuses it.
pub const HEADER_BYTES_MAX: usize = 4 << 10;

/// Signatures of the scheme `v1` in a header. One more refuses it.
pub const SIGNATURES_MAX: usize = 16;

/// Hex digits of a signature.
const DIGITS: usize = 64;

/// Why an event is not taken for Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unsigned {
    /// There is no header.
    #[error("signature_missing: there is no Stripe-Signature")]
    Missing,
    /// The header is longer than [`HEADER_BYTES_MAX`].
    #[error("signature_malformed: the header is longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// A part of the header is not `name=value`, the name of letters and digits.
    #[error("signature_malformed: a part of the header is not name=value")]
    Part,
    /// The header has no `t`.
    #[error("signature_malformed: there is no t")]
    NoTime,
    /// The header has two.
    #[error("signature_malformed: there is more than one t")]
    TwoTimes,
    /// `t` is not a number of seconds as they are written: digits without a sign or a zero before them.
    #[error("signature_malformed: t is no number of seconds")]
    Time,
    /// The header has no `v1`.
    #[error("signature_malformed: there is no v1")]
    NoSignature,
    /// It has more than [`SIGNATURES_MAX`].
    #[error("signature_malformed: there are more than {SIGNATURES_MAX} v1")]
    TooMany,
    /// A `v1` is not 64 small hex digits.
    #[error("signature_malformed: a v1 is not {DIGITS} small hex digits")]
    Digits,
    /// No secret made any of the signatures over this time and body.
    #[error("signature_mismatch: no secret of ours made a signature of this body")]
    Mismatch,
    /// It was signed longer ago than [`TOLERANCE_S`].
    #[error("signature_expired: it was signed more than {TOLERANCE_S} s ago")]
    Expired,
    /// It will be signed, by our clock, later than [`TOLERANCE_S`] from now.
    #[error("signature_early: it was signed more than {TOLERANCE_S} s ahead of this clock")]
    Early,
}

/// Knows what Stripe signed for an endpoint, by each secret that the endpoint has.
pub struct Verifier(Vec<hmac::Key>);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Verifier").field(&self.0.len()).finish()
    }
}

impl Verifier {
    /// By secrets as Stripe shows them, `whsec_…`: the whole text is the key.
    pub fn of(secrets: &[Secret]) -> Verifier {
        let key = |secret: &Secret| hmac::Key::new(HMAC_SHA256, secret.text().as_bytes());
        Verifier(secrets.iter().map(key).collect())
    }

    /// Looks at a header and the body as it came; `now_s` is the hub's clock in seconds. Whether the
    /// signature holds is looked at before its time, so that who has no secret learns nothing of clocks.
    /// Errors: the event is not to be read.
    pub fn verify(&self, header: Option<&str>, body: &[u8], now_s: u64) -> Result<(), Unsigned> {
        let signed = Signed::parse(header.ok_or(Unsigned::Missing)?)?;
        if !self.made(&signed, body) {
            return Err(Unsigned::Mismatch);
        }
        if signed.at_s.saturating_add(TOLERANCE_S) < now_s {
            return Err(Unsigned::Expired);
        }
        if now_s.saturating_add(TOLERANCE_S) < signed.at_s {
            return Err(Unsigned::Early);
        }
        Ok(())
    }

    /// Whether any key made any of the signatures. Each is compared with each, in a time that says nothing
    /// of where they differ.
    fn made(&self, signed: &Signed, body: &[u8]) -> bool {
        let mut text = format!("{}.", signed.at_s).into_bytes();
        text.extend_from_slice(body);
        let mut is_made = false;
        for key in &self.0 {
            let tag = hmac::sign(key, &text);
            for signature in &signed.signatures {
                is_made |= verify_slices_are_equal(tag.as_ref(), signature).is_ok();
            }
        }
        is_made
    }
}

/// What a header says.
#[derive(Debug)]
struct Signed {
    at_s: u64,
    /// Those of `v1`.
    signatures: Vec<[u8; DIGITS / 2]>,
}

impl Signed {
    fn parse(header: &str) -> Result<Signed, Unsigned> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(Unsigned::TooLong);
        }
        let (mut at_s, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            let (name, value) = part.split_once('=').ok_or(Unsigned::Part)?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(Unsigned::Part);
            }
            match name {
                "t" if at_s.is_some() => return Err(Unsigned::TwoTimes),
                "t" => at_s = Some(seconds(value).ok_or(Unsigned::Time)?),
                "v1" if signatures.len() == SIGNATURES_MAX => return Err(Unsigned::TooMany),
                "v1" => signatures.push(bytes(value).ok_or(Unsigned::Digits)?),
                _ => {}
            }
        }
        let at_s = at_s.ok_or(Unsigned::NoTime)?;
        match signatures.is_empty() {
            true => Err(Unsigned::NoSignature),
            false => Ok(Signed { at_s, signatures }),
        }
    }
}

/// A number that is written back as it was read: that is what is signed.
fn seconds(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn bytes(text: &str) -> Option<[u8; DIGITS / 2]> {
    let digits = text.as_bytes();
    let is_small = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != DIGITS || !digits.iter().all(is_small) {
        return None;
    }
    let mut bytes = [0; DIGITS / 2];
    for (byte, at) in bytes.iter_mut().zip((0..DIGITS).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
