//! Sends a message to a push service (RFC 8030).

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use syncline_protocol::stamp::WallMs;

use super::config::PushConfig;
use super::delivery::{self, Delivery};
use super::encrypt::{EncryptError, encrypted};
use super::message::{Push, TTL_S_MAX};
use super::subscription::{Places, Subscription, SubscriptionError, SubscriptionText};
use super::vapid::Sender;
use crate::outgoing::answer::said;
use crate::outgoing::client::{Sends, client};
use crate::outgoing::guard::Reach;
use crate::outgoing::names::{Names, System};

/// Connections to a push service that are kept while nothing is sent: a few services have nearly all
/// browsers.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Sends messages to the push services of browsers.
#[derive(Debug)]
pub struct PushService {
    client: Client,
    sender: Sender,
    places: Places,
    /// How long the whole answer may take.
    timeout: Duration,
}

/// A message as it leaves.
pub struct Sealed {
    /// What only the browser can read.
    pub body: Vec<u8>,
    /// Who sends it, for the push service: signed anew for each, twice a day.
    pub authorization: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.body.len())
    }
}

impl PushService {
    /// Errors: everything that is wrong with the config, a sentence each.
    pub fn of(config: &PushConfig) -> Result<PushService, Vec<String>> {
        PushService::named_by(config, &(Arc::new(System) as Arc<dyn Names>))
    }

    pub(super) fn named_by(
        config: &PushConfig,
        names: &Arc<dyn Names>,
    ) -> Result<PushService, Vec<String>> {
        let keys = config.check()?;
        let reach = match config.private {
            true => Reach::Cluster,
            false => Reach::Public,
        };
        let sends = Sends {
            reach,
            is_plain: false,
            idle_connections_max: IDLE_CONNECTIONS_MAX,
        };
        let failed = |why: String| vec![format!("push: {why}")];
        Ok(PushService {
            client: client(&sends, names).map_err(failed)?,
            sender: Sender::new(keys, &config.contact).map_err(failed)?,
            places: Places {
                reach,
                ports: config.ports.clone(),
            },
            timeout: Duration::from_millis(config.timeout_ms),
        })
    }

    /// What apps subscribe with, as `applicationServerKey`.
    pub fn public_key(&self) -> &str {
        self.sender.keys().public_key()
    }

    /// Checks what a browser says of itself. Errors: the first thing that is wrong.
    pub fn subscription(&self, text: &SubscriptionText) -> Result<Subscription, SubscriptionError> {
        self.places.check(text)
    }

    /// Encrypts a message and says who sends it. Errors: it is too large, or randomness fails.
    pub fn sealed(
        &self,
        to: &Subscription,
        push: &Push,
        now_ms: WallMs,
    ) -> Result<Sealed, EncryptError> {
        Ok(Sealed {
            body: encrypted(&push.payload, &to.recipient)?,
            authorization: self.sender.authorization(&to.endpoint, now_ms),
        })
    }

    /// Sends a message once. A push service that took one and did not say so is sent it again by
    /// whoever tries again: the payload should name it, so that it is shown once.
    pub async fn send(&self, to: &Subscription, push: &Push, now_ms: WallMs) -> Delivery {
        let sealed = match self.sealed(to, push, now_ms) {
            Ok(sealed) => sealed,
            Err(error) => return error.into(),
        };
        let mut request = self
            .client
            .post(to.endpoint.clone())
            .timeout(self.timeout)
            .header(AUTHORIZATION, sealed.authorization)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("ttl", push.ttl_s.min(TTL_S_MAX))
            .header("urgency", push.urgency.as_str());
        if let Some(topic) = &push.topic {
            request = request.header("topic", topic.as_str());
        }
        match request.body(sealed.body).send().await {
            Ok(response) => delivery::read(response, &to.endpoint, now_ms).await,
            Err(error) => delivery::failed(said(error, Some(self.timeout)), 0),
        }
    }
}
