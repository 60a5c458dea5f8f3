//! Stripe as the [`PaymentGateway`]: checkouts are begun over its HTTP API.
//!
//! [`config`](StripeConfig) is what an operator says, `form` what is sent, `reply` what an answer means.
//! A try is repeated with the same `Idempotency-Key` when nobody knows whether it was done, or Stripe says
//! so, a few times and with waits that grow: whoever buys is waiting. Stripe answers equal requests of one key
//! as it did the first, errors of 500 included, so what still fails then is tried later by whoever asked
//! (Stripe's docs, "Idempotent requests" and "Advanced error handling").

mod config;
mod form;
mod reply;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

pub use config::{
    API, RETURN_URL_BYTES_MAX, SECRETS_MAX, StripeConfig, TIMEOUT_MS, TIMEOUT_MS_CEILING,
    TIMEOUT_MS_MIN,
};

use self::config::Checked;
use self::form::Form;
use self::reply::Answered;
use super::event::Mode;
use super::gateway::{Begun, Checkout, GatewayError, PaymentGateway};
use super::signature::Verifier;
use crate::jobs::retry::RetryPolicy;
use crate::outgoing::client::{Sends, client};
use crate::outgoing::names::{Names, System};
use crate::outgoing::secret::Secret;

/// The version of Stripe's API that requests are written for and answers read by; events are read of all
/// [`RELEASES`](super::event::RELEASES).
pub const VERSION: &str = "2025-09-30.clover";

/// Tries of a checkout, and the waits between them: a user looks at a spinner meanwhile.
pub const TRIES: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    first_ms: 500,
    longest_ms: 2_000,
};

/// Connections that are kept while nothing is sent.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// Begins checkouts at Stripe.
pub struct Stripe {
    client: Client,
    checkouts: Url,
    secret_key: Secret,
    mode: Mode,
    webhooks: Verifier,
    success_url: String,
    cancel_url: String,
    /// How long an answer may take.
    timeout: Duration,
    tries: RetryPolicy,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stripe").field(&self.mode).finish()
    }
}

impl Stripe {
    /// Checks a config. Errors: everything that is wrong with it, a sentence each.
    pub fn of(config: &StripeConfig) -> Result<Stripe, Vec<String>> {
        Stripe::trying(config, TRIES)
    }

    /// The same, with other tries, for tests that wait for them.
    pub fn trying(config: &StripeConfig, tries: RetryPolicy) -> Result<Stripe, Vec<String>> {
        let checked = config.check()?;
        let names: Arc<dyn Names> = Arc::new(System);
        let sends = Sends {
            reach: checked.reach,
            is_plain: checked.api.scheme() == "http",
            idle_connections_max: IDLE_CONNECTIONS_MAX,
        };
        let client =
            client(&sends, &names).map_err(|why| vec![format!("credits: stripe: {why}")])?;
        Ok(Stripe::with(client, checked, tries))
    }

    fn with(client: Client, checked: Checked, tries: RetryPolicy) -> Stripe {
        Stripe {
            client,
            checkouts: checked.checkouts(),
            webhooks: Verifier::of(&checked.webhook_secrets),
            secret_key: checked.secret_key,
            mode: checked.mode,
            success_url: checked.success_url,
            cancel_url: checked.cancel_url,
            timeout: checked.timeout,
            tries,
        }
    }

    /// What knows Stripe's webhooks.
    pub fn webhooks(&self) -> &Verifier {
        &self.webhooks
    }

    /// Of which world its key is.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    async fn try_once(&self, key: &str, form: &str) -> Answered {
        let request = self
            .client
            .post(self.checkouts.clone())
            .timeout(self.timeout)
            .bearer_auth(self.secret_key.text())
            .header("stripe-version", VERSION)
            .header("idempotency-key", key)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned());
        match request.send().await {
            Ok(response) => reply::read(response, self.timeout).await,
            Err(error) => Answered::unknown(error, self.timeout),
        }
    }
}

#[async_trait]
impl PaymentGateway for Stripe {
    async fn begin(&self, checkout: &Checkout) -> Result<Begun, GatewayError> {
        let key = checkout.key.as_str();
        let form = Form::of(checkout, &self.success_url, &self.cancel_url).encoded();
        let mut attempt = 1;
        loop {
            let (error, asked_ms) = match self.try_once(key, &form).await {
                Answered::Begun(begun) => return Ok(begun),
                Answered::Never(error) => return Err(error),
                Answered::Again { error, wait_ms } => (error, wait_ms),
            };
            let wait_ms = self.tries.wait_ms(attempt, seed_of(key)).max(asked_ms);
            if attempt >= self.tries.attempts_max || asked_ms > self.tries.longest_ms {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            attempt += 1;
        }
    }
}

/// Keys are digests, so what is tried together does not come back together.
fn seed_of(key: &str) -> u64 {
    let bytes = key.bytes();
    bytes.fold(0, |seed: u64, byte| seed.rotate_left(5) ^ u64::from(byte))
}
