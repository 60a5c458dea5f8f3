//! Jobs on this node.
//!
//! [`app_triggers`] is what follows from an app's changes, which sessions put with their commits;
//! [`bell`] tells whoever does jobs that there are some. [`doing`] does them: a runner of
//! `syncline_compute` whose workers are of the [`kinds`] there are, whose changes go through sessions
//! ([`system_client`]), and the [`upkeep`] beside it. [`replanning`] has reminders looked at again; [`metrics`] is what is counted of it all, and
//! [`telling`] of reminders and notifications.

pub mod app_triggers;
pub mod bell;
pub(crate) mod doing;
mod jobs_alone;
pub mod kinds;
mod metrics;
mod own_triggers;
mod replanning;
pub mod system_client;
mod telling;
mod upkeep;

pub use app_triggers::AppTriggers;
pub use bell::JobsBell;
pub(crate) use replanning::Replanning;
