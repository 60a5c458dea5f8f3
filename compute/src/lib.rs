//! Work that sync events trigger.
//!
//! [`recurrence`] says when something that repeats happens. [`triggers`] makes the jobs of a
//! commit, [`jobs`] says when a job is tried again, given up, or due once more, [`reminders`] when
//! somebody is told of what. These are pure: what time it is, and what is random, comes in. [`worker`]
//! is what does jobs of a kind, [`about`] reads what a job is about. [`webhook`] has other servers do
//! jobs, [`push`] sends to browsers, [`mail`] writes letters, [`payments`] has credits paid, all by way of
//! [`outgoing`]; [`recurring`] writes what repeats, [`notify`] tells people, [`credits`] has work cost something.
//! [`runner`] claims jobs, has workers do them, and ends them.

pub mod about;
pub mod credits;
pub mod jobs;
pub mod mail;
pub mod notify;
pub mod outgoing;
pub mod payments;
pub mod push;
pub mod recurrence;
pub mod recurring;
pub mod reminders;
pub mod runner;
pub mod triggers;
pub mod webhook;
pub mod worker;
mod written;
