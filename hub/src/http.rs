//! The two listeners and the plain routes.
//!
//! [`server`] accepts connections and stops gracefully; [`routes`] holds what is not sync;
//! [`guard`] wraps every route: unknown ones, bodies too long, faults, counting; [`error`] and
//! [`body`] are how a handler refuses and reads, [`body_room`] bounds what all of them hold.

pub mod body;
pub mod body_room;
pub mod context;
pub mod error;
pub mod guard;
pub mod routes;
pub mod server;

pub use body::RawBody;
pub use body_room::BodyRoom;
pub use context::Context;
pub use error::HttpError;
pub use guard::guarded;
pub use server::{Peer, Server, ServerLimits, bind, serve};

#[cfg(test)]
mod tests;
