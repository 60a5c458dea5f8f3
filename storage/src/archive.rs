//! Everything of a store as a file: JSON, an object a line, from any engine into any other.
//!
//! | line (`t`) | holds |
//! |---|---|
//! | `archive` | the format's number and when it was begun; comes first |
//! | `space` | a space's row; its rows follow |
//! | `client` | a client's mark: its last number, what it was given |
//! | `verdict` | a remembered verdict |
//! | `record` | a record, live or dead, with its stamps and seqs |
//! | `dead_letter` | a change that was set aside |
//! | `job` | a job that waits or is dead; what was leased waits |
//! | `space_end` | how many of each the space has |
//! | `end` | how many there are in all, and the SHA-256 of all before; comes last |
//!
//! Each line ends in `sum`: the first four bytes of the SHA-256 of all lines up to it, so damage is
//! found at the line it is in. What is no text is base64; values stand as the JSON they are. Rows
//! come in the order of their keys, dead letters and jobs in that in which they came, and a space is read from one snapshot. Reading and writing keep
//! a line in memory, export and import a few pages.

mod error;
mod export;
mod import;
mod line;
mod reader;
mod sum;
mod writer;

pub use error::ArchiveError;
pub use export::{ExportError, export};
pub use import::{ImportFailure, ImportJob, Imported, import};
pub use reader::{ArchiveReader, Entry, verify};
pub use writer::ArchiveWriter;

use crate::transfer::Counts;
use crate::types::PageLimit;

/// The format that is written. It and those before it are read; the first one had no jobs, the second none
/// with a lane, and its jobs stand by kind and key.
pub const FORMAT: u32 = 3;

const FORMAT_MIN: u32 = 1;

/// What export and import hold at once of a space: rows, and stored bytes of them.
pub const PAGE: PageLimit = PageLimit {
    records: 1_000,
    bytes: 1 << 20,
};

/// A whole archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When it was begun, by the clock of who wrote it.
    pub begun_ms: u64,
    /// Spaces.
    pub spaces: u64,
    /// What they hold.
    pub counts: Counts,
    /// SHA-256 of all its lines but the last: what it is known by.
    pub sha256: [u8; 32],
}

impl Summary {
    /// [`Summary::sha256`] as text.
    pub fn sha256_text(&self) -> String {
        crate::transfer::hex(&self.sha256)
    }
}

#[cfg(test)]
mod tests;
