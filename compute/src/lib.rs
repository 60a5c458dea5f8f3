//! Work that sync events trigger. Nothing triggers yet: triggers, jobs and pools stand on
//! the committed changes of [`syncline_cluster::event::CommitEvent`].

pub mod recurrence;
