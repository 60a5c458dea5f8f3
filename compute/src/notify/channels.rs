//! The channels that deliver, and what is sent by each.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

use super::deliver::What;
use super::device::{Device, DeviceId, Reached};
use super::notification::{Notification, NotificationId};
use super::payload::Told;
use super::words::words;
use crate::mail::{Letter, MailService, Mailed};
use crate::outgoing::servers::Whose;
use crate::push::{Delivery, Push, PushService, Subscription, Topic, Urgency};
use crate::reminders::{Rendered, Templates};
use crate::webhook::{Posted, Webhooks};
use crate::worker::Worked;

/// What a webhook's event calls itself, where a trigger's says the trigger.
pub const EVENT: &str = "@notification";

/// The name of the mail server among servers: no push service is called so.
const MAIL: &str = "mail";

/// By what notifications are delivered.
#[derive(Clone, Debug)]
pub struct Channels {
    /// `None`: nothing is pushed, and what is to be waits until it expires, since another node may
    /// push already.
    pub push: Option<Arc<PushService>>,
    /// Likewise.
    pub mail: Option<Arc<MailService>>,
    /// The endpoints of the config.
    pub webhooks: Arc<Webhooks>,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) id: &'a NotificationId,
    pub(super) notification: &'a Notification,
    pub(super) templates: Option<&'a Templates>,
}

/// A device that something is sent to, and how often that was tried.
pub(super) type Due<'a> = (&'a DeviceId, &'a Device, u32);

/// How a device is reached now.
pub(super) enum Way<'a> {
    Push(&'a PushService, Box<Subscription>),
    Mail(&'a MailService, &'a str),
    Webhook(&'a Webhooks, &'a str),
}

impl Way<'_> {
    /// The server that has to have a place; `None`: it is looked after elsewhere.
    pub(super) fn server(&self) -> Option<(String, Whose)> {
        match self {
            Way::Push(_, to) => Some((to.service(), Whose::Users)),
            Way::Mail(..) => Some((MAIL.to_owned(), Whose::Operators)),
            Way::Webhook(..) => None,
        }
    }

    /// Sends to a device.
    pub(super) async fn send(self, sent: Sent<'_>, due: Due<'_>, now_ms: WallMs) -> What {
        let (id, device, tries) = due;
        let language = device.language.as_deref();
        let words = words(sent.notification, language, sent.templates);
        match self {
            Way::Push(service, to) => push(sent, &words, (service, &to), now_ms).await,
            Way::Mail(service, to) => mail(sent, words, (service, to), now_ms).await,
            Way::Webhook(webhooks, to) => {
                let named = format!("ntf_{}", named(sent, &id.to_string()));
                let Ok(data) = to_raw_value(&posted(sent, &words)) else {
                    return What::Failed(JobError::new("the notification is no JSON"));
                };
                let event = Posted {
                    id: named,
                    trigger: EVENT,
                    space: sent.space,
                    attempt: tries.saturating_add(1),
                    now_ms,
                    data,
                };
                // Changes of the answer are passed over: a notification is told, not worked on.
                match webhooks.post(to, event).await {
                    Worked::Done(_) | Worked::Again { .. } => What::Sent,
                    Worked::Failed { error, wait_ms } => What::Later { error, wait_ms },
                    Worked::Busy { wait_ms } => What::Busy { wait_ms },
                    Worked::Hopeless(error) => What::Failed(error),
                }
            }
        }
    }
}

impl Channels {
    /// How a device is reached. Errors: not at all, now or ever.
    pub(super) fn way<'a>(&'a self, device: &'a Device) -> Result<Way<'a>, What> {
        let off = |channel: &str| What::Later {
            error: JobError::new(&format!("channel_off: {channel}")),
            wait_ms: 0,
        };
        match &device.reached {
            Reached::Push { subscription } => {
                let push = self.push.as_deref().ok_or_else(|| off("push"))?;
                let to = push.subscription(subscription);
                let to = to.map_err(|why| {
                    What::Failed(JobError::new(&format!("subscription_invalid: {why}")))
                })?;
                Ok(Way::Push(push, Box::new(to)))
            }
            Reached::Mail { address } => {
                let mail = self.mail.as_deref().ok_or_else(|| off("mail"))?;
                Ok(Way::Mail(mail, address))
            }
            Reached::Webhook { to } => Ok(Way::Webhook(&self.webhooks, to)),
        }
    }
}

/// What is too large for a push service is sent once more as small as it can be.
async fn push(
    sent: Sent<'_>,
    words: &Rendered,
    (service, to): (&PushService, &Subscription),
    now_ms: WallMs,
) -> What {
    let told = Told {
        id: sent.id,
        app: &sent.space.app,
        notification: sent.notification,
        words,
    };
    let left_s = sent.notification.expires.saturating_sub(now_ms) / 1_000;
    let mut push = Push {
        payload: told.payload(),
        ttl_s: u32::try_from(left_s).unwrap_or(u32::MAX),
        urgency: match sent.notification.late {
            true => Urgency::Normal,
            false => Urgency::High,
        },
        topic: Some(Topic::of(sent.id.as_record().as_str())),
    };
    let mut delivery = service.send(to, &push, now_ms).await;
    if matches!(delivery, Delivery::TooLarge(_)) {
        push.payload = told.smallest();
        delivery = service.send(to, &push, now_ms).await;
    }
    match delivery {
        Delivery::Delivered => What::Sent,
        Delivery::Gone => What::Gone,
        Delivery::Failed { error, wait_ms } => What::Later { error, wait_ms },
        Delivery::TooLarge(error) | Delivery::Hopeless(error) => What::Failed(error),
    }
}

async fn mail(
    sent: Sent<'_>,
    words: Rendered,
    (service, to): (&MailService, &str),
    now_ms: WallMs,
) -> What {
    let letter = Letter {
        to: to.to_owned(),
        id: named(sent, to),
        subject: words.mail.subject.unwrap_or_else(|| words.title.clone()),
        heading: words.mail.text.is_none().then_some(words.title),
        body: words.mail.text.unwrap_or(words.body),
        language: words.language,
    };
    match service.send(&letter, now_ms).await {
        Mailed::Sent => What::Sent,
        Mailed::Failed(error) => What::Later { error, wait_ms: 0 },
        Mailed::Hopeless(error) => What::Failed(error),
    }
}

/// The notification as a webhook is told it: its record, in the words of the device, without what is
/// only of its delivery.
fn posted(sent: Sent<'_>, words: &Rendered) -> Value {
    let fields = sent.notification.fields().into_iter();
    let of_delivery = ["channels", "receipts", "since"];
    let mut data: serde_json::Map<String, Value> = fields
        .filter(|(name, _)| !of_delivery.contains(&name.as_str()))
        .collect();
    data.insert("id".to_owned(), sent.id.to_string().into());
    data.insert("title".to_owned(), words.title.clone().into());
    data.insert("body".to_owned(), words.body.clone().into());
    data.insert("language".to_owned(), words.language.clone().into());
    Value::Object(data)
}

/// What a notification is known by where it is sent, in every try.
fn named(sent: Sent<'_>, to: &str) -> String {
    let SpaceKey { app, space } = sent.space;
    // No name holds a line feed.
    let named = format!("{app}\n{space}\n{}\n{to}", sent.id);
    let digest = Sha256::digest(named.as_bytes());
    let hex = digest[..16].iter().map(|byte| format!("{byte:02x}"));
    hex.collect()
}
