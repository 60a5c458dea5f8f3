//! Hubs and their store on a real Postgres.

#[allow(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../services/postgres.rs"]
pub(crate) mod server;

mod durability;
mod hub;
mod racing;
mod tls;
