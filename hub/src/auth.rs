//! Who a token speaks for.
//!
//! [`Verifier`] answers that. Its keys come from a [`KeySource`]: the issuer's JWKS, read and
//! cached by [`jwks`], or the [`DevIssuer`] in this process, or both. What a token must claim is
//! in [`claims`]. Not here: what a user may do, and the sockets' own deadlines.

mod algorithm;
mod claims;
mod dev_issuer;
mod dev_key;
mod email;
mod jwks;
mod jwks_error;
mod key;
mod service_key;
mod source;
mod token_cache;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::Identity;
pub use dev_issuer::{DEV_TOKEN_TTL_S_MAX, DevIssuer};
pub use dev_key::{DEV_KEY_FILE, DevKeyError};
pub use email::email;
pub use jwks::JwksSource;
pub use jwks_error::JwksError;
pub use key::{KeyNo, KeySet};
pub use service_key::ServiceKey;
pub use source::KeySource;
pub use verifier::Verifier;

#[cfg(test)]
mod tests;
