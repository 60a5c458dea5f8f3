//! Group commit: many sessions' commits in few transactions.
//!
//! A few committers run beside the sessions, each with a bounded queue; a space always goes to
//! the same one. A committer takes what waits, hands it to the store as one group and answers
//! each session. While the store works, the next group gathers, so groups grow with the load
//! and a lone commit waits for nobody. A store to which groups are of no use gets each commit by
//! itself ([`Committing::Apart`]). Nothing here decides an outcome: that is the store's.

mod apart;
mod committer;
mod gather;
mod stats;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

pub use stats::{BUCKETS, Buckets, GroupStats, GroupTotals};

use crate::Store;
use crate::types::{Commit, CommitError, Committing, StoreError};
use committer::{Committer, Waiting};

/// The most a group may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// Commits in a group. The next one begins another group. Where there are none: commits that a
    /// committer has taken and not answered; the next one waits in its queue.
    pub commits: usize,
    /// Bytes of records in a group, as [`Record::size_bytes`] counts, and of jobs' arguments. A commit that would pass
    /// it begins another group; one larger than it goes alone.
    ///
    /// [`Record::size_bytes`]: syncline_protocol::record::Record::size_bytes
    pub bytes: usize,
    /// Commits waiting for a committer. One more waits for a place before it is queued.
    pub waiting: usize,
}

impl Default for GroupLimits {
    fn default() -> GroupLimits {
        GroupLimits {
            commits: 256,
            bytes: 8 << 20,
            waiting: 1_024,
        }
    }
}

/// Where sessions hand in their commits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    queues: Arc<[mpsc::Sender<Waiting>]>,
    stats: Arc<GroupStats>,
}

impl GroupCommit {
    /// Starts committers on the current runtime, as the store wants them
    /// ([`Store::committing`]). They end when the returned [`Committers`] are shut down, or when
    /// every `GroupCommit` is gone.
    pub fn start(store: &Arc<dyn Store>, limits: GroupLimits) -> (GroupCommit, Committers) {
        GroupCommit::start_as(store.committing(), store, limits)
    }

    pub(crate) fn start_as(
        committing: Committing,
        store: &Arc<dyn Store>,
        limits: GroupLimits,
    ) -> (GroupCommit, Committers) {
        let (Committing::InGroups(committers) | Committing::Apart(committers)) = committing;
        let stats = Arc::new(GroupStats::default());
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let queues = (0..committers.max(1))
            .map(|_| {
                let (queue, waiting) = mpsc::channel(limits.waiting.max(1));
                let committer = Committer {
                    store: store.clone(),
                    limits,
                    stats: stats.clone(),
                };
                let stopped = stopped.clone();
                match committing {
                    Committing::InGroups(_) => {
                        tasks.spawn(committer.run_in_groups(waiting, stopped))
                    }
                    Committing::Apart(_) => tasks.spawn(committer.run_apart(waiting, stopped)),
                };
                queue
            })
            .collect();
        (GroupCommit { queues, stats }, Committers { tasks, stop })
    }

    /// Commits, in a group with others. Errors: as [`Store::commit`] answers, and
    /// `Unavailable` if the store panicked or the committers were shut down. The commit may
    /// take effect even if the caller stops waiting.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { commit, answer };
        let queue = &self.queues[self.committer_of(&waiting.commit)];
        queue.send(waiting).await.map_err(|_| shut_down())?;
        answered.await.map_err(|_| shut_down())?
    }

    /// What the committers did so far.
    pub fn stats(&self) -> &GroupStats {
        &self.stats
    }

    fn committer_of(&self, commit: &Commit) -> usize {
        let mut hasher = DefaultHasher::new();
        commit.space.hash(&mut hasher);
        (hasher.finish() % self.queues.len() as u64) as usize
    }
}

fn shut_down() -> CommitError {
    StoreError::Unavailable("the committers are shut down".to_owned()).into()
}

/// The running committers.
#[derive(Debug)]
pub struct Committers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Committers {
    /// Takes no more commits, commits and answers those taken before, and returns.
    pub async fn shut_down(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Committers {
    /// Lets the committers run on: they end with the last `GroupCommit`.
    fn drop(&mut self) {
        self.tasks.detach_all();
    }
}

#[cfg(test)]
mod tests;
