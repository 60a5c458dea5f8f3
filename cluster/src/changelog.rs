//! Commit, then publish.

use std::sync::Arc;

use syncline_protocol::ids::NodeId;
use syncline_storage::group::GroupCommit;
use syncline_storage::types::{Commit, CommitError};

use crate::bus::{Bus, Told};
use crate::event::CommitEvent;
use crate::repeats::Repeats;

/// The one way a commit is made: durable in the store first, told to the other nodes after.
/// Clones share it.
#[derive(Clone)]
pub struct ChangeLog {
    node: NodeId,
    group: GroupCommit,
    bus: Arc<dyn Bus>,
    /// What is to be said again. `None` if nobody else may hear.
    repeats: Option<Repeats>,
}

impl ChangeLog {
    /// A log that writes through `group` and tells `bus` in the name of `node`.
    pub fn new(node: NodeId, group: GroupCommit, bus: Arc<dyn Bus>) -> ChangeLog {
        ChangeLog {
            node,
            group,
            bus,
            repeats: None,
        }
    }

    /// The same, which notes where spaces are after its commits, for them to be said again.
    #[must_use]
    pub fn noting(self, repeats: Repeats) -> ChangeLog {
        ChangeLog {
            repeats: Some(repeats),
            ..self
        }
    }

    /// Commits. `Ok` means durable. Nobody is told of a commit that conflicted or whose
    /// outcome is unknown; if that one did take effect, the next gap in seq shows it.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let event = CommitEvent::of(&commit, &self.node);
        self.group.commit(commit).await?;
        if let Some(repeats) = self.repeats.as_ref().filter(|_| event.to > event.from) {
            repeats.note(event.space_head());
        }
        self.bus.publish(Told::Commit(Arc::new(event)));
        Ok(())
    }
}

impl std::fmt::Debug for ChangeLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeLog")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
