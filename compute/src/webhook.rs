//! Webhooks: jobs whose work is somebody else's server.
//!
//! A job names an endpoint of the config and is posted to it as a signed event, with the headers of
//! Standard Webhooks 1.0. The event's id is the same in every try of the job, so that who has seen
//! it answers without doing it again; two tries may still be under way at once. The answer may hold
//! changes, which are written as the job's own.
//!
//! [`config`](WebhookConfig) says what an endpoint is and what is wrong with one, `event` is what is
//! sent, `signature` signs it, `reply` reads what comes back. [`outgoing`](crate::outgoing) keeps
//! events from addresses that are not the internet's, and bounds how many of the workers an endpoint
//! holds, and how many of one space. `clients` holds the connections.
//! Order among the events of a record, tries and waits are not decided here, but by whoever runs
//! jobs.

mod clients;
mod config;
mod event;
mod reply;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use syncline_protocol::ids::{AppId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

pub use config::{
    NAME_BYTES_MAX, PORTS_MAX, REPLY_BYTES_CEILING, REPLY_BYTES_MAX, TIMEOUT_MS,
    TIMEOUT_MS_CEILING, TIMEOUT_MS_MIN, WEBHOOKS_MAX, WebhookConfig,
};
pub use event::check_args;
pub(crate) use event::{Posted, id_of};
pub use signature::{SECRET_BYTES_MAX, SECRET_BYTES_MIN};

use self::clients::Clients;
use self::config::Checked;
use self::event::Event;
use self::signature::Signer;
use crate::about::About;
pub use crate::outgoing::address::URL_BYTES_MAX;
pub use crate::outgoing::answer::RETRY_AFTER_MS_MAX;
use crate::outgoing::answer::said;
use crate::outgoing::hidden::Hidden;
use crate::outgoing::names::{Names, System};
pub use crate::outgoing::places::PLACE_WAIT_MS_MAX;
use crate::outgoing::places::Places;
pub use crate::outgoing::secret::Secret;
use crate::worker::{Task, Worked, Worker};

/// A schedule's event is of an app, and nobody's data.
const CHANGES_UNWANTED: &str = "changes_unwanted: the answer holds changes, and a schedule has no \
                                space to write them to";

/// Posts jobs to the endpoints of the config.
pub struct Webhooks(HashMap<String, Endpoint>);

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where events are posted.
struct Endpoint {
    url: Url,
    hidden: Hidden,
    places: Places,
    client: Client,
    signer: Signer,
    /// How long the whole answer may take.
    timeout: Duration,
    reply_bytes_max: usize,
    /// Whose jobs are posted to it; everybody's if there are none.
    apps: Vec<AppId>,
}

impl Webhooks {
    /// Checks endpoints by name. `pool` is how many jobs of theirs are done at once: each endpoint
    /// gets a quarter of that, and one space half of it, so that others are posted to, and others'
    /// events, while one does not answer. Errors: everything that is wrong with them, a sentence each.
    pub fn of(
        configs: &BTreeMap<String, WebhookConfig>,
        pool: usize,
    ) -> Result<Webhooks, Vec<String>> {
        Webhooks::named_by(configs, pool, &(Arc::new(System) as Arc<dyn Names>))
    }

    fn named_by(
        configs: &BTreeMap<String, WebhookConfig>,
        pool: usize,
        names: &Arc<dyn Names>,
    ) -> Result<Webhooks, Vec<String>> {
        let mut wrong = Vec::new();
        let checked = config::check(configs, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let clients = Clients::of(&checked, names);
        let clients = clients.map_err(|why| vec![format!("webhooks: {why}")])?;
        let endpoints = checked.into_iter().filter_map(|(name, checked)| {
            let client = clients.of_reach(checked.reach)?.clone();
            Some((name, Endpoint::of(checked, client, pool)))
        });
        Ok(Webhooks(endpoints.collect()))
    }

    /// Whether an endpoint is there, for whoever checks what names it.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Posts an event that is not a job's own.
    pub(crate) async fn post(&self, to: &str, posted: Posted<'_>) -> Worked {
        let (space, now_ms) = (posted.space, posted.now_ms);
        match self.endpoint(to) {
            Ok(endpoint) => endpoint.post(&posted.into(), space, now_ms).await,
            Err(error) => Worked::Hopeless(error),
        }
    }

    fn endpoint(&self, name: &str) -> Result<&Endpoint, JobError> {
        self.0.get(name).ok_or_else(|| unknown(name))
    }

    fn endpoint_of(&self, task: &Task) -> Result<(&Endpoint, Event), JobError> {
        let about = About::of(&task.job.args)?;
        let sent: event::Args = about.args()?;
        let endpoint = self.endpoint(&sent.to)?;
        let app = &task.space().app;
        if !endpoint.apps.is_empty() && !endpoint.apps.contains(app) {
            // No app learns of another's endpoints.
            return Err(unknown(&sent.to));
        }
        Ok((endpoint, Event::of(task, about.record, sent.data)))
    }
}

fn unknown(name: &str) -> JobError {
    JobError::new(&format!("webhook_unknown: {name:?}"))
}

#[async_trait]
impl Worker for Webhooks {
    async fn work(&self, task: &Task) -> Worked {
        match self.endpoint_of(task) {
            Ok((endpoint, event)) => match endpoint.post(&event, task.space(), task.now_ms).await {
                Worked::Done(Some(_)) if !event.is_of_a_change() => {
                    Worked::Hopeless(JobError::new(CHANGES_UNWANTED))
                }
                worked => worked,
            },
            Err(error) => Worked::Hopeless(error),
        }
    }
}

impl Endpoint {
    fn of(checked: Checked, client: Client, pool: usize) -> Endpoint {
        Endpoint {
            places: Places::of(pool),
            hidden: Hidden::of(&checked.url),
            url: checked.url,
            client,
            signer: Signer::new(&checked.secrets),
            timeout: Duration::from_millis(checked.timeout_ms),
            reply_bytes_max: checked.reply_bytes_max,
            apps: checked.apps,
        }
    }

    async fn post(&self, event: &Event, space: &SpaceKey, now_ms: WallMs) -> Worked {
        let mut place = match self.places.take(space).await {
            Ok(place) => place,
            Err(wait_ms) => return Worked::Busy { wait_ms },
        };
        let body = event.to_json();
        let at_s = now_ms / 1_000;
        let signature = self.signer.sign(event.id(), at_s, &body);
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", event.id())
            .header("webhook-timestamp", at_s)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(response) => {
                let limits = reply::Limits {
                    now_ms,
                    timeout: self.timeout,
                    bytes_max: self.reply_bytes_max,
                };
                let (worked, is_whole) = reply::read(response, &self.hidden, limits).await;
                if is_whole {
                    place.answered();
                }
                worked
            }
            Err(error) => {
                if !error.is_timeout() {
                    place.answered();
                }
                reply::failed(said(error, Some(self.timeout)), 0)
            }
        }
    }
}
