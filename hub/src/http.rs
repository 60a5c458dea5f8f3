//! The two listeners and the plain routes.
//!
//! [`server`] accepts connections and stops gracefully; [`routes`] holds what is not sync;
//! [`guard`] wraps every route: unknown ones, bodies too long, faults, counting; [`error`] and
//! [`body`] are how a handler refuses and reads, [`query`] is what a request's path asks. [`room`] bounds what the bodies of all requests
//! hold, [`shares`] what those of one user do of it, [`reply_room`] what the replies do; [`watched`] ends those
//! nobody takes, [`owed`] says until when, [`taking`] which goes first when there is no room. [`files`] are served where nothing else is.

pub mod body;
pub mod context;
pub mod error;
mod files;
pub mod guard;
pub(crate) mod in_trace;
mod owed;
pub(crate) mod peers;
pub mod query;
pub mod reply_room;
pub mod room;
pub mod routes;
pub mod server;
pub mod shares;
mod taking;
mod turns;
pub mod watched;

pub use body::RawBody;
pub use context::Context;
pub use error::HttpError;
pub use files::Files;
pub use guard::guarded;
pub use reply_room::ReplyRoom;
pub use server::{Peer, Server, ServerLimits, bind, serve};
pub use shares::Shares;

#[cfg(test)]
mod tests;
