//! What an operator says of Stripe, and what is wrong with it.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use crate::outgoing::address;
use crate::outgoing::guard::Reach;
use crate::outgoing::secret::Secret;
use crate::payments::event::Mode;

/// Where Stripe is.
pub const API: &str = "https://api.stripe.com";

/// How long an answer may take by default, all of it, in milliseconds.
pub const TIMEOUT_MS: u64 = 10_000;

/// The shortest such time.
pub const TIMEOUT_MS_MIN: u64 = 100;

/// The longest.
pub const TIMEOUT_MS_CEILING: u64 = 80_000;

/// Secrets of the webhook at once: the one it has, and those that it is rolled from and to.
pub const SECRETS_MAX: usize = 4;

/// Bytes of an address that a checkout returns to.
pub const RETURN_URL_BYTES_MAX: usize = 2 << 10;

/// Bytes of a key or secret of Stripe's.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// How keys of the API begin, secret ones and restricted ones.
const KEYS: [(&str, Mode); 4] = [
    ("sk_live_", Mode::Live),
    ("rk_live_", Mode::Live),
    ("sk_test_", Mode::Test),
    ("rk_test_", Mode::Test),
];

/// How Stripe is reached, `[credits.stripe]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeConfig {
    /// The key of its API, `sk_live_…` or, better, a restricted one that may write Checkout Sessions,
    /// `rk_live_…`. It is never shown.
    pub secret_key: Secret,
    /// What signs its webhooks, `whsec_…`: several while one is rolled. They are never shown.
    pub webhook_secrets: Vec<Secret>,
    /// Where a browser goes that has paid. `{CHECKOUT_SESSION_ID}` in it stands for the checkout.
    pub success_url: String,
    /// Where one goes that has not.
    pub cancel_url: String,
    /// How long an answer may take, all of it, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Where Stripe is, for tests.
    #[serde(default = "api")]
    pub api: String,
    /// What is there is in the cluster: at private addresses, also without TLS.
    #[serde(default)]
    pub private: bool,
}

fn timeout_ms() -> u64 {
    TIMEOUT_MS
}

fn api() -> String {
    API.to_owned()
}

/// A config that was checked.
pub(super) struct Checked {
    pub(super) api: Url,
    pub(super) reach: Reach,
    pub(super) secret_key: Secret,
    pub(super) mode: Mode,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) success_url: String,
    pub(super) cancel_url: String,
    pub(super) timeout: Duration,
}

impl Checked {
    /// Where checkouts are begun.
    pub(super) fn checkouts(&self) -> Url {
        let mut url = self.api.clone();
        url.set_path("/v1/checkout/sessions");
        url
    }
}

impl StripeConfig {
    /// Nothing secret is repeated in what is wrong. Errors: all of it, a sentence each.
    pub(super) fn check(&self) -> Result<Checked, Vec<String>> {
        let mut wrong = Vec::new();
        let mode = mode_of(self.secret_key.text());
        if mode.is_none() {
            wrong.push("secret_key: sk_live_…, rk_live_…, sk_test_… or rk_test_…".to_owned());
        }
        self.check_webhooks(&mut wrong);
        for (name, url) in [
            ("success_url", &self.success_url),
            ("cancel_url", &self.cancel_url),
        ] {
            if !is_page(url, self.private) {
                wrong.push(format!(
                    "{name}: an https address of at most {RETURN_URL_BYTES_MAX} bytes"
                ));
            }
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_CEILING).contains(&self.timeout_ms) {
            wrong.push(format!(
                "timeout_ms: between {TIMEOUT_MS_MIN} and {TIMEOUT_MS_CEILING}"
            ));
        }
        let reach = match self.private {
            true => Reach::Cluster,
            false => Reach::Public,
        };
        let (api, found) = address::checked(&self.api, reach, &[]);
        wrong.extend(found.iter().map(|why| format!("api: {why}")));
        match (api, mode) {
            (Some(api), Some(mode)) if wrong.is_empty() => Ok(Checked {
                api,
                reach,
                secret_key: self.secret_key.clone(),
                mode,
                webhook_secrets: self.webhook_secrets.clone(),
                success_url: self.success_url.clone(),
                cancel_url: self.cancel_url.clone(),
                timeout: Duration::from_millis(self.timeout_ms),
            }),
            _ => Err(wrong
                .iter()
                .map(|why| format!("credits: stripe: {why}"))
                .collect()),
        }
    }

    fn check_webhooks(&self, wrong: &mut Vec<String>) {
        if !(1..=SECRETS_MAX).contains(&self.webhook_secrets.len()) {
            wrong.push(format!("webhook_secrets: 1 to {SECRETS_MAX}"));
        }
        let is_secret = |text: &str| text.starts_with("whsec_") && is_key(text);
        if !self
            .webhook_secrets
            .iter()
            .all(|secret| is_secret(secret.text()))
        {
            wrong.push("webhook_secrets: whsec_…, as Stripe shows it".to_owned());
        }
    }
}

fn mode_of(key: &str) -> Option<Mode> {
    let found = KEYS.iter().find(|(begins, _)| key.starts_with(begins));
    found.filter(|_| is_key(key)).map(|(_, mode)| *mode)
}

/// What can be sent in a header.
fn is_key(text: &str) -> bool {
    KEY_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A page of the app's, which a browser is sent to.
fn is_page(text: &str, is_private: bool) -> bool {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let is_web = |url: Url| url.scheme() == "https" || (is_private && url.scheme() == "http");
    text.len() <= RETURN_URL_BYTES_MAX && url.is_some_and(is_web)
}
