//! The key that servers send: compared in constant time, never shown.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use serde::{Deserialize, Deserializer};

use crate::config::parse;

/// A shared secret of the operator's servers. Only its hash is kept, so the comparison tells
/// neither a matching beginning nor the length.
#[derive(Clone)]
pub struct ServiceKey(Digest);

impl ServiceKey {
    /// Of the secret's text. Errors: an empty secret, and one that no header can carry, which would
    /// never match.
    pub fn new(secret: &str) -> Result<ServiceKey, &'static str> {
        if secret.is_empty() {
            return Err("is empty");
        }
        let is_printable = secret.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_printable || secret.trim() != secret {
            return Err(
                "must be printable ASCII without spaces around it, since a header carries it",
            );
        }
        Ok(ServiceKey(digest(&SHA256, secret.as_bytes())))
    }

    /// Is this the key? Takes the same time whatever differs.
    pub fn matches(&self, given: &str) -> bool {
        let given = digest(&SHA256, given.as_bytes());
        verify_slices_are_equal(self.0.as_ref(), given.as_ref()).is_ok()
    }
}

impl PartialEq for ServiceKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_ref(), other.0.as_ref()).is_ok()
    }
}

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}

impl<'de> Deserialize<'de> for ServiceKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        ServiceKey::new(&parse::secret(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_matches() {
        let key = ServiceKey::new("correct horse").unwrap();
        assert!(key.matches("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!key.matches(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn key_that_no_header_carries_is_refused() {
        for secret in ["", "clé", "a\tb", "a\nb", "\u{7f}", " a", "a ", " "] {
            assert!(ServiceKey::new(secret).is_err(), "{secret:?}");
        }
        assert!(ServiceKey::new("!~ aZ09").is_ok());
    }

    #[test]
    fn key_is_not_shown() {
        let key = ServiceKey::new("correct horse").unwrap();
        assert_eq!(format!("{key:?}"), "ServiceKey(…)");
    }
}
