//! Has the reminders of every user of an app looked at again. What changes a reminder does so by itself;
//! what changes the config does not, and neither does a clock that was ahead: an operator asks for it.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::iter;
use syncline_cluster::ChangeLog;
use syncline_protocol::ids::{AppId, SpaceKey};
use syncline_storage::Store;
use syncline_storage::types::{CommitError, StoreError};

use super::own_triggers::planning;
use super::{JobsBell, jobs_alone};
use crate::clock::Clock;

/// Spaces of one read.
const PAGE: usize = 1_000;

/// Spaces whose planning is put at once.
const AT_ONCE: usize = 32;

/// How often a space is tried that others write to.
const TRIES: usize = 10;

/// What it takes.
#[derive(Clone)]
pub(crate) struct Replanning {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) log: ChangeLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bell: JobsBell,
}

impl Replanning {
    /// Puts the planning of each space of an app anew, due at once. Returns how many there are. Errors:
    /// some may be put; it may be asked for again.
    pub(crate) async fn of_app(&self, app: &AppId) -> Result<usize, CommitError> {
        let (mut after, mut planned) = (None, 0);
        loop {
            let spaces = self.store.spaces(after.as_ref(), PAGE).await?;
            let Some(last) = spaces.last().cloned() else {
                break;
            };
            // Those of the hub itself have no reminders.
            let users = spaces.into_iter();
            let users =
                users.filter(|space| space.app == *app && !space.space.as_str().starts_with('@'));
            let mut putting = iter(users.map(|space| self.put(space))).buffer_unordered(AT_ONCE);
            while let Some(put) = putting.next().await {
                planned += usize::from(put?);
            }
            after = Some(last);
        }
        self.bell.ring(self.clock.now_ms());
        Ok(planned)
    }

    /// Puts it. False if the space is no more.
    async fn put(&self, space: SpaceKey) -> Result<bool, CommitError> {
        for _ in 0..TRIES {
            let Some(view) = self.store.space(&space).await? else {
                return Ok(false);
            };
            let now_ms = self.clock.now_ms();
            let jobs = vec![planning(&view, now_ms)];
            let commit = jobs_alone::commit(space.clone(), &view, (now_ms, jobs));
            match self.log.commit(commit).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        let why = format!("{space} is written to all the time");
        Err(CommitError::Store(StoreError::Unavailable(why)))
    }
}
