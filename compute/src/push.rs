//! Web Push: messages that a browser's push service holds for it, also while no page is open.
//!
//! [`VapidKeys`] is who sends, `vapid` says so to a push service.

mod keys;
mod text;
mod vapid;

pub use keys::{KeyError, VapidKeys};
pub use vapid::{CONTACT_BYTES_MAX, check_contact};
