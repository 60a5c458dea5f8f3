//! The protocol of the first user's clients: `POST /sync/{app}`, `GET /sync/{app}/pull`,
//! `GET /ws/{app}`.
//!
//! [`routes`] reads requests and answers, [`answer`] makes the reply of what was read, in the
//! shapes of [`reply`]; [`socket`] is the notice socket, [`storm`] slows a device that asks the same all the time.

pub mod answer;
mod reply;
mod routes;
pub mod socket;
pub mod storm;

pub use routes::routes;
