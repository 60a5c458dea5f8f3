//! The committers on a real store.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::{Committers, GroupCommit, GroupLimits};
use crate::Store;
use crate::conformance::space::{Space, key, titled};
use crate::faulty::{Fault, FaultyStore, Operation};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::types::{Commit, CommitError, Committing, StoreError};

struct Running {
    store: Arc<FaultyStore<SqliteStore>>,
    group: GroupCommit,
    committers: Committers,
    _dir: TempDir,
}

fn running(limits: GroupLimits) -> Running {
    running_as(Committing::InGroups(1), limits)
}

fn running_as(committing: Committing, limits: GroupLimits) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    let store = Arc::new(FaultyStore::scripted(SqliteStore::open(&options).unwrap()));
    let as_store: Arc<dyn Store> = store.clone();
    let (group, committers) = GroupCommit::start_as(committing, &as_store, limits);
    Running {
        store,
        group,
        committers,
        _dir: dir,
    }
}

/// On one thread all that were spawned hand in before the committer runs.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

async fn drafts(store: &dyn Store, count: usize) -> Vec<Commit> {
    let mut drafts = Vec::new();
    for n in 0..count {
        let space = Space::open_named(store, "todo", &format!("user{n}")).await;
        drafts.push(space.draft(vec![(key("t", "a"), titled("a", 0))]));
    }
    drafts
}

/// Hands in all at once and returns how many were answered how.
async fn commit_all(group: &GroupCommit, commits: Vec<Commit>) -> Vec<Result<(), CommitError>> {
    let mut tasks = JoinSet::new();
    for commit in commits {
        let group = group.clone();
        tasks.spawn(async move { group.commit(commit).await });
    }
    tasks.join_all().await
}

fn unavailable(answer: &Result<(), CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::Unavailable(_))))
}

#[test]
fn commits_that_wait_together_are_one_group() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let commits = drafts(&*running.store, 10).await;
        let answers = commit_all(&running.group, commits).await;
        assert!(answers.iter().all(Result::is_ok));
        let sizes = running.group.stats().totals().sizes;
        assert_eq!((sizes.counts.iter().sum::<u64>(), sizes.sum), (1, 10));
    });
}

#[test]
fn a_group_is_cut_at_its_limit_and_the_rest_follows() {
    runtime().block_on(async {
        let running = running(GroupLimits {
            commits: 4,
            ..GroupLimits::default()
        });
        let commits = drafts(&*running.store, 10).await;
        let answers = commit_all(&running.group, commits).await;
        assert!(answers.iter().all(Result::is_ok));
        let sizes = running.group.stats().totals().sizes;
        assert_eq!((sizes.counts.iter().sum::<u64>(), sizes.sum), (3, 10));
    });
}

#[test]
fn a_full_queue_makes_sessions_wait_and_loses_nobody() {
    runtime().block_on(async {
        let running = running(GroupLimits {
            waiting: 1,
            ..GroupLimits::default()
        });
        let commits = drafts(&*running.store, 10).await;
        let answers = commit_all(&running.group, commits).await;
        assert!(answers.iter().all(Result::is_ok));
    });
}

#[test]
fn each_gets_its_own_answer() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let mut commits = drafts(&*running.store, 3).await;
        commits[1].expect_head = commits[1].head;
        let (good, stale) = (commits[0].clone(), commits[1].clone());
        let (one, other) = tokio::join!(running.group.commit(good), running.group.commit(stale));
        assert_eq!((one, other), (Ok(()), Err(CommitError::Conflict)));
        let totals = running.group.stats().totals();
        assert_eq!(
            (totals.committed, totals.conflicts, totals.failed),
            (1, 1, 0)
        );
    });
}

#[test]
fn two_commits_of_a_space_take_turns() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let mut space = Space::open(&*running.store).await;
        let first = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        space.view.head = first.head;
        let second = space.draft(vec![(key("t", "b"), titled("b", 0))]);
        let (one, other) = tokio::join!(running.group.commit(first), running.group.commit(second));
        assert_eq!((one, other), (Ok(()), Ok(())));
        let sizes = running.group.stats().totals().sizes;
        assert_eq!((sizes.counts[0], sizes.sum), (2, 2));
    });
}

#[test]
fn a_panicking_store_is_an_answer_and_the_next_group_works() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let commits = drafts(&*running.store, 3).await;
        running
            .store
            .script(Operation::Commit, Some(Fault::Panicked));
        let answers = commit_all(&running.group, commits.clone()).await;
        assert!(answers.iter().all(unavailable), "{answers:?}");
        assert_eq!(running.group.stats().totals().failed, 3);
        let answers = commit_all(&running.group, commits).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    });
}

