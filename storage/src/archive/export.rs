//! A store into an archive.

use std::io::{self, Write};

use tokio::sync::mpsc;

use super::{ArchiveWriter, Summary};
use crate::transfer::{Export, Sent};
use crate::types::{PageLimit, StoreError};

/// Names of spaces read at once. An engine that does not keep them in this order looks at all of
/// them for each page.
const SPACES_PAGE: usize = 20_000;

/// A page that waits while another is written.
const PARTS_WAITING: usize = 1;

/// Why a store was not written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed, or holds what cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What would be written is a part of what there was.
    #[error("an import into the store was begun and not finished")]
    HalfImported,
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes everything of a store: each space as it is when its turn comes, those that were made
/// before their turn included. Blocks the thread while `writer` does.
pub async fn export<W: Write>(
    from: &dyn Export,
    mut writer: ArchiveWriter<W>,
    page: PageLimit,
) -> Result<(W, Summary), ExportError> {
    let mut after = None;
    expect_whole(from).await?;
    loop {
        let spaces = from.exported_spaces(after.as_ref(), SPACES_PAGE).await?;
        for space in &spaces {
            let (to, parts) = mpsc::channel(PARTS_WAITING);
            let sending = from.export_space(space, page, to);
            let (sent, written) = tokio::join!(sending, write(&mut writer, parts));
            // Who writes no more is why the other ended.
            let has_begun = written?;
            sent?;
            if has_begun {
                writer.end_space()?;
            }
        }
        match spaces.last() {
            Some(last) => after = Some(last.clone()),
            None => {
                // It may have begun meanwhile.
                expect_whole(from).await?;
                return Ok(writer.finish()?);
            }
        }
    }
}

async fn expect_whole(store: &dyn Export) -> Result<(), ExportError> {
    match store.is_half_imported().await? {
        true => Err(ExportError::HalfImported),
        false => Ok(()),
    }
}

/// Writes what comes. `false` if nothing did.
async fn write<W: Write>(
    writer: &mut ArchiveWriter<W>,
    mut parts: mpsc::Receiver<Sent>,
) -> Result<bool, ExportError> {
    let mut has_begun = false;
    while let Some(sent) = parts.recv().await {
        match sent {
            Sent::Space(image) => {
                has_begun = true;
                writer.begin_space(&image)?;
            }
            Sent::Part(part) => writer.part(&part)?,
        }
    }
    Ok(has_begun)
}
