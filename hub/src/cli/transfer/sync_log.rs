//! `hub import --from sync-changes`: the log of the first user's old server into the config's store.

use std::io::{self, Write};

use syncline_storage::archive::PAGE;
use syncline_storage::sync_log::{Log, LogImportError, LogJob, Summary, import};

use super::{TransferError, interruptible, say};
use crate::app::opened_store::OpenedStore;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::telemetry::logs;

/// Spaces from one line of progress to the next.
const SPACES_A_LINE: u64 = 5_000;

/// Folds the log into the config's store, which must be empty.
pub(in crate::cli) fn run_import_log(config: &Config, url: &str) -> Result<(), TransferError> {
    let _logging = logs::init(&config.log)?;
    interruptible(async {
        let log = Log::open(url).await?;
        let store = OpenedStore::open(config).await?;
        let job = LogJob {
            limits: (&config.limits).into(),
            page: PAGE,
            now_ms: SystemClock.now_ms(),
        };
        match import(&log, &*store.store, (job, &mut progress)).await {
            Ok(summary) => {
                say(&text("imported", &summary));
                Ok(())
            }
            Err(LogImportError::Late(summary)) => {
                say(&text("not finished", &summary));
                Err(LogImportError::Late(summary).into())
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// Nobody left to tell is no error.
fn progress(summary: &Summary) {
    if summary.spaces.is_multiple_of(SPACES_A_LINE) {
        let line = format!("{} spaces, {} rows read\n", summary.spaces, summary.rows);
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

fn text(done: &str, summary: &Summary) -> String {
    let aside: u64 = summary.aside.values().sum();
    let mut text = format!(
        "{done}: {} rows read, {} folded, {aside} set aside\n\
         {} spaces ({} imported before), {} records, {} tombstones, {} hidden, {} clients, \
         {} dead letters\n",
        summary.rows,
        summary.folded,
        summary.spaces,
        summary.spaces_before,
        summary.records,
        summary.tombstones,
        summary.hidden,
        summary.clients,
        summary.dead_letters
    );
    for (why, rows) in &summary.aside {
        text.push_str(&format!("set aside, {why}: {rows}\n"));
    }
    for name in &summary.bad_names {
        text.push_str(&format!("no name: {name}\n"));
    }
    for (what, count) in [
        ("times too far ahead", summary.times_ahead),
        ("times that are none", summary.times_unusable),
        ("rows of clients without a name", summary.rows_unnamed),
    ] {
        if count > 0 {
            text.push_str(&format!("{what}: {count}\n"));
        }
    }
    text.push_str(&format!(
        "rows that came or went since it began: {}\n",
        summary.late
    ));
    text
}
