//! The key pair by which push services know who sends (VAPID, RFC 8292): P-256, written as the tools
//! of Web Push write it.

use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::text::{decoded, encoded};

/// Bytes of a private key: the scalar.
const PRIVATE_BYTES: usize = 32;

/// Bytes of a public key: the point, uncompressed (X9.62).
pub(super) const PUBLIC_BYTES: usize = 65;

/// A key pair. Who has its public key subscribes a browser for what it signs, and for nothing else,
/// so a pair that is changed loses every subscription.
pub struct VapidKeys {
    pair: EcdsaKeyPair,
    private: String,
    public: String,
}

/// Why a text is no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no base64url.
    #[error("the key is no base64url")]
    NotText,
    /// It has another length, such as a public key has.
    #[error("a private key has 32 bytes, 43 characters of base64url, and this has {bytes} bytes")]
    Length {
        /// How many bytes it has.
        bytes: usize,
    },
    /// No such key is on the curve.
    #[error("the key is none of P-256")]
    NotOnCurve,
}

impl VapidKeys {
    /// Another pair each time. Errors: the operating system gives no randomness.
    pub fn generate() -> Result<VapidKeys, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.map_err(|_| KeyError::NotOnCurve)?;
        let scalar = pair.private_key().as_be_bytes();
        let scalar = scalar.map_err(|_| KeyError::NotOnCurve)?;
        Ok(VapidKeys::of(pair, scalar.as_ref()))
    }

    /// Reads a private key of 32 bytes in base64url, as [`VapidKeys::private_key`] writes it.
    pub fn parse(private: &str) -> Result<VapidKeys, KeyError> {
        let scalar = decoded(private.trim()).ok_or(KeyError::NotText)?;
        if scalar.len() != PRIVATE_BYTES {
            let bytes = scalar.len();
            return Err(KeyError::Length { bytes });
        }
        let key = PrivateKey::from_private_key(&ECDH_P256, &scalar);
        let public = key.and_then(|key| Ok(key.compute_public_key()?));
        let public = public.map_err(|_| KeyError::NotOnCurve)?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &scalar,
            public.as_ref(),
        );
        let pair = pair.map_err(|_| KeyError::NotOnCurve)?;
        Ok(VapidKeys::of(pair, &scalar))
    }

    fn of(pair: EcdsaKeyPair, scalar: &[u8]) -> VapidKeys {
        VapidKeys {
            private: encoded(scalar),
            public: encoded(pair.public_key()),
            pair,
        }
    }

    /// What is to be kept, and kept secret: 43 characters.
    pub fn private_key(&self) -> &str {
        &self.private
    }

    /// What apps subscribe with, as `applicationServerKey`: 87 characters.
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// Signs by ES256: 64 bytes.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes());
        let signature = signature.expect("a key of P-256 signs any text");
        signature.as_ref().to_vec()
    }
}

impl fmt::Debug for VapidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VapidKeys({})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// The sender's pair of RFC 8291 section 5.
    const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const PUBLIC: &str =
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";

    fn verifies(keys: &VapidKeys, text: &str, signature: &[u8]) -> bool {
        let public = decoded(keys.public_key()).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        key.verify(text.as_bytes(), signature).is_ok()
    }

    #[test]
    fn a_published_pair_is_read_and_written_as_it_is_published() {
        let keys = VapidKeys::parse(PRIVATE).unwrap();
        assert_eq!((keys.private_key(), keys.public_key()), (PRIVATE, PUBLIC));
        let padded = format!(" {PRIVATE}=\n");
        assert_eq!(VapidKeys::parse(&padded).unwrap().private_key(), PRIVATE);
    }

    #[test]
    fn a_new_pair_is_another_one_and_is_read_as_it_was_written() {
        let (one, two) = (VapidKeys::generate().unwrap(), VapidKeys::generate());
        assert_ne!(one.private_key(), two.unwrap().private_key());
        assert_eq!((one.private_key().len(), one.public_key().len()), (43, 87));
        let read = VapidKeys::parse(one.private_key()).unwrap();
        assert_eq!(read.public_key(), one.public_key());
        let signature = read.sign("text");
        assert_eq!(signature.len(), 64);
        assert!(verifies(&one, "text", &signature));
        assert!(!verifies(&one, "texts", &signature));
    }

    #[test]
    fn what_is_no_private_key_is_refused_and_why() {
        let order = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";
        let zero = "A".repeat(43);
        for (text, why) in [
            ("", KeyError::Length { bytes: 0 }),
            (PUBLIC, KeyError::Length { bytes: 65 }),
            (&encoded([1; 31]), KeyError::Length { bytes: 31 }),
            (&encoded([1; 33]), KeyError::Length { bytes: 33 }),
            (&PRIVATE[..42], KeyError::NotText),
            ("-----BEGIN PRIVATE KEY-----", KeyError::NotText),
            (order, KeyError::NotOnCurve),
            (&zero, KeyError::NotOnCurve),
        ] {
            assert_eq!(VapidKeys::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_private_key_is_not_shown() {
        let shown = format!("{:?}", VapidKeys::parse(PRIVATE).unwrap());
        assert!(shown.contains(PUBLIC) && !shown.contains(PRIVATE));
    }
}
