//! Syncline's data model, without IO and without a clock: what a record is, how changes
//! merge, what travels on the wire and what is kept at rest.
//!
//! Modules in reading order: [`limits`] and [`error`] (what is refused, and how it is told),
//! [`ids`], [`json`], [`out`], [`object`] and [`stamp`] (the atoms), [`record`], [`change`] and [`merge`] (state and
//! how it moves), [`mutation`], [`verdict`] and [`given`] (what a client asks, what it is answered,
//! and what is remembered of clients without numbers),
//! [`delta`] (what a client at a cursor has to learn), [`overlay`] (what a device shows),
//! [`wire`] (JSON messages) and [`codec`] (binary form at rest and between nodes), [`trace`] (which trace a message is part of). [`mutant`]
//! breaks rules on purpose, in tests only.

pub mod change;
pub mod codec;
pub mod compat;
pub mod delta;
pub mod error;
pub mod given;
pub mod ids;
pub mod json;
pub mod limits;
pub mod merge;
pub mod mutant;
pub mod mutation;
pub mod object;
pub mod out;
pub mod overlay;
pub mod record;
pub mod stamp;
pub mod trace;
pub mod verdict;
pub mod wire;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod vectors;
