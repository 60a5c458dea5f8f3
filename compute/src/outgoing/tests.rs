//! Servers and names for whoever sends something, and what is tested of the guard alone.

mod guard;
pub(crate) mod names;
pub(crate) mod server;
pub(crate) mod tls;