#[test]
fn a_commit_takes_effect_though_its_session_gave_up() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let space = Space::open(&*running.store).await;
        let commit = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        let group = running.group.clone();
        let session = tokio::spawn(async move { group.commit(commit).await });
        tokio::task::yield_now().await;
        session.abort();
        running.committers.shut_down().await;
        assert!(space.record(&key("t", "a")).await.is_some());
    });
}

#[test]
fn shutting_down_answers_what_was_taken_and_takes_no_more() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let commits = drafts(&*running.store, 11).await;
        let mut tasks = JoinSet::new();
        for commit in commits.iter().take(10).cloned() {
            let group = running.group.clone();
            tasks.spawn(async move { group.commit(commit).await });
        }
        tokio::task::yield_now().await;
        running.committers.shut_down().await;
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let late = running.group.commit(commits[10].clone()).await;
        assert!(unavailable(&late), "{late:?}");
    });
}

#[test]
fn committers_end_with_the_last_session() {
    runtime().block_on(async {
        let Running {
            group,
            mut committers,
            ..
        } = running(GroupLimits::default());
        drop(group);
        assert!(
            committers
                .tasks
                .join_next()
                .await
                .is_some_and(|ended| ended.is_ok())
        );
    });
}

#[test]
fn a_space_always_goes_to_the_same_committer() {
    runtime().block_on(async {
        let running = running(GroupLimits::default());
        let commit = drafts(&*running.store, 1).await.remove(0);
        let group = GroupCommit {
            queues: (0..4).map(|_| running.group.queues[0].clone()).collect(),
            ..running.group
        };
        assert_eq!(
            group.committer_of(&commit),
            group.committer_of(&commit.clone())
        );
    });
}

/// Where each is by itself.
mod apart {
    use super::*;

    #[test]
    fn commits_that_wait_together_are_answered_each_by_itself() {
        runtime().block_on(async {
            let running = running_as(Committing::Apart(1), GroupLimits::default());
            let mut commits = drafts(&*running.store, 10).await;
            commits[3].expect_head = commits[3].head;
            let answers = commit_all(&running.group, commits).await;
            let conflicts = answers.iter().filter(|answer| answer.is_err());
            assert_eq!(conflicts.count(), 1);
            let sizes = running.group.stats().totals().sizes;
            assert_eq!((sizes.counts[0], sizes.sum), (10, 10));
        });
    }

    /// The second stands on the first, so it conflicts unless that is done.
    #[test]
    fn commits_of_a_space_keep_their_order() {
        runtime().block_on(async {
            let running = running_as(Committing::Apart(1), GroupLimits::default());
            let mut space = Space::open(&*running.store).await;
            let mut commits = Vec::new();
            for n in 0..20 {
                let commit = space.draft(vec![(key("t", &n.to_string()), titled("a", 0))]);
                space.view.head = commit.head;
                commits.push(commit);
            }
            let answers = commits
                .into_iter()
                .map(|commit| running.group.commit(commit));
            let answers = futures_util::future::join_all(answers).await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        });
    }

    #[test]
    fn those_who_find_no_place_wait_and_nobody_is_lost() {
        runtime().block_on(async {
            let limits = GroupLimits {
                commits: 2,
                waiting: 1,
                ..GroupLimits::default()
            };
            let running = running_as(Committing::Apart(1), limits);
            let commits = drafts(&*running.store, 10).await;
            let answers = commit_all(&running.group, commits).await;
            assert!(answers.iter().all(Result::is_ok));
        });
    }

    #[test]
    fn a_panicking_store_is_an_answer_and_the_others_are_committed() {
        runtime().block_on(async {
            let running = running_as(Committing::Apart(1), GroupLimits::default());
            let commits = drafts(&*running.store, 3).await;
            running
                .store
                .script(Operation::Commit, Some(Fault::Panicked));
            let answers = commit_all(&running.group, commits).await;
            let failed = answers.iter().filter(|answer| unavailable(answer));
            assert_eq!(failed.count(), 1, "{answers:?}");
            assert_eq!(running.group.stats().totals().committed, 2);
        });
    }

    #[test]
    fn shutting_down_answers_what_was_taken_and_takes_no_more() {
        runtime().block_on(async {
            let running = running_as(Committing::Apart(1), GroupLimits::default());
            let commits = drafts(&*running.store, 11).await;
            let mut tasks = JoinSet::new();
            for commit in commits.iter().take(10).cloned() {
                let group = running.group.clone();
                tasks.spawn(async move { group.commit(commit).await });
            }
            tokio::task::yield_now().await;
            running.committers.shut_down().await;
            let answers = tasks.join_all().await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            let late = running.group.commit(commits[10].clone()).await;
            assert!(unavailable(&late), "{late:?}");
        });
    }
}
