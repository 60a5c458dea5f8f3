//! Writes the load to the store in the directory given, and prints a line for every commit
//! after it was acknowledged, until it is killed. Killing it is what it is for.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use syncline_storage::Store;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::load::SpaceWriter;
use tokio::task::JoinSet;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments
        .next()
        .context("usage: commit_load DIRECTORY SPACES")?;
    let spaces: usize = arguments.next().context("how many spaces")?.parse()?;
    let mut options = SqliteOptions::new(Path::new(&dir).join("hub.db"));
    // Small, so that kills hit checkpoints too.
    (options.checkpoint_pages, options.restart_pages) = (40, 120);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&options)?);
    let (group, _committers) = GroupCommit::start(&store, GroupLimits::default());
    let mut writers = JoinSet::new();
    for space in 0..spaces {
        let writer = SpaceWriter::open(&*store, space).await?;
        writers.spawn(write(writer, group.clone()));
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Writes for ever. Ends with an error when nobody reads the lines any more.
async fn write(mut writer: SpaceWriter, group: GroupCommit) -> anyhow::Result<()> {
    loop {
        let line = writer.step(&group).await?.to_line();
        writeln!(std::io::stdout(), "{line}")?;
    }
}
