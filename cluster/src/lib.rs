//! Carries commits between nodes.
//!
//! A commit goes through the [`changelog`]: first into the store, then, as a [`event`], onto
//! the [`bus`]. The bus only makes other nodes fast: it may lose, repeat and reorder, and a
//! node that misses an event reads the store. [`local`] is the bus inside one process.

pub mod bus;
pub mod changelog;
pub mod event;
pub mod local;

pub use bus::Bus;
pub use changelog::ChangeLog;
