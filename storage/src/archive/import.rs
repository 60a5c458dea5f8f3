//! An archive into an empty store.

use std::io::BufRead;

use syncline_protocol::stamp::WallMs;

use super::{ArchiveError, ArchiveReader, Entry, Summary};
use crate::transfer::{Counts, Import, ImportError, ImportRun, Part, SpaceImage};
use crate::types::PageLimit;

/// What is to be imported.
#[derive(Clone, Copy, Debug)]
pub struct ImportJob {
    /// The archive as a reading of all of it found it.
    pub verified: Summary,
    /// What is written at once.
    pub page: PageLimit,
    /// The hub's clock.
    pub now_ms: WallMs,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Spaces that an earlier run had brought in whole.
    pub spaces_before: u64,
    /// Spaces that this one brought in.
    pub spaces: u64,
}

/// Why an import ended.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    /// The archive is not what was verified.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive is another one than was verified.
    #[error("the archive was changed while it was read")]
    Changed,
    /// The store refused or failed.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Writes an archive into a store, where an earlier run of it ended. `begun` is told how many
/// spaces were there before anything is written. If it fails, the spaces that ended stay, and the
/// next run goes on after them.
pub async fn import<R: BufRead>(
    mut reader: ArchiveReader<R>,
    into: &dyn Import,
    (job, begun): (ImportJob, impl FnOnce(u64)),
) -> Result<Imported, ImportFailure> {
    let begin = into.begin_import(job.verified.sha256, job.now_ms).await?;
    begun(begin.spaces_before);
    let mut importing = Importing {
        into,
        run: begin.run,
        job,
        space: None,
        part: None,
        bytes: 0,
        spaces: 0,
    };
    while let Some(entry) = reader.next_entry()? {
        importing.take(entry, reader.line_bytes()).await?;
    }
    if reader.summary() != Some(job.verified) {
        return Err(ImportFailure::Changed);
    }
    into.end_import(begin.run, job.now_ms).await?;
    Ok(Imported {
        spaces_before: begin.spaces_before,
        spaces: importing.spaces,
    })
}

struct Importing<'a> {
    into: &'a dyn Import,
    run: ImportRun,
    job: ImportJob,
    /// The space that is written; `None` in one that is there already.
    space: Option<SpaceImage>,
    /// Rows not written yet, all of one kind.
    part: Option<Part>,
    /// Bytes of their lines.
    bytes: usize,
    /// Brought in.
    spaces: u64,
}

impl Importing<'_> {
    async fn take(&mut self, entry: Entry, bytes: usize) -> Result<(), ImportError> {
        match entry {
            Entry::Space(image) => {
                let found = self.into.begin_space(self.run, &image.key).await?;
                self.space = found.is_none().then_some(image);
                Ok(())
            }
            Entry::SpaceEnd(counts) => self.end_space(counts).await,
            _ if self.space.is_none() => Ok(()),
            row => self.row(row, bytes).await,
        }
    }

    async fn row(&mut self, row: Entry, bytes: usize) -> Result<(), ImportError> {
        let rows = self.part.as_ref().map_or(0, Part::len);
        let over = rows >= self.job.page.records || self.bytes + bytes > self.job.page.bytes;
        if over {
            self.write().await?;
        }
        if let Some(row) = append(&mut self.part, row) {
            self.write().await?;
            self.part = Some(row);
        }
        self.bytes += bytes;
        Ok(())
    }

    async fn write(&mut self) -> Result<(), ImportError> {
        self.bytes = 0;
        match self.part.take() {
            Some(part) => self.into.import_part(self.run, part).await,
            None => Ok(()),
        }
    }

    async fn end_space(&mut self, counts: Counts) -> Result<(), ImportError> {
        self.write().await?;
        if let Some(space) = self.space.take() {
            let expected = (counts, self.job.now_ms);
            self.into.end_space(self.run, space, expected).await?;
            self.spaces += 1;
        }
        Ok(())
    }
}

/// Adds a row to those of its kind, or returns it as the first of another part.
fn append(part: &mut Option<Part>, row: Entry) -> Option<Part> {
    match (part, row) {
        (Some(Part::Clients(all)), Entry::Client(one)) => all.push(one),
        (Some(Part::Verdicts(all)), Entry::Verdict(one)) => all.push(one),
        (Some(Part::Records(all)), Entry::Record(one)) => all.push(one),
        (Some(Part::DeadLetters(all)), Entry::DeadLetter(one)) => all.push(one),
        (Some(Part::Jobs(all)), Entry::Job(one)) => all.push(one),
        (_, Entry::Client(one)) => return Some(Part::Clients(vec![one])),
        (_, Entry::Verdict(one)) => return Some(Part::Verdicts(vec![one])),
        (_, Entry::Record(one)) => return Some(Part::Records(vec![one])),
        (_, Entry::DeadLetter(one)) => return Some(Part::DeadLetters(vec![one])),
        (_, Entry::Job(one)) => return Some(Part::Jobs(vec![one])),
        (_, Entry::Space(_) | Entry::SpaceEnd(_)) => {}
    }
    None
}
