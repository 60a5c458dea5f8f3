//! What goes into the next group.

use std::collections::{HashSet, VecDeque};

use syncline_protocol::ids::SpaceKey;

use super::GroupLimits;
use super::committer::Waiting;
use crate::types::Commit;

/// Gathers groups: commits in the order they came, at most one a space, within the limits.
#[derive(Debug)]
pub(super) struct Gatherer {
    limits: GroupLimits,
    /// Commits that came while their group was not theirs: of a space already in it, or too
    /// large for what was left. They come first in the next one. At most a group's worth.
    deferred: VecDeque<Waiting>,
}

/// A group as it fills.
#[derive(Debug, Default)]
struct Group {
    waiting: Vec<Waiting>,
    spaces: HashSet<SpaceKey>,
    bytes: usize,
}

impl Gatherer {
    pub(super) fn new(limits: GroupLimits) -> Gatherer {
        Gatherer {
            limits,
            deferred: VecDeque::new(),
        }
    }

    /// Nothing waits here.
    pub(super) fn is_empty(&self) -> bool {
        self.deferred.is_empty()
    }

    /// The next group: what was deferred, then what `next` gives until it gives nothing.
    pub(super) fn gather(&mut self, mut next: impl FnMut() -> Option<Waiting>) -> Vec<Waiting> {
        let mut group = Group::default();
        for waiting in std::mem::take(&mut self.deferred) {
            self.place(&mut group, waiting);
        }
        while group.waiting.len() < self.limits.commits.max(1)
            && self.deferred.len() < self.limits.commits.max(1)
        {
            let Some(waiting) = next() else { break };
            self.place(&mut group, waiting);
        }
        group.waiting
    }

    fn place(&mut self, group: &mut Group, waiting: Waiting) {
        let bytes = record_bytes(&waiting.commit);
        let full = !group.waiting.is_empty()
            && (group.waiting.len() >= self.limits.commits
                || group.bytes.saturating_add(bytes) > self.limits.bytes);
        let space = &waiting.commit.space;
        // An earlier one of the space may be deferred as well: their order stays.
        let space_waits = self.deferred.iter().any(|one| one.commit.space == *space);
        if full || space_waits || group.spaces.contains(space) {
            self.deferred.push_back(waiting);
            return;
        }
        group.spaces.insert(space.clone());
        group.bytes += bytes;
        group.waiting.push(waiting);
    }
}

fn record_bytes(commit: &Commit) -> usize {
    let records = commit.records.iter();
    records.map(|(_, record)| record.size_bytes()).sum()
}
