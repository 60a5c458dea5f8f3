//! Where keys come from.

use std::sync::Arc;

use syncline_protocol::error::Refusal;

use super::claims::invalid;
use super::key::{Key, KeyNo, Lookup};
use super::{Algorithm, JwksSource, KeySet};

/// Where the keys of tokens come from.
#[derive(Debug)]
pub enum KeySource {
    /// The development issuer of this process.
    Dev(KeySet),
    /// An issuer's JWKS.
    Jwks(JwksSource),
    /// Both, the development issuer asked first.
    Both(KeySet, JwksSource),
}

impl KeySource {
    fn dev(&self) -> Option<&KeySet> {
        match self {
            KeySource::Dev(keys) | KeySource::Both(keys, _) => Some(keys),
            KeySource::Jwks(_) => None,
        }
    }

    /// The issuer that is asked over the network, if any.
    pub fn jwks(&self) -> Option<&JwksSource> {
        match self {
            KeySource::Jwks(jwks) | KeySource::Both(_, jwks) => Some(jwks),
            KeySource::Dev(_) => None,
        }
    }

    /// Whether it is known here what becomes of a token with such a header.
    pub(crate) fn knows(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        let is_known = |lookup: Lookup| !matches!(lookup, Lookup::Unknown);
        self.dev()
            .is_some_and(|keys| is_known(keys.find(kid, algorithm)))
            || self
                .jwks()
                .is_some_and(|jwks| is_known(jwks.look(kid, algorithm)))
    }

    /// The key of a token's header. Errors: `token_invalid`, `issuer_unavailable`.
    pub(crate) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now_ms: u64,
    ) -> Result<Arc<Key>, Refusal> {
        let here = match self.dev() {
            Some(keys) => keys.find(kid, algorithm),
            None => Lookup::Unknown,
        };
        match (here, self.jwks()) {
            (Lookup::Found(key), _) => Ok(key),
            (Lookup::Refused(refusal), _) => Err(refusal),
            (Lookup::Unknown, Some(jwks)) => jwks.find(kid, algorithm, now_ms).await,
            (Lookup::Unknown, None) => Err(invalid("the token's key is not known")),
        }
    }

    /// The key that has taken the place of `of`, which did not sign a token that names it.
    pub(crate) async fn find_instead(
        &self,
        of: &Key,
        kid: Option<&str>,
        now_ms: u64,
    ) -> Option<Arc<Key>> {
        // The development issuer's key is the one it has; it stands for no other.
        let jwks = self.jwks().filter(|_| of.number != KeyNo::FIXED)?;
        jwks.find_instead(of, kid, now_ms).await
    }

    /// Were keys ever read, be it that there were none? The development issuer's are here.
    pub(crate) fn is_known(&self) -> bool {
        self.dev().is_some() || self.jwks().is_some_and(JwksSource::has_keys)
    }

    /// Is the key still one of the issuer's?
    pub(crate) fn holds(&self, key: KeyNo) -> bool {
        self.dev().is_some_and(|keys| keys.holds(key))
            || self.jwks().is_some_and(|jwks| jwks.holds(key))
    }
}
