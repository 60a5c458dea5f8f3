//! Mail: letters that a server of the operator's takes and passes on, by SMTP.
//!
//! [`MailConfig`] says which server and who writes, a [`Letter`] is what is written to one person,
//! [`MailService`] hands it to the server and says what became of it ([`Mailed`]). Who is written to
//! what and when, tries and waits, is for whoever sends.

mod config;
mod letter;
mod service;
#[cfg(test)]
pub(crate) mod tests;

pub use config::{FROM_BYTES_MAX, MailConfig, TIMEOUT_MS, TIMEOUT_MS_CEILING, TIMEOUT_MS_MIN};
pub use letter::Letter;
pub use service::{MailService, Mailed};
