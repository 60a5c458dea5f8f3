//! The log into an empty store, space by space, as an archive is brought in.
//!
//! A run that goes on reads and folds the whole log again and writes the spaces that are missing. So
//! its numbers are those of a run that was not interrupted, and it finds out whether the log has
//! changed in a space that was brought in before.

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey, UserId};
use syncline_protocol::limits::Limits;
use syncline_protocol::stamp::WallMs;

use super::log::{Entry, Log, LogError, Of, Tally};
use super::space::Space;
use super::summary::{Aside, Summary};
use crate::transfer::{Import, ImportError, ImportRun, Part};
use crate::types::{PageLimit, SpaceView};

/// How a log is brought in.
#[derive(Clone, Copy, Debug)]
pub struct LogJob {
    /// What a row may hold and a record may become.
    pub limits: Limits,
    /// What is written at once.
    pub page: PageLimit,
    /// The hub's clock.
    pub now_ms: WallMs,
}

/// Why an import of a log ended.
#[derive(Debug, thiserror::Error)]
pub enum LogImportError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store refused or failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What was brought in of a space is not what the log says now.
    #[error(
        "the log of space {0} is another one than when it was imported, or limits are: stop the \
         old server, and begin again with an empty store"
    )]
    Changed(SpaceKey),
    /// The old server still writes. The import is not finished.
    #[error(
        "{} rows came or went while the log was read: stop the old server and run it again",
        .0.late
    )]
    Late(Box<Summary>),
    /// Spaces that were brought in before are no more in the log.
    #[error(
        "the log no more holds {0} of the spaces that were imported from it: stop the old server, \
         and begin again with an empty store"
    )]
    Gone(u64),
}

/// Folds the log into a store, where an earlier run ended. `progress` is told of each space that was
/// dealt with. Errors leave what is whole, and the next run goes on after it; until one has ended
/// well no hub starts on the store.
pub async fn import(
    log: &Log,
    into: &dyn Import,
    (job, progress): (LogJob, &mut (dyn FnMut(&Summary) + Send)),
) -> Result<Summary, LogImportError> {
    let begun = into.begin_import(log.identity(), job.now_ms).await?;
    let mut importing = Importing {
        into,
        run: begun.run,
        job,
        summary: Summary {
            spaces_before: begun.spaces_before,
            ..Summary::default()
        },
        names: None,
        space: None,
        tally: Tally::default(),
        found: 0,
    };
    let mut entries = log.entries().await?;
    while let Some(entry) = entries.next().await? {
        if !importing.is_in(&entry) {
            importing.end_space(progress).await?;
            importing.begin_space(&entry).await?;
        }
        importing.take(entry.of).await?;
    }
    importing.end_space(progress).await?;
    let Importing {
        mut summary,
        tally,
        found,
        ..
    } = importing;
    summary.late = log.tally().await?.apart(tally);
    if summary.late > 0 {
        return Err(LogImportError::Late(Box::new(summary)));
    }
    if found < begun.spaces_before {
        return Err(LogImportError::Gone(begun.spaces_before - found));
    }
    into.end_import(begun.run, job.now_ms).await?;
    Ok(summary)
}

struct Importing<'a> {
    into: &'a dyn Import,
    run: ImportRun,
    job: LogJob,
    summary: Summary,
    /// App and user of the rows that come, as they stand in the log.
    names: Option<(String, String)>,
    /// Their space; `None` if they can have none.
    space: Option<Open>,
    /// Of the rows that came.
    tally: Tally,
    /// Spaces that an earlier run brought in.
    found: u64,
}

/// A space under way.
struct Open {
    space: Space,
    /// What an earlier run brought in.
    found: Option<SpaceView>,
}

impl Importing<'_> {
    fn is_in(&self, entry: &Entry) -> bool {
        let names = self.names.as_ref();
        names.is_some_and(|(app, user)| *app == entry.app && *user == entry.user)
    }

    async fn begin_space(&mut self, entry: &Entry) -> Result<(), LogImportError> {
        self.names = Some((entry.app.clone(), entry.user.clone()));
        let (app, user) = (AppId::parse(&entry.app), UserId::parse(&entry.user));
        if app.is_err() {
            self.summary.bad_name("app", &entry.app);
        }
        if user.is_err() {
            self.summary.bad_name("user", &entry.user);
        }
        let (Ok(app), Ok(user)) = (app, user) else {
            return Ok(());
        };
        let key = SpaceKey {
            app,
            space: SpaceId::personal(&user),
        };
        let found = self.into.begin_space(self.run, &key).await?;
        self.found += u64::from(found.is_some());
        self.space = Some(Open {
            found,
            space: Space::new(key, self.job.page, self.job.now_ms),
        });
        Ok(())
    }

    async fn take(&mut self, of: Of) -> Result<(), LogImportError> {
        let row = match of {
            Of::Client(writer, name) => {
                let full = self
                    .space
                    .as_mut()
                    .and_then(|open| open.space.client(writer, &name));
                return self.write(full).await;
            }
            Of::Row(row) => row,
        };
        self.summary.rows += 1;
        self.tally.add(row.at_us);
        let Some(open) = &mut self.space else {
            let (app, _) = self.names.as_ref().expect("a row is of some app");
            self.summary.set_aside(match AppId::parse(app) {
                Err(_) => Aside::App,
                Ok(_) => Aside::User,
            });
            return Ok(());
        };
        let full = open.space.row(&row, &self.job.limits, &mut self.summary);
        self.write(full.into_iter().flatten()).await
    }

    async fn write(&self, parts: impl IntoIterator<Item = Part>) -> Result<(), LogImportError> {
        for part in parts {
            if self.space.as_ref().is_some_and(|open| open.found.is_none()) {
                self.into.import_part(self.run, part).await?;
            }
        }
        Ok(())
    }

    async fn end_space(
        &mut self,
        progress: &mut (dyn FnMut(&Summary) + Send),
    ) -> Result<(), LogImportError> {
        let Some(Open { space, found }) = self.space.take() else {
            return Ok(());
        };
        let (parts, counts, image) = space.end(&mut self.summary);
        if let Some(found) = found {
            // The clock may stand for a row of the future, which is taken for one of now.
            let compared = |view: SpaceView| (view.head, view.live, view.writers);
            if compared(found) != compared(image.view) {
                return Err(LogImportError::Changed(image.key));
            }
        } else {
            for part in parts {
                self.into.import_part(self.run, part).await?;
            }
            let expected = (counts, self.job.now_ms);
            self.into.end_space(self.run, image, expected).await?;
        }
        progress(&self.summary);
        Ok(())
    }
}
