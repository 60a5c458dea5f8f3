//! The protocol of the first user's clients: `POST /sync/{app}`, `GET /sync/{app}/pull`,
//! `GET /ws/{app}`.
//!
//! [`routes`] reads requests and answers, [`answer`] makes the reply of what was read, in the
//! shapes of [`reply`]; [`sentence`] is how a device is refused, [`socket`] is the notice socket,
//! [`storm`] slows a device that asks the same all the time.

pub mod answer;
mod reply;
mod routes;
mod sentence;
pub mod socket;
pub mod storm;

pub use routes::routes;
pub use sentence::in_sentences;
