//! Why an archive is not taken.

use std::io;

use super::FORMAT;
use crate::transfer::Counts;

/// What is wrong with an archive, and where.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A line is not as it was written.
    #[error("line {line} is damaged: {why}")]
    Damaged {
        /// Counted from 1.
        line: u64,
        /// What does not fit.
        why: String,
    },
    /// Its end is missing.
    #[error("the archive was cut: it ends after line {0}, before its last one")]
    Cut(u64),
    /// It begins otherwise.
    #[error("the file is no archive of a hub")]
    NoArchive,
    /// Another program wrote it.
    #[error("the archive has format {0}, this program reads those up to {FORMAT}")]
    Format(u32),
    /// Its lines are whole, but not as many as it says.
    #[error("line {line} counts {told:?}, but there are {found:?}")]
    Counts {
        /// The line that counts.
        line: u64,
        /// What it says.
        told: Counts,
        /// What there is.
        found: Counts,
    },
    /// The operating system does not give it.
    #[error("the archive cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl ArchiveError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ArchiveError::Damaged { .. } => "archive_damaged",
            ArchiveError::Cut(_) => "archive_cut",
            ArchiveError::NoArchive => "archive_unknown",
            ArchiveError::Format(_) => "archive_format",
            ArchiveError::Counts { .. } => "archive_counts",
            ArchiveError::Read(_) => "archive_unreadable",
        }
    }
}
