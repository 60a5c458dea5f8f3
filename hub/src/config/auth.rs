//! Who may come in: where keys come from, which tokens are taken.

use std::net::SocketAddr;

use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Problems, parse, shown};
use crate::auth::{Algorithm, ServiceKey};

/// Tokens, keys and origins.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Run the development issuer, as `--dev` does: anyone who reaches the listener gets a
    /// token for any user, so the listener must be a loopback address. Default false.
    pub dev: bool,
    /// Where the issuer publishes its public keys (RFC 7517). Needed unless `dev`.
    #[serde(deserialize_with = "url", serialize_with = "shown::maybe")]
    pub jwks_url: Option<Url>,
    /// Seconds between two reads of the keys: how long a removed key may still be taken. 1 to
    /// 86,400, default 300.
    pub jwks_refresh_s: u64,
    /// Milliseconds one read of the keys may take. 100 to 60,000, default 5,000.
    pub jwks_timeout_ms: u64,
    /// What `iss` must be. Default: not checked.
    pub issuer: Option<String>,
    /// What `aud` must be or contain. Default: not checked.
    pub audience: Option<String>,
    /// The signatures taken: EdDSA, ES256, RS256. Default EdDSA alone.
    #[serde(deserialize_with = "algorithms", serialize_with = "shown::list")]
    pub algorithms: Vec<Algorithm>,
    /// What servers send to act for a user or on all of them. Default: none, and those routes
    /// are closed.
    #[serde(serialize_with = "shown::secret")]
    pub service_key: Option<ServiceKey>,
    /// The web pages that may connect, as `https://app.example`. Requests without an `Origin`
    /// come from no page and are not asked. Default: none; `dev` adds `http://localhost:5173`
    /// and `:5188`.
    #[serde(deserialize_with = "origins")]
    pub origins: Vec<String>,
    /// Verified tokens remembered, so that the next request with one is cheap. The least used
    /// go first; 0 remembers none. Up to 10,000,000, default 100,000.
    pub cached_tokens_max: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        AuthConfig {
            dev: false,
            jwks_url: None,
            jwks_refresh_s: 300,
            jwks_timeout_ms: 5_000,
            issuer: None,
            audience: None,
            algorithms: vec![Algorithm::EdDsa],
            service_key: None,
            origins: Vec::new(),
            cached_tokens_max: 100_000,
        }
    }
}

/// Pages of the first user's apps in development; allowed with `dev`.
const DEV_ORIGINS: [&str; 2] = ["http://localhost:5173", "http://localhost:5188"];

impl AuthConfig {
    /// The web pages that may connect: those listed, and with `dev` those of development.
    pub fn allowed_origins(&self) -> Vec<String> {
        let dev = DEV_ORIGINS.iter().filter(|_| self.dev);
        let listed = self.origins.iter().cloned();
        listed.chain(dev.map(ToString::to_string)).collect()
    }

    pub(super) fn check(&self, listen: SocketAddr, problems: &mut Problems) {
        if self.dev && !listen.ip().is_loopback() {
            problems.push(
                "listen",
                format!("is {listen}, but the development issuer gives a token to anyone: use 127.0.0.1 or leave out --dev"),
            );
        }
        if !self.dev && self.jwks_url.is_none() {
            problems.push(
                "auth.jwks_url",
                "is not set, so no token could be verified; set it, or use --dev on your own machine",
            );
        }
        if self.algorithms.is_empty() {
            problems.push("auth.algorithms", "is empty, so no token could be verified");
        }
        if self.dev && !self.algorithms.contains(&Algorithm::EdDsa) {
            problems.push(
                "auth.algorithms",
                "must hold EdDSA for the development issuer",
            );
        }
        problems.range("auth.jwks_refresh_s", self.jwks_refresh_s, 1..=86_400);
        problems.range("auth.jwks_timeout_ms", self.jwks_timeout_ms, 100..=60_000);
        problems.range(
            "auth.cached_tokens_max",
            self.cached_tokens_max,
            0..=10_000_000,
        );
    }
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    parse::text(from, parse_url).map(Some)
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("may not hold a user name or password: it appears in logs".into());
    }
    Ok(url)
}

fn algorithms<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Algorithm>, D::Error> {
    parse::list(from, Algorithm::parse)
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    parse::list(from, parse_origin)
}

/// An origin in the form browsers send (RFC 6454 §6.2), so that comparing is equality.
fn parse_origin(text: &str) -> Result<String, String> {
    let sent = parse_url(text)?.origin().ascii_serialization();
    if sent == text {
        Ok(sent)
    } else {
        Err(format!("browsers send {sent}; write it so"))
    }
}
