//! Web Push: messages that a browser's push service holds for it, also while no page is open.
//!
//! [`VapidKeys`] is who sends, `vapid` says so to a push service. A [`Subscription`] is where to, and
//! `encrypt` makes of a payload what only the browser there can read.

mod encrypt;
mod keys;
mod subscription;
#[cfg(test)]
mod tests;
mod text;
mod vapid;

pub use encrypt::{EncryptError, PAYLOAD_BYTES_MAX};
pub use keys::{KeyError, VapidKeys};
pub use subscription::{KeyTexts, Subscription, SubscriptionError, SubscriptionText};
pub use vapid::{CONTACT_BYTES_MAX, check_contact};
