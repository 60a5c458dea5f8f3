//! Triggers: which jobs a commit makes.
//!
//! A trigger of the config names a table, what must happen to a record of it, and the job that
//! follows. [`Triggers::of`] checks them, [`Triggers::jobs_of`] looks at what a commit did and says
//! which jobs it puts. Both are pure. A job is named by its trigger, the record and the commit, so
//! it is made once, however often the commit is tried.
//!
//! What a job writes may trigger jobs again. Each is one deeper than the change that made it, and at
//! [`DEPTH_MAX`] no more are made: what was left out is told ([`Cut`]), not passed over in silence.
//!
//! The hub has triggers of its own ([`OwnTrigger`]) for what an app's config turns on.

mod args;
mod checked;
mod condition;
mod config;
mod event;
mod own;
#[cfg(test)]
mod tests;

pub use checked::{TriggerError, Triggers};
pub use config::{ConditionConfig, Is, Per, Side, TriggerConfig, When};
pub use event::{Changed, Committed, Cut, CutWhy, Fired};
pub use own::{One, OwnTrigger};

/// How deep a change may be whose jobs are made, by default.
pub const DEPTH_MAX: u8 = 8;

/// Jobs that one commit makes at most. Those past it are left out, and told.
pub const JOBS_PER_COMMIT_MAX: usize = 10_000;

/// Bytes of arguments that the jobs of one commit hold. Past it records and values are null, as what is too
/// large for one job is: what a record says would else be stored once for each trigger.
pub const ARGS_PER_COMMIT_BYTES_MAX: usize = 4 << 20;

/// Bytes of arguments that a job may have whatever others have.
const SMALL_ARGS_BYTES: usize = 1 << 10;

/// The kind whose jobs are in the order of their record's commits, unless a trigger says otherwise:
/// whoever hears of them from outside would else hear of an old state last.
pub const ORDERED_KIND: &str = "webhook";

/// Triggers of an app.
pub const TRIGGERS_MAX: usize = 1_000;

/// Conditions of a trigger.
pub const CONDITIONS_MAX: usize = 32;
