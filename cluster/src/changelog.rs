//! Commit, then publish.

use std::sync::Arc;

use syncline_protocol::ids::NodeId;
use syncline_storage::group::GroupCommit;
use syncline_storage::types::{Commit, CommitError};

use crate::bus::Bus;
use crate::event::{Followed, SpaceHead};
use crate::repeats::Repeats;
use crate::telling::Telling;

/// The one way a commit is made: durable in the store first, told to the other nodes after.
/// What is told is [`Telling`]'s to say. Clones share it.
#[derive(Clone)]
pub struct ChangeLog {
    telling: Telling,
    group: GroupCommit,
    bus: Arc<dyn Bus>,
}

impl ChangeLog {
    /// A log that writes through `group` and tells `bus` in the name of `node`.
    pub fn new(node: NodeId, group: GroupCommit, bus: Arc<dyn Bus>) -> ChangeLog {
        ChangeLog {
            telling: Telling::new(node),
            group,
            bus,
        }
    }

    /// The same, which notes where spaces are after its commits, for them to be said again.
    #[must_use]
    pub fn noting(self, repeats: Repeats) -> ChangeLog {
        ChangeLog {
            telling: self.telling.noting(repeats),
            ..self
        }
    }

    /// Commits. `Ok` means durable.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.commit_followed(commit, || None).await
    }

    /// The same; once it is durable, `follow` says whether its way to the devices is measured.
    pub async fn commit_followed(
        &self,
        commit: Commit,
        follow: impl FnOnce() -> Option<Followed>,
    ) -> Result<(), CommitError> {
        let mut event = self.telling.of(&commit);
        let outcome = self.group.commit(commit).await;
        if outcome.is_ok() {
            event.followed = follow();
        }
        if let Some(told) = self.telling.committed(event, &outcome) {
            self.bus.publish(told);
        }
        outcome
    }

    /// A space went elsewhere without a commit, as it does with a new epoch: tells where it is, at
    /// once and again.
    pub fn moved(&self, at: SpaceHead) {
        if let Some(told) = self.telling.moved(at) {
            self.bus.publish(told);
        }
    }
}

impl std::fmt::Debug for ChangeLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeLog")
            .field("telling", &self.telling)
            .finish_non_exhaustive()
    }
}
