//! The protocol of the first user's clients: `POST /sync/{app}`, `GET /sync/{app}/pull`,
//! `GET /ws/{app}`.
//!
//! [`routes`] reads requests and answers, [`reply`] assembles what a device is told, [`sentence`]
//! is how it is refused, [`socket`] is the notice socket, [`storm`] slows a device that asks the
//! same all the time.

mod reply;
mod routes;
mod sentence;
pub mod socket;
pub mod storm;

pub use routes::routes;
pub use sentence::in_sentences;
