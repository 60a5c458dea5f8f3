//! An issuer's keys over HTTP: cached, rotated, and never fetched as often as tokens ask.
//!
//! All fetches run in a task of their own, one at a time, and whoever needs the outcome waits
//! for it: a hundred tokens with an unknown key make one fetch, and a client that goes away
//! does not cancel it for the others. The last good answer serves until the next good answer.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use syncline_protocol::error::{Code, Refusal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::claims::invalid;
use super::key::{Key, KeyNo, Lookup};
use super::{Algorithm, JwksError, KeySet};

/// Milliseconds between two fetches that unknown keys ask for, and between two that bad signatures
/// ask for. Others do not count: a key that is new right after a scheduled fetch is found at once,
/// and forged signatures hold up nobody whose key is new.
const ASKED_FOR_EVERY_MS: u64 = 30_000;

/// The same while no fetch has succeeded yet: the hub may have been started before its issuer.
const NO_KEYS_EVERY_MS: u64 = 2_000;

/// Bytes of a JWKS. A longer answer counts as a failed fetch.
const BODY_BYTES_MAX: usize = 256 << 10;

/// The keys of the issuer at a URL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JwksSource(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    url: Url,
    client: Client,
    /// Written only by [`JwksSource::start`].
    started: Mutex<Started>,
    /// Written only by the task of a fetch.
    outcome: watch::Sender<Outcome>,
}

/// The fetches begun.
#[derive(Debug, Default)]
struct Started {
    /// How many so far.
    count: u64,
    /// When the last one began, ms since 1970.
    at_ms: Option<u64>,
    /// When the last one began that an unknown key asked for, ms since 1970.
    for_unknown_at_ms: Option<u64>,
    /// When the last one began that a bad signature asked for, ms since 1970.
    for_signature_at_ms: Option<u64>,
}

impl Started {
    /// Is it too early for a fetch for this reason?
    fn too_early(&self, reason: Reason, has_keys: bool, now_ms: u64) -> bool {
        let (last, every_ms) = match (reason, has_keys) {
            (Reason::Schedule, _) => return false,
            (_, false) => (self.at_ms, NO_KEYS_EVERY_MS),
            (Reason::UnknownKey, true) => (self.for_unknown_at_ms, ASKED_FOR_EVERY_MS),
            (Reason::BadSignature, true) => (self.for_signature_at_ms, ASKED_FOR_EVERY_MS),
        };
        // The clock may have been set back; then the distance counts too.
        last.is_some_and(|last| now_ms.abs_diff(last) < every_ms)
    }
}

/// What the fetches brought.
#[derive(Clone, Debug)]
struct Outcome {
    /// Fetches ended so far.
    count: u64,
    /// Did the last one succeed?
    succeeded: bool,
    /// Of the last that succeeded.
    keys: Option<Arc<KeySet>>,
    /// The last number a key was given.
    last_number: KeyNo,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            count: 0,
            succeeded: false,
            keys: None,
            last_number: KeyNo::FIXED,
        }
    }
}

impl Outcome {
    fn look(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup {
        match &self.keys {
            Some(keys) => keys.find(kid, algorithm),
            None => Lookup::Unknown,
        }
    }

    /// Whether the issuer had a key of that name and has it no more, by two answers in a row.
    fn has_lost(&self, kid: Option<&str>) -> bool {
        let keys = self.keys.as_ref();
        kid.is_some_and(|kid| keys.is_some_and(|keys| keys.has_lost(kid)))
    }
}

/// Who asks for a fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A token with an unknown key; fetches at most so often.
    UnknownKey,
    /// A token that its key did not sign, be it because another has taken the key's name; fetches
    /// at most so often.
    BadSignature,
    /// The node's own schedule; fetches always.
    Schedule,
}

/// Whether a fetch was made for whoever asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetch {
    /// It was, or one was under way.
    Done,
    /// It was too early for another.
    HeldBack,
}

