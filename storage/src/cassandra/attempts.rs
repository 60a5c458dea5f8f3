//! How often replicas were asked to agree.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what a store asked its replicas to agree on, of all who use it.
#[derive(Debug, Default)]
pub struct Attempts {
    commits: AtomicU64,
    commit_batches: AtomicU64,
    batches: AtomicU64,
}

/// What was counted since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptTotals {
    /// Commits that were handed in.
    pub commits: u64,
    /// Conditional batches that were sent for them: one each, and more where somebody else was faster.
    /// A commit that was found stale before it was sent has none.
    pub commit_batches: u64,
    /// All conditional batches, those of jobs, collections and erasures among them.
    pub batches: u64,
}

impl Attempts {
    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_commit_batch(&self) {
        self.commit_batches.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_batch(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// So far.
    pub fn totals(&self) -> AttemptTotals {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AttemptTotals {
            commits: read(&self.commits),
            commit_batches: read(&self.commit_batches),
            batches: read(&self.batches),
        }
    }
}
