//! Requests to other people's servers: what is the same for all that this program sends.
//!
//! [`guard`] keeps them from addresses that are not the internet's: of names (`names`) at every
//! connection, of plain addresses where an `address` is checked. `client` goes through no proxies
//! and follows no redirects, which would lead around it. `answer` reads what is common to answers,
//! of which `hidden` shows nothing secret. `places` bounds how much of a pool an endpoint of the config holds,
//! `servers` what a server holds that a user names. [`secret`] is what a config keeps to itself. What is sent, and what an answer means, is for whoever
//! sends it.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod client;
pub mod guard;
pub(crate) mod hidden;
pub(crate) mod names;
pub(crate) mod places;
pub mod secret;
pub(crate) mod servers;
#[cfg(test)]
pub(crate) mod tests;
