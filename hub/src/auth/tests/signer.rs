//! Keys that sign test tokens, and their public halves.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::NOW_S;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Ed,
    Ec,
    Rsa,
}

pub(super) struct Signer {
    pub(super) header: Header,
    key: EncodingKey,
    pub(super) jwk: Value,
}

impl Signer {
    /// An Ed25519 key called `kid`.
    pub(super) fn ed(kid: &str) -> Signer {
        Signer::new(Kind::Ed, kid)
    }

    pub(super) fn new(kind: Kind, kid: &str) -> Signer {
        let random = SystemRandom::new();
        let (algorithm, key) = match kind {
            Kind::Ed => {
                let der = Ed25519KeyPair::generate_pkcs8v1(&random).unwrap();
                (Algorithm::EdDSA, EncodingKey::from_ed_der(der.as_ref()))
            }
            Kind::Ec => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let der = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
                (Algorithm::ES256, EncodingKey::from_ec_der(der.as_ref()))
            }
            Kind::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
                // The key itself (PKCS#1) begins after the 26 bytes that PKCS#8 puts before it.
                let der = &der.as_ref()[26..];
                (Algorithm::RS256, EncodingKey::from_rsa_der(der))
            }
        };
        let jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(kid);
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.into());
        Signer { header, key, jwk }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        encode(&self.header, claims, &self.key).unwrap()
    }

    /// A good token for an hour.
    pub(super) fn token(&self, user: &str) -> String {
        self.sign(&json!({ "sub": user, "exp": NOW_S + 3_600 }))
    }

    /// A good token whose header says another key.
    pub(super) fn token_under(&self, kid: &str) -> String {
        let mut header = self.header.clone();
        header.kid = Some(kid.into());
        let claims = json!({ "sub": "ada", "exp": NOW_S + 3_600 });
        encode(&header, &claims, &self.key).unwrap()
    }
}
