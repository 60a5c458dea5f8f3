//! The verifier against a real issuer over HTTP. The time is passed in and fetches are counted,
//! so nothing here waits for a clock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use syncline_protocol::error::{Code, Retry};

use self::issuer::{Answer, TestIssuer};
use self::signer::{Kind, Signer};
use super::{Algorithm, DevIssuer, Identity, JwksSource, KeySet, KeySource, Verifier};
use crate::config::AuthConfig;
use crate::telemetry::Metrics;
use crate::telemetry::labels::AuthFailure;

mod issuer;
mod keys;
mod rotation;
mod signer;
mod tokens;

/// Now, and the seconds of it that tokens count in.
const NOW_MS: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW_MS / 1000;
/// A moment after which an unknown key may ask for a fetch again.
const LATER_MS: u64 = NOW_MS + 30_000;

fn verifier(url: &str) -> Verifier {
    verifier_with(url, &AuthConfig::default())
}

fn verifier_with(url: &str, config: &AuthConfig) -> Verifier {
    let jwks = JwksSource::new(url.parse().unwrap(), Duration::from_secs(5)).unwrap();
    Verifier::new(config, KeySource::Jwks(jwks), Arc::new(Metrics::new()))
}

async fn code(verifier: &Verifier, token: &str, now_ms: u64) -> Code {
    verifier.verify(token, now_ms).await.unwrap_err().code
}
