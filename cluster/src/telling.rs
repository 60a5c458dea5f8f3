//! What a node tells the others of its commits, and when: a step function without IO, which
//! [`crate::changelog`] carries out around the store and the simulation around its own.

use std::sync::Arc;

use syncline_protocol::ids::NodeId;
use syncline_storage::types::{Commit, CommitError};

use crate::bus::Told;
use crate::event::{CommitEvent, Heads, SpaceHead};
use crate::repeats::Repeats;

/// What a node tells. Clones share what is to be said again.
#[derive(Clone, Debug)]
pub struct Telling {
    node: NodeId,
    /// What is to be said again. `None` if nobody else may hear.
    repeats: Option<Repeats>,
}

impl Telling {
    /// In the name of `node`, and nothing again.
    pub fn new(node: NodeId) -> Telling {
        Telling {
            node,
            repeats: None,
        }
    }

    /// The same, which notes where spaces are, for them to be said again.
    #[must_use]
    pub fn noting(self, repeats: Repeats) -> Telling {
        Telling {
            repeats: Some(repeats),
            ..self
        }
    }

    /// What will be told of a commit that is about to be made.
    pub fn of(&self, commit: &Commit) -> CommitEvent {
        CommitEvent::of(commit, &self.node)
    }

    /// The commit ended. Nobody is told of one that conflicted or whose outcome is unknown; if that
    /// one did take effect, the next gap in seq shows it.
    pub fn committed(&self, event: CommitEvent, outcome: &Result<(), CommitError>) -> Option<Told> {
        if outcome.is_err() {
            return None;
        }
        if let Some(repeats) = self.repeats.as_ref().filter(|_| event.to > event.from) {
            repeats.note(event.space_head());
        }
        Some(Told::Commit(Arc::new(event)))
    }

    /// A space went elsewhere without a commit, as it does with a new epoch. Who does not hear it
    /// finds out at its next look. `None` if nobody else may hear.
    pub fn moved(&self, at: SpaceHead) -> Option<Told> {
        let repeats = self.repeats.as_ref()?;
        repeats.note(at.clone());
        Some(heads(&self.node, vec![at]))
    }
}

/// Where spaces are, told by `node`.
pub(crate) fn heads(node: &NodeId, heads: Vec<SpaceHead>) -> Told {
    let node = node.clone();
    Told::Heads(Arc::new(Heads { node, heads }))
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey, WriterNo};
    use syncline_protocol::stamp::Hlc;
    use syncline_storage::types::StoreError;

    use super::*;

    fn telling() -> (Telling, Repeats) {
        let repeats = Repeats::default();
        let telling = Telling::new(NodeId::trusted("n1"));
        (telling.noting(repeats.clone()), repeats)
    }

    fn event(from: u64, to: u64) -> CommitEvent {
        CommitEvent {
            node: NodeId::trusted("n1"),
            space: SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted("ada"),
            },
            epoch: Epoch(1),
            from: Seq(from),
            to: Seq(to),
            clock: Hlc::default(),
            live: 0,
            writers: WriterNo(0),
            records: Vec::new(),
            marks: Vec::new(),
            jobs_due_ms: None,
            followed: None,
        }
    }

    #[test]
    fn a_commit_is_told_and_its_head_said_again() {
        let (telling, repeats) = telling();
        let told = telling.committed(event(1, 2), &Ok(()));
        assert!(matches!(told, Some(Told::Commit(event)) if event.to == Seq(2)));
        assert_eq!(repeats.round(), [event(1, 2).space_head()]);
    }

    #[test]
    fn a_commit_that_left_the_head_is_told_once() {
        let (telling, repeats) = telling();
        assert!(telling.committed(event(2, 2), &Ok(())).is_some());
        assert_eq!(repeats.round(), []);
    }

    #[test]
    fn nobody_is_told_of_a_commit_that_may_not_be() {
        let (telling, repeats) = telling();
        let lost = CommitError::Store(StoreError::Unavailable("down".into()));
        for outcome in [Err(CommitError::Conflict), Err(lost)] {
            assert!(telling.committed(event(1, 2), &outcome).is_none());
        }
        assert_eq!(repeats.round(), []);
    }
}
