//! Why an archive was not written or not brought in: a sentence, a stable code, an exit code.

use std::io;
use std::path::{Path, PathBuf};

use syncline_storage::archive::{ArchiveError, ExportError, ImportFailure};
use syncline_storage::sync_log::{LogError, LogImportError};
use syncline_storage::transfer::ImportError;
use syncline_storage::types::StoreError;

use crate::app::StartError;

/// An archive was not written, not read or not brought in.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The archive is not whole, or not of this program.
    #[error("{code}: {0}", code = .0.code())]
    Archive(#[from] ArchiveError),
    /// It is another one than it was.
    #[error("archive_changed: the archive was changed while it was read")]
    Changed,
    /// The store may not be written as it is.
    #[error("{code}: {0}", code = refused(.0))]
    Refused(ImportError),
    /// The store is not whole itself.
    #[error("store_half_imported: {0}")]
    HalfImported(ExportError),
    /// The store is not there, or another program's.
    #[error("{code}: {0}", code = unopened(.0))]
    Open(#[from] StartError),
    /// The store failed.
    #[error("{code}: {0}", code = failed(.0))]
    Store(StoreError),
    /// The operating system does not give the file, or does not take it.
    #[error("file_failed: {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system gives no output, threads or signals.
    #[error("file_failed: {0}")]
    System(#[from] io::Error),
    /// The old server's log cannot be read.
    #[error("{code}: {0}", code = unread(.0))]
    Log(#[from] LogError),
    /// The old server's log changed while it was brought in, or since.
    #[error("log_changed: {0}")]
    LogChanged(LogImportError),
    /// Somebody wanted it so.
    #[error("interrupted: ended by {0}")]
    Interrupted(&'static str),
}

impl TransferError {
    pub(super) fn file(path: &Path, error: io::Error) -> TransferError {
        TransferError::File {
            path: path.to_owned(),
            error,
        }
    }

    /// The exit code of the program, by what is to be done: 3 another archive, 4 another store,
    /// 5 try again, 6 look at the file or the old server, 130 nothing.
    pub fn exit_code(&self) -> u8 {
        match self {
            TransferError::Archive(ArchiveError::Read(_))
            | TransferError::File { .. }
            | TransferError::System(_)
            | TransferError::Log(LogError::Unopened(_)) => 6,
            TransferError::Archive(_) | TransferError::Changed => 3,
            TransferError::Refused(_)
            | TransferError::LogChanged(_)
            | TransferError::HalfImported(_)
            | TransferError::Open(StartError::StoreInUse { .. }) => 4,
            TransferError::Open(_)
            | TransferError::Store(_)
            | TransferError::Log(LogError::Lost(_)) => 5,
            TransferError::Interrupted(_) => 130,
        }
    }
}

impl From<StoreError> for TransferError {
    fn from(error: StoreError) -> TransferError {
        TransferError::Store(error)
    }
}

impl From<ExportError> for TransferError {
    fn from(error: ExportError) -> TransferError {
        match error {
            ExportError::Store(error) => TransferError::Store(error),
            half @ ExportError::HalfImported => TransferError::HalfImported(half),
            ExportError::Write(error) => TransferError::System(error),
        }
    }
}

impl From<ImportFailure> for TransferError {
    fn from(failure: ImportFailure) -> TransferError {
        match failure {
            ImportFailure::Archive(error) => TransferError::Archive(error),
            ImportFailure::Changed => TransferError::Changed,
            ImportFailure::Import(error) => error.into(),
        }
    }
}

impl From<ImportError> for TransferError {
    fn from(error: ImportError) -> TransferError {
        match error {
            ImportError::Store(error) => TransferError::Store(error),
            refused => TransferError::Refused(refused),
        }
    }
}

impl From<LogImportError> for TransferError {
    fn from(error: LogImportError) -> TransferError {
        match error {
            LogImportError::Log(error) => TransferError::Log(error),
            LogImportError::Import(error) => error.into(),
            changed => TransferError::LogChanged(changed),
        }
    }
}

fn unread(error: &LogError) -> &'static str {
    match error {
        LogError::Unopened(_) => "log_unreadable",
        LogError::Lost(_) => "log_lost",
    }
}

fn refused(error: &ImportError) -> &'static str {
    match error {
        ImportError::NotEmpty(_) => "store_not_empty",
        ImportError::Other(_) => "import_unfinished",
        ImportError::Imported => "already_imported",
        ImportError::TakenOver => "import_taken_over",
        ImportError::SpaceTaken(_) => "space_taken",
        ImportError::Differs { .. } => "space_differs",
        ImportError::Store(error) => failed(error),
    }
}

fn failed(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "store_unavailable",
        StoreError::Damaged(_) => "store_damaged",
    }
}

fn unopened(error: &StartError) -> &'static str {
    match error {
        StartError::StoreInUse { .. } => "store_in_use",
        _ => "store_unopened",
    }
}
