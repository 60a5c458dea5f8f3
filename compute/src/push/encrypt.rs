//! Messages that only the browser can read: RFC 8291 over the `aes128gcm` of RFC 8188, in one record.
//!
//! A message is padded to a multiple of [`PADDED_TO`], so that a push service learns of its length
//! little more than that it is short.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;

use super::keys::PUBLIC_BYTES;
use super::subscription::Recipient;

/// Bytes of a message and all that is around it: what every push service takes (RFC 8030
/// section 7.2), and the size of its one record.
const MESSAGE_BYTES_MAX: usize = 4_096;

const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Salt, record size, length of the key, the key.
const HEADER_BYTES: usize = SALT_BYTES + 4 + 1 + PUBLIC_BYTES;

/// Bytes of a payload at most.
pub const PAYLOAD_BYTES_MAX: usize = MESSAGE_BYTES_MAX - HEADER_BYTES - 1 - TAG_BYTES;

/// Payloads have a multiple of so many bytes once they are padded, or the most there may be.
const PADDED_TO: usize = 256;

/// What ends the last record, before its padding.
const LAST_RECORD: u8 = 2;

/// Why nothing was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// There is more than fits.
    #[error("payload_too_large: {bytes} bytes, at most {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
    },
    /// The cipher or the operating system's randomness failed.
    #[error("encryption_failed")]
    Failed,
}

impl From<Unspecified> for EncryptError {
    fn from(_: Unspecified) -> EncryptError {
        EncryptError::Failed
    }
}

/// What is random in a message: used once.
pub(super) struct Once {
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) sender: PrivateKey,
}

impl Once {
    fn new() -> Result<Once, Unspecified> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt)?;
        let sender = PrivateKey::generate(&ECDH_P256)?;
        Ok(Once { salt, sender })
    }
}

/// The body of a push: what only the recipient can read.
pub(super) fn encrypted(payload: &[u8], to: &Recipient) -> Result<Vec<u8>, EncryptError> {
    let padded = payload.len().next_multiple_of(PADDED_TO);
    let padding = padded.min(PAYLOAD_BYTES_MAX).saturating_sub(payload.len());
    encrypted_once(payload, padding, to, &Once::new()?)
}

/// The same with a given padding, salt and key.
pub(super) fn encrypted_once(
    payload: &[u8],
    padding: usize,
    to: &Recipient,
    once: &Once,
) -> Result<Vec<u8>, EncryptError> {
    let bytes = payload.len();
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(EncryptError::TooLarge { bytes });
    }
    let sender = once.sender.compute_public_key()?;
    let (key, nonce) = derived(to, once, sender.as_ref())?;
    let mut record = Vec::with_capacity(bytes + 1 + padding + TAG_BYTES);
    record.extend_from_slice(payload);
    record.push(LAST_RECORD);
    record.resize(bytes + 1 + padding, 0);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)?;

    let mut body = Vec::with_capacity(HEADER_BYTES + record.len());
    body.extend_from_slice(&once.salt);
    body.extend_from_slice(&(MESSAGE_BYTES_MAX as u32).to_be_bytes());
    body.push(PUBLIC_BYTES as u8);
    body.extend_from_slice(sender.as_ref());
    body.extend_from_slice(&record);
    Ok(body)
}

/// The key and nonce of a message (RFC 8291 section 3.4).
fn derived(
    to: &Recipient,
    once: &Once,
    sender: &[u8],
) -> Result<([u8; KEY_BYTES], [u8; NONCE_BYTES]), Unspecified> {
    let theirs = UnparsedPublicKey::new(&ECDH_P256, to.public.as_slice());
    let both = agreement::agree(&once.sender, theirs, Unspecified, |shared| {
        let info = [b"WebPush: info\0", to.public.as_slice(), sender];
        expanded::<32>(&to.auth, shared, &info)
    })?;
    let key = expanded(&once.salt, &both, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce = expanded(&once.salt, &both, &[b"Content-Encoding: nonce\0"])?;
    Ok((key, nonce))
}

/// HKDF-SHA256 (RFC 5869).
pub(super) fn expanded<const N: usize>(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
) -> Result<[u8; N], Unspecified> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; N];
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    prk.expand(info, Length(N))?.fill(&mut out)?;
    Ok(out)
}
