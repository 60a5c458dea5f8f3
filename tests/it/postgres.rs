//! Hubs and their store on a real Postgres.

#[path = "../services/postgres.rs"]
pub(crate) mod server;

mod racing;
