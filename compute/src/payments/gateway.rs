//! The seam to who takes money: what is asked, and why it may not be had.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::UserId;

use super::packages::PackageConfig;

/// A checkout that is to be begun: a page where somebody pays for a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Who buys, and has the credits.
    pub user: UserId,
    /// What.
    pub package: PackageConfig,
    /// Equal keys of equal checkouts begin one.
    pub key: CheckoutKey,
}

/// What makes a checkout one, however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckoutKey(String);

impl CheckoutKey {
    /// Of what a user's client calls its request. Other users' requests have other keys, and the key says
    /// nothing of who it is.
    pub fn of(user: &UserId, request: &str) -> CheckoutKey {
        // The length says where one ends, whatever they hold.
        let named = format!("{}\n{user}{request}", user.as_str().len());
        let digest = Sha256::digest(named.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        CheckoutKey(format!("checkout-{hex}"))
    }

    /// The text: small letters, digits and a hyphen.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A checkout that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What the gateway calls it.
    pub id: String,
    /// The page where it is paid. Whoever has it may pay.
    pub url: String,
    /// When the page ends, in seconds; 0 if that was not said.
    pub expires_at_s: u64,
}

/// Why a checkout was not begun, by what follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Not now, or nobody knows: the same key may be tried again.
    #[error("payments_unavailable: {why}")]
    Unavailable {
        /// For people.
        why: String,
        /// No sooner than after so many milliseconds.
        wait_ms: u64,
    },
    /// The key was used for another checkout.
    #[error("checkout_key_reused: the key was used for another checkout")]
    KeyReused,
    /// What was asked can never be had: a price that is not there, a parameter that is not taken.
    #[error("checkout_refused: {0}")]
    Refused(String),
    /// The config's key is not taken.
    #[error("payments_unauthorized: {0}")]
    Unauthorized(String),
    /// It answered what cannot be read: nobody knows what it did.
    #[error("payments_unreadable: {0}")]
    Unreadable(String),
}

impl GatewayError {
    /// Its code, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            GatewayError::Unavailable { .. } => "payments_unavailable",
            GatewayError::KeyReused => "checkout_key_reused",
            GatewayError::Refused(_) => "checkout_refused",
            GatewayError::Unauthorized(_) => "payments_unauthorized",
            GatewayError::Unreadable(_) => "payments_unreadable",
        }
    }
}

/// Takes money.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// Begins a checkout. It may be dropped at any moment, and asked again with the same key. Errors: there
    /// is none, or it is not known.
    async fn begin(&self, checkout: &Checkout) -> Result<Begun, GatewayError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_a_user_and_a_request() {
        let key = |user, request| CheckoutKey::of(&UserId::trusted(user), request);
        assert_eq!(key("ada", "r1"), key("ada", "r1"));
        for (user, request) in [("ada", "r2"), ("bob", "r1"), ("ad", "ar1"), ("adar", "1")] {
            assert_ne!(key(user, request), key("ada", "r1"), "{user} {request}");
        }
        assert_eq!(key("ada", "r1").as_str().len(), 73);
        assert!(!key("ada", &"x".repeat(10_000)).as_str().contains("ada"));
    }
}
