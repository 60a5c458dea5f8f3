//! One committer: takes what waits, commits it, as a group or each by itself, and answers each.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::GroupLimits;
use super::gather::Gatherer;
use super::stats::GroupStats;
use crate::Store;
use crate::types::{Commit, CommitError, StoreError};

/// A commit and who waits for its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) commit: Commit,
    pub(super) answer: oneshot::Sender<Result<(), CommitError>>,
}

/// What a committer works with.
pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) limits: GroupLimits,
    pub(super) stats: Arc<GroupStats>,
}

impl Committer {
    /// Runs until the queue is closed and empty. `stopped` closes it.
    pub(super) async fn run_in_groups(
        self,
        mut queue: mpsc::Receiver<Waiting>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut gatherer = Gatherer::new(self.limits);
        loop {
            let mut first = None;
            if gatherer.is_empty() {
                first = wait_for_one(&mut queue, &mut stopped).await;
                if first.is_none() {
                    return;
                }
            }
            let group = gatherer.gather(|| first.take().or_else(|| queue.try_recv().ok()));
            self.commit(group).await;
        }
    }

    pub(super) async fn commit(&self, group: Vec<Waiting>) {
        let (commits, waiting): (Vec<Commit>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.commit, waiting.answer))
            .unzip();
        let began = Instant::now();
        let answers = self.ask_store(commits).await;
        self.stats.note(&answers, began.elapsed());
        for (waiting, answer) in waiting.into_iter().zip(answers) {
            // A session that ended waits no more.
            let _ = waiting.send(answer);
        }
    }

    /// As many answers as commits, whatever the store does: its panic is an answer here. It is
    /// caught, because a task of its own would be two more hops on the way of every commit.
    async fn ask_store(&self, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
        let count = commits.len();
        let mut commit = self.store.commit(commits);
        let answered = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| commit.as_mut().poll(cx)));
            polled.unwrap_or_else(|_| {
                error!("a group's commit panicked");
                Poll::Ready(Vec::new())
            })
        });
        let mut answers = answered.await;
        let unanswered =
            || Err(StoreError::Unavailable("the store gave no answer".to_owned()).into());
        answers.resize_with(count, unanswered);
        answers
    }
}

/// The next commit, or `None` when no more will come. Commits taken before the stop still come.
pub(super) async fn wait_for_one(
    queue: &mut mpsc::Receiver<Waiting>,
    stopped: &mut watch::Receiver<bool>,
) -> Option<Waiting> {
    tokio::select! {
        biased;
        // An error means that nobody can stop us any more; then the queue's end is the end.
        Ok(_) = stopped.wait_for(|stop| *stop) => {}
        waiting = queue.recv() => return waiting,
    }
    queue.close();
    queue.recv().await
}
