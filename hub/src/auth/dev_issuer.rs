//! An issuer for development: gives anyone a token for any user. The config refuses it on a
//! listener that others can reach.

use std::ops::RangeInclusive;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use syncline_protocol::error::{Code, Refusal};

use super::claims::parse_user;
use super::{DevKeyError, KeySet, dev_key};
use crate::config::AuthConfig;

/// Seconds a development token may be valid: a year. More is refused with `bad_message`.
pub const DEV_TOKEN_TTL_S_MAX: u64 = 366 * 24 * 3_600;

const TTL_S: RangeInclusive<u64> = 1..=DEV_TOKEN_TTL_S_MAX;

/// Signs tokens with the key of the data directory.
pub struct DevIssuer {
    header: Header,
    key: EncodingKey,
    jwks: String,
    issuer: Option<String>,
    audience: Option<String>,
    push_key: String,
}

impl std::fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevIssuer").finish_non_exhaustive()
    }
}

impl DevIssuer {
    /// With the key of `data_dir`, made if there is none. Tokens claim the issuer and audience
    /// that `config` asks for.
    pub fn open(data_dir: &Path, config: &AuthConfig) -> Result<DevIssuer, DevKeyError> {
        let pkcs8 = dev_key::load_or_create(data_dir)?;
        let not_a_key = |_| DevKeyError::NotAKey(data_dir.join(dev_key::DEV_KEY_FILE));
        let key = EncodingKey::from_ed_der(&pkcs8);
        let algorithm = jsonwebtoken::Algorithm::EdDSA;
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).map_err(not_a_key)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(not_a_key)?;
        jwk.common.key_id = Some(kid.clone());
        let mut header = Header::new(algorithm);
        header.kid = Some(kid);
        let jwk = serde_json::to_string(&jwk).expect("a key is plain data");
        Ok(DevIssuer {
            header,
            key,
            jwks: format!(r#"{{"keys":[{jwk}]}}"#),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            push_key: push_key(&pkcs8),
        })
    }

    /// A private key for Web Push, which lasts as long as the issuer's own.
    pub fn push_key(&self) -> &str {
        &self.push_key
    }

    /// A token for `user`, valid for `ttl_s` seconds from `now_ms`. Errors: `name_invalid`,
    /// and `bad_message` for a time out of range.
    pub fn token(&self, user: &str, ttl_s: u64, now_ms: u64) -> Result<String, Refusal> {
        #[derive(Serialize)]
        struct Claims<'a> {
            sub: &'a str,
            iat: u64,
            exp: u64,
            /// Nobody's: example.com has no mail.
            email: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            iss: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            aud: Option<&'a str>,
        }
        let user =
            parse_user(user).map_err(|refusal| Refusal::new(Code::NameInvalid, refusal.message))?;
        if !TTL_S.contains(&ttl_s) {
            let message = format!("ttl_s must be 1 to {DEV_TOKEN_TTL_S_MAX}");
            return Err(Refusal::new(Code::BadMessage, message));
        }
        let now_s = now_ms / 1000;
        let claims = Claims {
            sub: user.as_str(),
            iat: now_s,
            exp: now_s + ttl_s,
            email: format!("{user}@example.com"),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        encode(&self.header, &claims, &self.key)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))
    }

    /// The public key as a JWKS.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The public key for a verifier in this process.
    pub fn keys(&self) -> KeySet {
        KeySet::parse(self.jwks.as_bytes()).expect("the issuer's own JWKS")
    }
}

/// 32 bytes that follow from the issuer's key: a scalar of P-256, but for a chance of one in 2^32.
fn push_key(pkcs8: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(b"a key for Web Push");
    hash.update(pkcs8);
    URL_SAFE_NO_PAD.encode(hash.finish())
}
