//! The native protocol's messages, as JSON text: one object with `t` each.
//!
//! [`ClientMessage`] is what a hub reads; [`hub`] writes what it answers; [`cursor`] holds the
//! two positions a client keeps, its cursor and the place in a snapshot.

pub mod client;
pub mod cursor;
pub mod hub;

pub use client::{ClientMessage, Hello};
pub use cursor::{Cursor, SnapshotPlace};

/// The protocol's version in `hello` and `welcome`.
pub const VERSION: u32 = 1;

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "syncline.v1";
