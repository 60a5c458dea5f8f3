//! What sessions are here: each commits what is put and what jobs write in its space, one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use syncline_compute::worker::{NotWritten, SystemClient, SystemWrite};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::SpaceKey;
use syncline_storage::Store;
use syncline_storage::group::{Committers, GroupCommit, GroupLimits};
use syncline_storage::types::{Commit, CommitError, SpaceView};
use tokio::sync::Mutex;

use super::super::fill::space_key;
use super::{WithJobs, change, moved, opened};

/// All sessions of a store.
pub(super) struct Sessions {
    views: Vec<Mutex<SpaceView>>,
    places: HashMap<SpaceKey, usize>,
    group: GroupCommit,
}

impl Sessions {
    /// Opens so many spaces.
    pub(super) async fn open(
        store: &Arc<dyn WithJobs>,
        spaces: usize,
    ) -> Result<(Sessions, Committers)> {
        let views = opened(&**store, spaces).await?;
        let store: Arc<dyn Store> = store.clone();
        let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
        let sessions = Sessions {
            views: views.into_iter().map(Mutex::new).collect(),
            places: (0..spaces).map(|n| (space_key(n), n)).collect(),
            group,
        };
        Ok((sessions, committers))
    }

    /// Commits what is made of a space as it is.
    pub(super) async fn commit(
        &self,
        space: usize,
        make: impl FnOnce(&SpaceView) -> Commit,
    ) -> Result<(), CommitError> {
        // As a session: nobody else commits to its space meanwhile.
        let mut view = self.views[space].lock().await;
        let commit = make(&view);
        let head = commit.head;
        self.group.commit(commit).await?;
        *view = moved(&view, head);
        Ok(())
    }
}

#[async_trait]
impl SystemClient for Sessions {
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten> {
        let space = self.places[&write.ended.lease.name.space];
        let written = self.commit(space, |view| {
            let mut commit = change(space, view);
            commit.ends = vec![write.ended];
            commit
        });
        written.await.map_err(|error| match error {
            CommitError::LeasesLost(_) => NotWritten::LeaseLost,
            error => NotWritten::Later(Refusal::new(Code::Slow, error.to_string())),
        })
    }
}
