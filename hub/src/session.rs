//! Sessions: one for each (app, space) with work to do on this node.
//!
//! [`state`] is the heart: a state machine without IO that owns the space's view, its
//! connections, the numbering of its clients and the commit in flight. It is moved by
//! [`event::Event`]s and answers with [`event::Effect`]s. [`actor`] is the thin shell that
//! carries effects out, [`entry`] the way to it whether it runs or sleeps ([`turns`]), [`registry`] finds
//! the entry of a space, [`absent`] what no entry is made for, [`dormant`] is what a sleeping session leaves, [`cache`] is the
//! node-wide cache of records.
//!
//! The state's parts, in the order of a change: [`attach`] (a client says hello), [`push`]
//! (numbers are checked; [`repeats`]: what was decided before; [`pending`]: what waits), [`commit`] (records are merged and committed), [`fanout`] (devices
//! are told), [`reader`] (a device behind catches up), [`refresh`] (the session itself was
//! behind), [`ephemeral`] (presence and broadcasts; [`elsewhere`]: those of other nodes), [`watch`] (compatibility clients;
//! [`synced`]: what became of their changesets).

mod absent;
pub mod actor;
mod attach;
mod backing_off;
pub mod cache;
mod client;
mod commit;
mod conn;
mod contention;
pub mod dormant;
mod elsewhere;
pub mod entry;
mod ephemeral;
pub mod event;
mod fanout;
mod few;
pub mod jobs;
pub mod pending;
mod push;
mod reader;
mod refresh;
pub mod registry;
mod repeats;
pub mod state;
pub mod synced;
pub mod turns;
mod watch;

pub(crate) use reader::entry_text;

#[cfg(test)]
mod tests;
