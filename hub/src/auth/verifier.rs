//! From a token's text to who it speaks for.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use syncline_protocol::error::Refusal;
use syncline_protocol::object::Object;

use super::claims::{Claims, Expected, Identity, expired, invalid};
use super::key::{Key, KeyNo};
use super::token_cache::{TokenCache, TokenHash};
use super::{Algorithm, KeySource};
use crate::config::AuthConfig;
use crate::telemetry::Metrics;

/// Bytes of a token. A longer one is refused unread.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Verifies tokens. Shared by all sockets and requests.
#[derive(Debug)]
pub struct Verifier {
    keys: KeySource,
    algorithms: Vec<Algorithm>,
    expected: Expected,
    cache: TokenCache,
    metrics: Arc<Metrics>,
}

impl Verifier {
    /// Takes the tokens `config` allows, signed by a key of `keys`. Refusals are counted in
    /// `metrics`.
    pub fn new(config: &AuthConfig, keys: KeySource, metrics: Arc<Metrics>) -> Verifier {
        Verifier {
            keys,
            algorithms: config.algorithms.clone(),
            expected: Expected {
                issuer: config.issuer.clone(),
                audience: config.audience.clone(),
            },
            cache: TokenCache::new(config.cached_tokens_max),
            metrics,
        }
    }

    /// Who the token speaks for at `now_ms`. Waits for the network only if the token's key is
    /// not known here. Errors: `token_invalid`, `token_expired`, `issuer_unavailable`.
    pub async fn verify(&self, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
        let verified = self.verify_uncounted(token, now_ms).await;
        verified.inspect_err(|refusal| self.refused(refusal))
    }

    /// Counts somebody who is not let in for another reason than a bad token.
    pub fn refused(&self, refusal: &Refusal) {
        self.metrics.auth_failures.inc(refusal.code.into());
    }

    /// The same for a token that is shown once, as a socket's is: it is not remembered, since
    /// that would cost more for as long as the socket lives than verifying it again.
    pub async fn verify_once(&self, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
        let verified = self
            .verified(token, now_ms)
            .await
            .map(|(identity, _)| identity);
        if let Err(refusal) = &verified {
            self.metrics.auth_failures.inc(refusal.code.into());
        }
        verified
    }

    /// Is the key that a token was verified with still one of the issuer's? If not, the token is
    /// over, whatever its `exp`.
    pub fn holds(&self, key: KeyNo) -> bool {
        self.keys.holds(key)
    }

    /// Were the issuer's keys ever read? Before, every token is refused. The development issuer's
    /// are always there.
    pub fn has_keys(&self) -> bool {
        self.keys.is_known()
    }

    /// Reads the issuer's keys again, if there is an issuer to ask. False if that failed; the
    /// keys of before then stay.
    pub async fn refresh(&self, now_ms: u64) -> bool {
        match self.keys.jwks() {
            Some(jwks) => jwks.refresh(now_ms).await,
            None => true,
        }
    }

    /// Verified tokens remembered now, those included whose time is over.
    pub fn cached_tokens(&self) -> u64 {
        self.cache.len()
    }

    async fn verify_uncounted(&self, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
        let (identity, fresh) = self.verified(token, now_ms).await?;
        if let Some(hash) = fresh {
            self.cache.insert(hash, identity.clone());
        }
        Ok(identity)
    }

    /// Who a token speaks for; and its hash if it was verified just now and is not remembered.
    async fn verified(
        &self,
        token: &str,
        now_ms: u64,
    ) -> Result<(Identity, Option<TokenHash>), Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid("the token is too long"));
        }
        let hash = hash(token);
        if let Some(known) = self.cached(&hash) {
            if known.expires_at_ms > now_ms {
                return Ok((known, None));
            }
            self.cache.remove(&hash);
            return Err(expired());
        }
        let header = self.header(token)?;
        let kid = header.kid.as_deref();
        if !self.keys.knows(kid, header.algorithm) {
            // Whoever signed it, it would be refused: the issuer is not asked about its key.
            let claims = unproven(token)?;
            claims.identity(&self.expected, KeyNo::FIXED, now_ms)?;
        }
        let key = self.keys.find(kid, header.algorithm, now_ms).await?;
        let mut claims = signed(token, &key);
        if matches!(claims, Err(NotSigned::BadSignature))
            && let Some(other) = self.keys.find_instead(&key, kid, now_ms).await
        {
            claims = signed(token, &other);
        }
        let (claims, key) = claims.map_err(|_| invalid("the token cannot be verified"))?;
        let identity = claims.identity(&self.expected, key, now_ms)?;
        Ok((identity, Some(hash)))
    }

    /// A remembered token whose key is still there. One whose key is gone is forgotten here.
    fn cached(&self, hash: &TokenHash) -> Option<Identity> {
        let known = self.cache.get(hash)?;
        if self.holds(known.key) {
            return Some(known);
        }
        self.cache.remove(hash);
        None
    }

    /// What the token's header asks for, if the algorithm is one the config allows.
    fn header(&self, token: &str) -> Result<Asked, Refusal> {
        let header = decode_header(token).map_err(|_| invalid("this is no signed token"))?;
        let algorithm = Algorithm::of_header(header.alg)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or_else(|| invalid("the token's algorithm is not allowed here"))?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: what must be understood and is not makes the token invalid.
            return Err(invalid("the token has critical extensions"));
        }
        Ok(Asked {
            algorithm,
            kid: header.kid,
        })
    }
}

/// The key a token asks for.
struct Asked {
    algorithm: Algorithm,
    kid: Option<String>,
}

/// Why a token says nothing.
enum NotSigned {
    /// The key did not sign it.
    BadSignature,
    /// It cannot be read.
    Unreadable,
}

/// What a token claims, whoever signed it.
fn unproven(token: &str) -> Result<Claims, Refusal> {
    let claims = insecure_decode_claims::<Object<Claims>>(token);
    let Object(claims) = claims.map_err(|_| invalid("the token cannot be read"))?;
    Ok(claims)
}

/// What a token claims, if the key signed it, and the key's number.
fn signed(token: &str, key: &Key) -> Result<(Claims, KeyNo), NotSigned> {
    match decode(token, &key.decoding, &signature_only(key.algorithm)) {
        Ok(token) => {
            let Object(claims) = token.claims;
            Ok((claims, key.number))
        }
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {
            Err(NotSigned::BadSignature)
        }
        Err(_) => Err(NotSigned::Unreadable),
    }
}

/// The library checks the signature; claims are ours, because it reads the clock itself and
/// lets a wrong type pass as absent.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.for_decoding());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
