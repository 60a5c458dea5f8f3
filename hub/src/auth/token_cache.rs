//! Verified tokens, remembered by hash: a token is verified once, not at every request.

use moka::sync::Cache;

use super::claims::Identity;
use super::key::KeyPrint;

/// The SHA-256 of a whole token, signature included. The token itself is not kept.
pub(crate) type TokenHash = [u8; 32];

/// A token that was verified.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    /// Who it speaks for.
    pub(crate) identity: Identity,
    /// The key it was verified with. The entry is worth nothing once that key is gone.
    pub(crate) key: KeyPrint,
}

/// Bounded: the least used entries go first. An entry found past its time, or whose key is
/// gone, is dropped by the one who finds it.
#[derive(Debug)]
pub(crate) struct TokenCache(Cache<TokenHash, Verified>);

impl TokenCache {
    pub(crate) fn new(entries_max: u64) -> Self {
        TokenCache(Cache::new(entries_max))
    }

    pub(crate) fn get(&self, hash: &TokenHash) -> Option<Verified> {
        self.0.get(hash)
    }

    pub(crate) fn insert(&self, hash: TokenHash, verified: Verified) {
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
