//! Leases that end in a commit: it takes effect by whoever has the jobs, and once.

use syncline_protocol::ids::{RecordKey, Seq};

use super::super::space::{NOW, key, titled};
use super::WithJobs;
use super::desk::{Desk, LEASE_MS, cancel, claimed, due, job, keep, keys, replace, untried};
use crate::jobs::{Ended, JobState, Lease, Outcome};
use crate::types::{Commit, CommitError};

fn record() -> RecordKey {
    key("tasks", "a")
}

fn ended(lease: &Lease, outcome: Outcome) -> Ended {
    let lease = lease.clone();
    Ended { lease, outcome }
}

fn done(lease: &Lease) -> Ended {
    ended(lease, Outcome::Done)
}

/// A commit that writes a record and ends leases.
fn writing(desk: &Desk<'_>, ends: Vec<Ended>) -> Commit {
    let mut commit = desk.space.draft(vec![(record(), titled("a", 0))]);
    commit.ends = ends;
    commit
}

async fn refused(desk: &Desk<'_>, ends: Vec<Ended>) -> CommitError {
    let answer = desk.space.commit(writing(desk, ends)).await;
    let refusal = answer.expect_err("a lease is lost");
    assert_eq!(
        desk.space.now().await,
        desk.space.view,
        "nothing is written"
    );
    assert_eq!(desk.space.record(&record()).await, None);
    refusal
}

/// The job is gone with the write, and its key is free.
pub async fn a_commit_ends_the_leases_it_names(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let commit = writing(&desk, vec![done(&lease)]);
    desk.space.accept(commit).await;
    assert_eq!(desk.space.view.head, Seq(1));
    assert!(desk.space.record(&record()).await.is_some());
    assert_eq!(desk.stored("a").await, None);
    desk.put(&["a"]).await;
    assert_eq!(desk.stored("a").await, Some(untried(job("a"))));
}

/// Of an answer that was lost nothing is written twice.
pub async fn a_lease_ends_in_one_commit(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let mut commit = desk.space.draft(vec![(key("tasks", "b"), titled("b", 0))]);
    commit.ends = vec![done(&lease)];
    desk.space.accept(commit).await;
    let lost = refused(&desk, vec![done(&lease)]).await;
    assert_eq!(lost, CommitError::LeasesLost(vec![0]));
    let late = store.finish(&[done(&lease)], NOW).await;
    assert!(late.expect("the store answers")[0].is_err());
}

/// What was put meanwhile is done by who has it then.
pub async fn a_commit_of_a_lost_lease_is_not_written(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    desk.commit(vec![replace(job("a"))]).await;
    let lost = refused(&desk, vec![done(&lease)]).await;
    assert_eq!(lost, CommitError::LeasesLost(vec![0]));
    let again = claimed(store, 9, NOW).await.remove(0);
    let lost = refused(&desk, vec![done(&lease)]).await;
    assert_eq!(lost, CommitError::LeasesLost(vec![0]));
    let commit = writing(&desk, vec![done(&again.lease)]);
    desk.space.accept(commit).await;
    assert_eq!(desk.stored("a").await, None);
}

/// Also where the one who lost it has it no more because its time was over.
pub async fn who_was_overtaken_writes_nothing(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let slow = desk.leased("a").await.lease;
    let quick = claimed(store, 1, NOW + LEASE_MS).await.remove(0).lease;
    let lost = refused(&desk, vec![done(&slow)]).await;
    assert_eq!(lost, CommitError::LeasesLost(vec![0]));
    let commit = writing(&desk, vec![done(&quick)]);
    desk.space.accept(commit).await;
}

