//! `hub export`, `hub import`, `hub verify`: everything of a store as a file, and back.

mod failure;
mod part_file;
mod sync_log;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use syncline_storage::archive::{
    ArchiveReader, ArchiveWriter, ImportJob, PAGE, Summary, export, import, verify,
};

pub use self::failure::TransferError;
use self::part_file::PartFile;
pub(super) use self::sync_log::run_import_log;
use super::running::{Signals, run_to_its_end};
use crate::app::opened_store::{OpenedStore, open_beside};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::telemetry::logs;

/// Gathered before the operating system is asked.
const BUFFER_BYTES: usize = 256 << 10;

/// In place of a file: standard output, or standard input.
const STANDARD: &str = "-";

/// Writes an archive of the config's store.
pub(super) fn run_export(config: &Config, out: &Path) -> Result<(), TransferError> {
    let _logging = logs::init(&config.log)?;
    interruptible(async {
        if out == Path::new(STANDARD) {
            let (_, summary) = export_into(config, io::stdout(), None).await?;
            // The archive has the standard output.
            let _ = io::stderr().write_all(summary_text("exported", &summary).as_bytes());
            return Ok(());
        }
        let unwritable = |error| TransferError::file(out, error);
        let part = PartFile::create(out).map_err(unwritable)?;
        let (part, summary) = export_into(config, part, Some(directory(out))).await?;
        part.complete().map_err(unwritable)?;
        say(&summary_text("exported", &summary));
        Ok(())
    })
}

/// Where a file is.
fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

async fn export_into<W: Write>(
    config: &Config,
    out: W,
    spool_directory: Option<&Path>,
) -> Result<(W, Summary), TransferError> {
    let store = open_beside(config, spool_directory).await?;
    let out = BufWriter::with_capacity(BUFFER_BYTES, out);
    let writer = ArchiveWriter::begin(out, SystemClock.now_ms())?;
    let (out, summary) = export(&*store, writer, PAGE).await?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((out, summary))
}

/// Brings an archive into the config's store, which must be empty.
pub(super) fn run_import(config: &Config, from: &Path) -> Result<(), TransferError> {
    let _logging = logs::init(&config.log)?;
    interruptible(async {
        // All of it is read before anything is written.
        let (mut file, verified) = verified(from).await?;
        let store = OpenedStore::open(config).await?;
        let begun = |spaces_before| {
            if spaces_before > 0 {
                say(&format!(
                    "goes on: {spaces_before} spaces were imported before\n"
                ));
            }
        };
        let job = ImportJob {
            verified,
            page: PAGE,
            now_ms: SystemClock.now_ms(),
        };
        file.rewind()
            .map_err(|error| TransferError::file(from, error))?;
        let reader = ArchiveReader::begin(buffered(file))?;
        import(reader, &*store.store, (job, begun)).await?;
        say(&summary_text("imported", &verified));
        Ok(())
    })
}

/// Reads an archive and says whether it is whole.
pub(super) fn run_verify(from: &Path) -> Result<(), TransferError> {
    interruptible(async {
        let summary = if from == Path::new(STANDARD) {
            reading(|| Ok(verify(BufReader::with_capacity(BUFFER_BYTES, io::stdin()))?)).await?
        } else {
            verified(from).await?.1
        };
        say(&summary_text("whole", &summary));
        Ok(())
    })
}

/// The file, and what it holds.
async fn verified(path: &Path) -> Result<(File, Summary), TransferError> {
    let path: PathBuf = path.to_owned();
    reading(move || {
        let unreadable = |error| TransferError::file(&path, error);
        let file = File::open(&path).map_err(unreadable)?;
        let summary = verify(buffered(file.try_clone().map_err(unreadable)?))?;
        Ok((file, summary))
    })
    .await
}

fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(BUFFER_BYTES, file)
}

/// Beside the thread that hears signals.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| TransferError::System(io::Error::other(error)))?
}

/// Does it until a signal comes. What was under way is then taken back, but for spaces that were
/// imported whole.
pub(super) fn interruptible(
    work: impl Future<Output = Result<(), TransferError>>,
) -> Result<(), TransferError> {
    run_to_its_end(async {
        let mut signals = Signals::new()?;
        tokio::select! {
            done = work => done,
            name = signals.next() => Err(TransferError::Interrupted(name)),
        }
    })?
}

/// Nobody left to tell is no error.
pub(super) fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn summary_text(done: &str, summary: &Summary) -> String {
    let counts = summary.counts;
    format!(
        "{done}: {} spaces, {} records, {} clients, {} verdicts, {} dead letters\nsha256 {}\n",
        summary.spaces,
        counts.records,
        counts.clients,
        counts.verdicts,
        counts.dead_letters,
        summary.sha256_text()
    )
}
