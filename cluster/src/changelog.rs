//! Commit, then publish.

use std::sync::Arc;

use syncline_protocol::ids::NodeId;
use syncline_storage::group::GroupCommit;
use syncline_storage::types::{Commit, CommitError};

use crate::bus::Bus;
use crate::event::CommitEvent;

/// The one way a commit is made: durable in the store first, told to the other nodes after.
/// Clones share it.
#[derive(Clone)]
pub struct ChangeLog {
    node: NodeId,
    group: GroupCommit,
    bus: Arc<dyn Bus>,
}

impl ChangeLog {
    /// A log that writes through `group` and tells `bus` in the name of `node`.
    pub fn new(node: NodeId, group: GroupCommit, bus: Arc<dyn Bus>) -> ChangeLog {
        ChangeLog { node, group, bus }
    }

    /// Commits. `Ok` means durable. Nobody is told of a commit that conflicted or whose
    /// outcome is unknown; if that one did take effect, the next gap in seq shows it.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let event = CommitEvent::of(&commit, &self.node);
        self.group.commit(commit).await?;
        self.bus.publish(Arc::new(event));
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