/// So that the others can go on without them.
pub async fn lost_leases_are_told_by_their_places(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a", "b", "c", "d"]).await;
    let mut leased = claimed(store, 9, NOW).await;
    leased.sort_by(|a, b| a.job.key.cmp(&b.job.key));
    desk.commit(vec![cancel("b"), cancel("d")]).await;
    let ends: Vec<Ended> = leased.iter().map(|one| done(&one.lease)).collect();
    let lost = refused(&desk, ends.clone()).await;
    assert_eq!(lost, CommitError::LeasesLost(vec![1, 3]));
    for key in ["a", "c"] {
        let state = desk.state(key).await;
        assert!(
            matches!(state, Some(JobState::Leased { .. })),
            "{key}: {state:?}"
        );
    }
    let commit = writing(&desk, vec![ends[0].clone(), ends[2].clone()]);
    desk.space.accept(commit).await;
    assert_eq!(desk.stored("a").await, None);
    assert_eq!(desk.stored("c").await, None);
}

/// As marks alone do.
pub async fn ends_alone_leave_the_head(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let mut commit = desk.space.draft(Vec::new());
    commit.ends = vec![done(&lease)];
    // Made again after an answer that was lost, it finds the lease ended.
    let answer = desk.space.commit(commit).await;
    let is_done = matches!(answer, Ok(()) | Err(CommitError::LeasesLost(_)));
    assert!(is_done, "{answer:?}");
    assert_eq!(desk.space.now().await.head, Seq(0));
    assert_eq!(desk.stored("a").await, None);
}

/// The key is free before anything is put: what a job's own write asks for is not taken for the job.
pub async fn a_job_may_be_put_by_the_commit_that_ends_it(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let mut commit = writing(&desk, vec![done(&lease)]);
    commit.jobs = vec![keep(due("a", NOW + 5))];
    desk.space.accept(commit).await;
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 5))));
    assert_eq!(keys(&claimed(store, 9, NOW + 5).await), ["a"]);
}

/// At its time, and not before.
pub async fn a_job_may_be_due_again_by_the_commit_that_ends_it(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let due_at_ms = NOW + 50;
    let again = ended(&lease, Outcome::Again { due_at_ms });
    let commit = writing(&desk, vec![again]);
    desk.space.accept(commit).await;
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 50))));
    assert_eq!(keys(&claimed(store, 9, NOW + 49).await), [""; 0]);
    let later = claimed(store, 9, NOW + 50).await.remove(0);
    assert_eq!(later.attempt, 1);
    let lost = store.finish(&[done(&lease)], NOW).await;
    assert!(lost.expect("the store answers")[0].is_err());
}

/// It is made again as a whole.
pub async fn a_conflicting_commit_ends_no_lease(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    let mut commit = writing(&desk, vec![done(&lease)]);
    commit.expect_head = commit.head;
    desk.space.conflict(commit).await;
    let extended = store.extend(&[lease], NOW + LEASE_MS).await;
    assert_eq!(extended, Ok(vec![Ok(())]));
}

/// Each commit of a group by itself.
pub async fn a_lost_lease_leaves_the_others_of_a_group_alone(store: &dyn WithJobs) {
    let mut ada = Desk::open_named(store, "ada").await;
    let mut bob = Desk::open_named(store, "bob").await;
    let mut eve = Desk::open_named(store, "eve").await;
    let leases = [
        ada.leased("j").await.lease,
        bob.leased("j").await.lease,
        eve.leased("j").await.lease,
    ];
    bob.commit(vec![cancel("j")]).await;
    let drafts = [&ada, &bob, &eve].into_iter().zip(&leases);
    let drafts = drafts.map(|(desk, lease)| writing(desk, vec![done(lease)]));
    let answers = store.commit(drafts.collect()).await;
    let lost = Err(CommitError::LeasesLost(vec![0]));
    assert_eq!(answers, [Ok(()), lost, Ok(())]);
    for (desk, is_written) in [(&ada, true), (&bob, false), (&eve, true)] {
        assert_eq!(desk.space.record(&record()).await.is_some(), is_written);
        assert_eq!(desk.stored("j").await, None);
    }
}
