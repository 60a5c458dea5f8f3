//! Carries commits between nodes.
//!
//! A commit goes through the [`changelog`]: first into the store, then, as a [`event`], onto
//! the [`bus`]; what is told of it is [`telling`]'s to say. The bus only makes other nodes fast: it may lose, repeat and reorder, and a
//! node that misses an event reads the store. What it may have missed is said again for a while
//! ([`repeats`]). Nodes know of each other by what each says of itself ([`heartbeat`]), kept in a
//! [`directory`]. What nobody stores is told too ([`ephemeral`]). [`local`] is the bus inside one process, [`nats`] the one between processes;
//! [`faulty`] makes any of them worse on purpose.

pub mod bus;
pub mod changelog;
pub mod directory;
pub mod ephemeral;
pub mod event;
pub mod faulty;
pub mod heartbeat;
pub mod local;
pub mod nats;
pub mod repeats;
pub mod telling;

pub use bus::Bus;
pub use changelog::ChangeLog;
