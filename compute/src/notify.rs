//! Notifications: records of the hub that say what a user is told, and where the user's devices are.
//!
//! A [`Notification`] is a record of [`NOTIFICATIONS`], which the user's devices are synced like any
//! other: whoever has a socket open sees it at once, who comes back sees it then. A [`Device`] is
//! where else it is to be delivered. Both are of the user's own space, so that they are committed with
//! what they follow from, and erased with the rest.
//!
//! [`Notifying`] delivers them: `deliver` says to which devices now, and what follows from what became
//! of that; `sending` sends to all at once, by the `channels` there are; `words` and `payload` are what is sent, and
//! `progress` is what is kept of a delivery until it is done.

mod channels;
mod deliver;
mod device;
mod iso;
mod notification;
mod notifying;
mod payload;
mod progress;
mod sending;
#[cfg(test)]
mod tests;
mod told;
mod words;

pub use channels::{Channels, EVENT};
pub use deliver::{DEVICES_MAX, TRIED_MS_MAX};
pub use device::{Device, DeviceId, NAME_CHARS_MAX, Reached};
pub use notification::{Item, Notification, NotificationId, Receipt, Receipts};
pub use notifying::{Notifying, NotifyingParts};
pub use payload::PAYLOAD_BYTES_MAX;
pub use told::{Delivered, End, Outcome};

pub use crate::outgoing::servers::PLACE_WAIT_MS_MAX;

/// What a user was told, and is: devices are shown it.
pub const NOTIFICATIONS: &str = "@notifications";

/// How a user wants to be told, in one record: [`OWN`].
pub const PREFERENCES: &str = "@preferences";

/// The only record of [`PREFERENCES`].
pub const OWN: &str = "own";

/// Where a user is told. Who knows a subscription can send to it, so devices are not shown them.
pub const DEVICES: &str = "@@devices";

/// What was delivered of notifications that are under way.
pub const DELIVERIES: &str = "@@deliveries";

/// What was done about reminders.
pub const REMINDED: &str = "@@reminders";
