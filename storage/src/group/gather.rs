//! What goes into the next group.

use std::collections::{HashSet, VecDeque};

use syncline_protocol::ids::SpaceKey;

use super::GroupLimits;
use super::committer::Waiting;
use crate::jobs::JobMove;
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
        let bytes = commit_bytes(&waiting.commit);
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

fn commit_bytes(commit: &Commit) -> usize {
    let records = commit.records.iter().map(|(_, record)| record.size_bytes());
    let jobs = commit.jobs.iter().map(|one| match one {
        JobMove::Put { job, .. } => job.args.as_str().len(),
        JobMove::Cancel { .. } => 0,
    });
    records.chain(jobs).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use syncline_protocol::ids::{Epoch, Seq, WriterNo};
    use syncline_protocol::stamp::Hlc;
    use tokio::sync::oneshot;

    use super::*;
    use crate::conformance::space::{key, space_key, titled};

    fn waiting(space: &str, n: u64, title_bytes: usize) -> Waiting {
        let record = titled(&"x".repeat(title_bytes), 0);
        let commit = Commit {
            space: space_key("todo", space),
            expect_epoch: Epoch(1),
            expect_head: Seq(n),
            head: Seq(n + 1),
            clock: Hlc::default(),
            live: 0,
            writers: WriterNo(0),
            now_ms: 0,
            records: vec![(key("t", "a"), Arc::new(record))],
            stood: Vec::new(),
            marks: Vec::new(),
            dead_letters: Vec::new(),
            ends: Vec::new(),
            jobs: Vec::new(),
        };
        let (answer, _) = oneshot::channel();
        Waiting { commit, answer }
    }

    /// Gathers until nothing is left; each commit as `space` and the head it expects.
    fn groups(limits: GroupLimits, commits: Vec<Waiting>) -> Vec<Vec<String>> {
        let mut gatherer = Gatherer::new(limits);
        let mut commits = commits.into_iter();
        let mut groups = Vec::new();
        loop {
            let group = gatherer.gather(|| commits.next());
            if group.is_empty() {
                return groups;
            }
            let name =
                |one: &Waiting| format!("{}{}", one.commit.space.space, one.commit.expect_head);
            groups.push(group.iter().map(name).collect());
        }
    }

    fn limits(commits: usize, bytes: usize) -> GroupLimits {
        GroupLimits {
            commits,
            bytes,
            waiting: 1,
        }
    }

    #[test]
    fn a_group_holds_as_many_commits_as_the_limit() {
        let commits = || ["a", "b", "c"].map(|space| waiting(space, 0, 1)).into();
        assert_eq!(
            groups(limits(3, usize::MAX), commits()),
            [vec!["a0", "b0", "c0"]]
        );
        assert_eq!(
            groups(limits(2, usize::MAX), commits()),
            [vec!["a0", "b0"], vec!["c0"]]
        );
    }

    #[test]
    fn a_group_holds_as_many_bytes_as_the_limit() {
        let commits = || ["a", "b"].map(|space| waiting(space, 0, 100)).into();
        let each = commit_bytes(&waiting("a", 0, 100).commit);
        assert_eq!(groups(limits(9, 2 * each), commits()), [vec!["a0", "b0"]]);
        assert_eq!(
            groups(limits(9, 2 * each - 1), commits()),
            [vec!["a0"], vec!["b0"]]
        );
    }

    #[test]
    fn a_commit_larger_than_the_limit_goes_alone() {
        let commits = vec![waiting("a", 0, 1), waiting("b", 0, 500), waiting("c", 0, 1)];
        assert_eq!(
            groups(limits(9, 100), commits),
            [vec!["a0", "c0"], vec!["b0"]]
        );
    }

    #[test]
    fn commits_of_a_space_keep_their_order_one_a_group() {
        let commits = [("a", 0), ("a", 1), ("b", 0), ("a", 2)];
        let commits = commits.map(|(space, n)| waiting(space, n, 1)).into();
        let expected = [vec!["a0", "b0"], vec!["a1"], vec!["a2"]];
        assert_eq!(groups(limits(9, usize::MAX), commits), expected);
    }

    #[test]
    fn no_more_than_a_group_is_deferred() {
        let mut gatherer = Gatherer::new(limits(2, usize::MAX));
        let mut taken = 0;
        let group = gatherer.gather(|| {
            taken += 1;
            Some(waiting("a", taken, 1))
        });
        assert_eq!((group.len(), taken, gatherer.deferred.len()), (1, 3, 2));
    }
}
