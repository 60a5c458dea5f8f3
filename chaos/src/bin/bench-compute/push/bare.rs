//! What nobody who sends a push can do without: a key pair of its own and its agreement with the
//! browser's, AES-128-GCM, and a signature (all of `aws-lc-rs`, as the hub).

use anyhow::{Context, Result};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

/// Bytes that a token signs, about.
const TOKEN_BYTES: usize = 200;

/// A browser, and who sends.
pub(super) struct Bare {
    public: Vec<u8>,
    signs: EcdsaKeyPair,
    random: SystemRandom,
}

impl Bare {
    pub(super) fn new(public: &[u8]) -> Result<Bare> {
        let signs = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Bare {
            public: public.to_vec(),
            signs: signs.ok().context("a key pair")?,
            random: SystemRandom::new(),
        })
    }

    /// Encrypts so many bytes for the browser, with a key pair that is used once.
    pub(super) fn encrypted(&self, bytes: usize) -> Result<usize> {
        let sealed = || -> Result<Vec<u8>, Unspecified> {
            let sender = PrivateKey::generate(&ECDH_P256)?;
            let theirs = UnparsedPublicKey::new(&ECDH_P256, self.public.as_slice());
            let key = agreement::agree(&sender, theirs, Unspecified, |shared| {
                UnboundKey::new(&AES_128_GCM, &shared[..16])
            })?;
            let mut text = vec![b'x'; bytes];
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), &mut text)?;
            Ok(text)
        };
        let sealed = sealed().ok().context("it is encrypted")?;
        Ok(std::hint::black_box(sealed).len())
    }

    /// Signs a token.
    pub(super) fn signed(&self) -> Result<usize> {
        let signature = self.signs.sign(&self.random, &[b'x'; TOKEN_BYTES]);
        let signature = signature.ok().context("it is signed")?;
        Ok(std::hint::black_box(signature).as_ref().len())
    }
}