impl JwksSource {
    /// Nothing is fetched yet. `timeout` is for one whole fetch. Errors: TLS cannot be set up,
    /// for want of root certificates.
    pub fn new(url: Url, timeout: Duration) -> Result<JwksSource, JwksError> {
        let mut client = Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // No TLS, so no roots: a machine without any can still read it.
            client = client.tls_certs_only([]);
        }
        if is_local(&url) {
            client = client.no_proxy();
        }
        Ok(JwksSource(Arc::new(Shared {
            url,
            client: client.build()?,
            started: Mutex::new(Started::default()),
            outcome: watch::Sender::new(Outcome::default()),
        })))
    }

    /// Fetches now, or joins the fetch that is under way. True if it succeeded. What it found
    /// replaces the keys; if it failed, those of before stay.
    pub async fn refresh(&self, now_ms: u64) -> bool {
        self.fetch(Reason::Schedule, now_ms).await.1.succeeded
    }

    /// What the last good answer says of a token's key.
    pub(super) fn look(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup {
        self.0.outcome.borrow().look(kid, algorithm)
    }

    /// The key of a token's header. Errors: `token_invalid`; `issuer_unavailable` if the key is
    /// unknown, never was the issuer's, and the issuer cannot be asked now or did not answer, since
    /// it might know it.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now_ms: u64,
    ) -> Result<Arc<Key>, Refusal> {
        let mut known = self.look(kid, algorithm);
        let mut unknown = invalid("the token's key is not known");
        if matches!(known, Lookup::Unknown) {
            let (fetch, outcome) = self.fetch(Reason::UnknownKey, now_ms).await;
            known = outcome.look(kid, algorithm);
            if outcome.has_lost(kid) {
                // It was one of the issuer's and is not any more: a new token has another.
            } else if !outcome.succeeded {
                unknown = unavailable("the issuer's keys cannot be had now");
            } else if fetch == Fetch::HeldBack {
                // A new token would have the same key: whoever has this one must only wait.
                unknown = unavailable("the issuer's keys were read a moment ago without this one");
            }
        }
        match known {
            Lookup::Found(key) => Ok(key),
            Lookup::Refused(refusal) => Err(refusal),
            Lookup::Unknown => Err(unknown),
        }
    }

    /// The key that has taken the place of one which did not sign a token of its name. `None` if
    /// there is none, as far as the issuer may be asked now.
    pub(super) async fn find_instead(
        &self,
        of: &Key,
        kid: Option<&str>,
        now_ms: u64,
    ) -> Option<Arc<Key>> {
        let (_, outcome) = self.fetch(Reason::BadSignature, now_ms).await;
        match outcome.keys?.find(kid, of.algorithm) {
            Lookup::Found(key) if key.number != of.number => Some(key),
            _ => None,
        }
    }

    /// Were the keys ever read?
    pub(super) fn has_keys(&self) -> bool {
        self.0.outcome.borrow().keys.is_some()
    }

    pub(super) fn holds(&self, key: KeyNo) -> bool {
        let outcome = self.0.outcome.borrow();
        outcome.keys.as_ref().is_some_and(|keys| keys.holds(key))
    }

    /// The outcome of the fetch that now begins or is under way; of the last one, if it is too
    /// early for another.
    async fn fetch(&self, reason: Reason, now_ms: u64) -> (Fetch, Outcome) {
        let (fetch, wanted) = self.start(reason, now_ms);
        let mut outcome = self.0.outcome.subscribe();
        let ended = outcome.wait_for(|outcome| outcome.count >= wanted).await;
        (fetch, ended.expect("the sender lives in self").clone())
    }

    /// Begins a fetch if it is time for one. Returns the number of the fetch to wait for.
    fn start(&self, reason: Reason, now_ms: u64) -> (Fetch, u64) {
        let mut started = self
            .0
            .started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (ended, has_keys) = {
            let outcome = self.0.outcome.borrow();
            (outcome.count, outcome.keys.is_some())
        };
        if started.count > ended {
            return (Fetch::Done, started.count);
        }
        if started.too_early(reason, has_keys, now_ms) {
            return (Fetch::HeldBack, started.count);
        }
        started.count += 1;
        started.at_ms = Some(now_ms);
        match reason {
            Reason::UnknownKey if has_keys => started.for_unknown_at_ms = Some(now_ms),
            Reason::BadSignature => started.for_signature_at_ms = Some(now_ms),
            Reason::UnknownKey | Reason::Schedule => {}
        }
        tokio::spawn(self.clone().run(started.count));
        (Fetch::Done, started.count)
    }

    /// One fetch, from its beginning to its outcome.
    async fn run(self, count: u64) {
        let fetched = AssertUnwindSafe(self.0.fetch_keys()).catch_unwind().await;
        let fetched = fetched.unwrap_or(Err(JwksError::Panicked));
        let url = &self.0.url;
        match &fetched {
            Ok(keys) if keys.is_empty() => warn!(%url, "the issuer has no key this hub can use"),
            Ok(keys) => info!(%url, keys = keys.len(), "read the issuer's keys"),
            Err(error) => warn!(%url, %error, "could not read the issuer's keys"),
        }
        self.0.outcome.send_modify(|outcome| {
            outcome.count = count;
            outcome.succeeded = fetched.is_ok();
            if let Ok(keys) = fetched {
                let keys = keys.numbered(outcome.keys.as_deref(), &mut outcome.last_number);
                outcome.keys = Some(Arc::new(keys));
            }
        });
    }
}

impl Shared {
    async fn fetch_keys(&self) -> Result<KeySet, JwksError> {
        let response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(JwksError::Status(response.status()));
        }
        Ok(KeySet::parse(&limited_body(response).await?)?)
    }
}

async fn limited_body(mut response: Response) -> Result<Vec<u8>, JwksError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(JwksError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unavailable(why: &str) -> Refusal {
    Refusal::new(Code::IssuerUnavailable, why)
}

/// Is it this machine, which no proxy reaches?
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
