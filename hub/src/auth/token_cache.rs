//! Verified tokens, remembered by hash: a token is verified once, not at every request.

use moka::sync::Cache;

use super::claims::Identity;

/// The SHA-256 of a whole token, signature included. The token itself is not kept.
pub(crate) type TokenHash = [u8; 32];

/// Bounded: the least used entries go first. An entry found past its time, or whose key is
/// gone, is dropped by the one who finds it.
#[derive(Debug)]
pub(crate) struct TokenCache(Cache<TokenHash, Identity>);

impl TokenCache {
    pub(crate) fn new(entries_max: u64) -> Self {
        TokenCache(Cache::new(entries_max))
    }

    pub(crate) fn get(&self, hash: &TokenHash) -> Option<Identity> {
        self.0.get(hash)
    }

    pub(crate) fn insert(&self, hash: TokenHash, verified: Identity) {
        self.0.insert(hash, verified);
    }

    pub(crate) fn remove(&self, hash: &TokenHash) {
        self.0.invalidate(hash);
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}
