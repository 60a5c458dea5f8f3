//! The way out of the first user's old server: its log of changes, folded into an empty store.
//!
//! That server keeps every change it was sent as a row of one table and replays them to devices
//! in the order of their arrival; it merges nothing. Here each record's rows are merged as the hub
//! merges what its clients send, by the times they claim. [`log`] reads the rows of one snapshot in
//! the order of their records, [`row`] says what a row asks for, [`fold`] merges the rows of a
//! record, and [`import`](mod@import) brings what comes out into a store, space by space.
//!
//! | of a row | becomes |
//! |---|---|
//! | `app_id`, `user_id` | the space: the user's personal one of the app |
//! | `client_id` | the writer; numbered by name, so that ties do not depend on arrival |
//! | `field_timestamps` | the stamp of each field |
//! | `data.updatedAt`, of an insert else `data.createdAt` | the stamp of an insert, and of fields without one |
//! | `data.deletedAt` | the stamp of a delete |
//! | `created_at` | the stamp of what claims none, or one that is no time, or one too far ahead of it |
//!
//! A row that can never be stored is set aside: counted by reason, and kept as a dead letter of
//! its user, the first thousand of a space. What is read takes no more memory than a page and a record,
//! however long the log is.

mod fold;
mod import;
mod letters;
mod log;
mod row;
mod space;
mod summary;

pub use import::{LogImportError, LogJob, import};
pub use log::{Log, LogError};
pub use summary::{Aside, NAMES_SHOWN_MAX, Summary};

#[cfg(test)]
mod tests;
