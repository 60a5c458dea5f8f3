//! `hub new-epoch`: every space of a restored store goes on under a new epoch.
//!
//! A backup that comes back as it was has the epoch that its devices know. What they heard since it
//! was made is lost, and what follows gets the same seqs: a device would skip it.

use syncline_storage::Store;
use syncline_storage::archive::ExportError;
use syncline_storage::types::StoreError;

use super::transfer::{TransferError, interruptible, say};
use crate::app::opened_store::{OpenedStore, expect_file};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::telemetry::logs;

/// Names of spaces read at once.
const SPACES_PAGE: usize = 1_000;

/// Gives each space of the config's store a new epoch. If it ends early, what it had given stays.
pub(super) fn run(config: &Config) -> Result<(), TransferError> {
    let _logging = logs::init(&config.log)?;
    interruptible(async {
        expect_file(config)?;
        let opened = OpenedStore::open(config).await?;
        if opened.store.is_half_imported().await? {
            return Err(ExportError::HalfImported.into());
        }
        let spaces = give(&*opened.store).await?;
        say(&format!("new epochs: {spaces} spaces\n"));
        Ok(())
    })
}

/// How many were given.
async fn give<S: Store + ?Sized>(store: &S) -> Result<u64, StoreError> {
    let (mut given, mut after) = (0, None);
    loop {
        let spaces = store.spaces(after.as_ref(), SPACES_PAGE).await?;
        for space in &spaces {
            // A hub may forget a space meanwhile that nobody wrote to.
            let Some(view) = store.space(space).await? else {
                continue;
            };
            let now_ms = SystemClock.now_ms();
            store.new_epoch(space, view.epoch, now_ms).await?;
            given += 1;
        }
        let Some(last) = spaces.last() else {
            return Ok(given);
        };
        after = Some(last.clone());
    }
}
