//! Web Push: messages that a browser's push service holds for it, also while no page is open.
//!
//! [`VapidKeys`] is who sends, a [`Subscription`] is where to. `encrypt` makes of a payload what only
//! the browser can read, `vapid` says to its push service who we are, [`PushService`] sends it and
//! says what became of it ([`Delivery`]). Addresses come from users, so requests leave as those of
//! webhooks do ([`outgoing`](crate::outgoing)). Who is told what and when, tries and waits, and what
//! becomes of a subscription that is gone, is for whoever sends.

mod config;
mod delivery;
mod encrypt;
mod keys;
mod message;
mod service;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod vapid;

pub use config::{PORTS_MAX, PushConfig, TIMEOUT_MS, TIMEOUT_MS_CEILING, TIMEOUT_MS_MIN};
pub use delivery::Delivery;
pub use encrypt::{EncryptError, PAYLOAD_BYTES_MAX};
pub use keys::{KeyError, VapidKeys};
pub use message::{Push, TTL_S_MAX, Topic, Urgency};
pub use service::{PushService, Sealed};
pub use subscription::{KeyTexts, Subscription, SubscriptionError, SubscriptionText};
pub use vapid::{CONTACT_BYTES_MAX, check_contact};
