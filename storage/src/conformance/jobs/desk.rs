//! A space whose jobs are tested, and short ways to say what is done to them.

use syncline_protocol::ids::{Epoch, NodeId, Seq};
use syncline_protocol::stamp::WallMs;

use super::super::space::{NOW, Space};
use super::WithJobs;
use crate::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobError, JobKey, JobKind, JobLane, JobMove, JobName,
    JobState, Lease, LeaseError, LeaseLost, LeasedJob, Origin, Outcome, StoredJob, TriggerId,
    Wanted,
};

/// How long leases last, in milliseconds.
pub(super) const LEASE_MS: u64 = 30_000;

/// The kind that most behaviours use.
pub(crate) fn webhook() -> JobKind {
    JobKind::trusted("webhook")
}

/// A job of [`webhook`] that has waited for a millisecond.
pub(crate) fn job(key: &str) -> Job {
    due(key, NOW - 1)
}

pub(super) fn due(key: &str, due_at_ms: WallMs) -> Job {
    Job {
        kind: webhook(),
        key: JobKey::trusted(key),
        lane: None,
        due_at_ms,
        args: JobArgs::trusted("null"),
        depth: 0,
        origin: Origin {
            epoch: Epoch(7),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    }
}

pub(super) fn of_kind(kind: &str, key: &str) -> Job {
    let kind = JobKind::trusted(kind);
    Job { kind, ..job(key) }
}

pub(super) fn in_lane(lane: &str, job: Job) -> Job {
    let lane = Some(JobLane::trusted(lane));
    Job { lane, ..job }
}

/// One of the lane that most behaviours use.
pub(super) fn next(key: &str) -> Job {
    in_lane("a record", job(key))
}

pub(crate) fn keep(job: Job) -> JobMove {
    let if_there = IfThere::Keep;
    JobMove::Put { job, if_there }
}

pub(super) fn replace(job: Job) -> JobMove {
    let if_there = IfThere::Replace;
    JobMove::Put { job, if_there }
}

pub(crate) fn cancel(key: &str) -> JobMove {
    let Job { kind, key, .. } = job(key);
    JobMove::Cancel { kind, key }
}

/// A job as it is before its first try.
pub(super) fn untried(job: Job) -> StoredJob {
    StoredJob {
        job,
        state: JobState::Scheduled,
        attempt: 0,
        error: None,
    }
}

pub(super) fn why() -> JobError {
    JobError::new("no answer")
}

/// A claim of [`webhook`], with no other bound than how many.
pub(super) fn claim(jobs: usize, now_ms: WallMs) -> Claim {
    let kind = webhook();
    Claim {
        wanted: vec![Wanted::of(kind, jobs)],
        holder: NodeId::trusted("n1"),
        now_ms,
        lease_ms: LEASE_MS,
        per_space: usize::MAX,
    }
}

pub(super) async fn claimed(store: &dyn WithJobs, jobs: usize, now_ms: WallMs) -> Vec<LeasedJob> {
    let leased = store.claim(&claim(jobs, now_ms)).await;
    leased.expect("the store answers")
}

/// The keys of what was leased.
pub(super) fn keys(leased: &[LeasedJob]) -> Vec<&str> {
    leased.iter().map(|one| one.job.key.as_str()).collect()
}

/// The spaces of what was leased, in order.
pub(super) fn spaces(leased: &[LeasedJob]) -> Vec<&str> {
    let mut spaces: Vec<&str> = leased
        .iter()
        .map(|one| one.lease.name.space.space.as_str())
        .collect();
    spaces.sort_unstable();
    spaces
}

pub(super) async fn finish(
    store: &dyn WithJobs,
    lease: &Lease,
    outcome: Outcome,
) -> Result<(), LeaseLost> {
    let lease = lease.clone();
    let ended = [Ended { lease, outcome }];
    let answers = store.finish(&ended, NOW).await;
    match answers.expect("the store answers").remove(0) {
        Ok(()) => Ok(()),
        Err(LeaseError::Lost(lost)) => Err(lost),
        Err(LeaseError::Store(error)) => panic!("the store answers: {error}"),
    }
}

/// A space with jobs.
pub(super) struct Desk<'s> {
    pub(super) store: &'s dyn WithJobs,
    pub(super) space: Space<'s>,
}

impl<'s> Desk<'s> {
    pub(super) async fn open(store: &'s dyn WithJobs) -> Desk<'s> {
        Desk::open_named(store, "ada").await
    }

    pub(super) async fn open_named(store: &'s dyn WithJobs, name: &str) -> Desk<'s> {
        let space = Space::open_named(store, "todo", name).await;
        Desk { store, space }
    }

    /// Commits moves of jobs and nothing else.
    pub(super) async fn commit(&mut self, moves: Vec<JobMove>) {
        let mut commit = self.space.draft(Vec::new());
        commit.jobs = moves;
        self.space.accept(commit).await;
    }

    /// Enqueues jobs that wait for a millisecond.
    pub(super) async fn put(&mut self, keys: &[&str]) {
        self.commit(keys.iter().map(|key| keep(job(key))).collect())
            .await;
    }

    /// Enqueues jobs of one lane, which have all waited for a millisecond.
    pub(super) async fn put_in_lane(&mut self, keys: &[&str]) {
        self.commit(keys.iter().map(|key| keep(next(key))).collect())
            .await;
    }

    /// Ends a job well.
    pub(super) async fn done(&self, leased: &LeasedJob) {
        let done = finish(self.store, &leased.lease, Outcome::Done).await;
        assert_eq!(done, Ok(()), "{}", leased.job.key);
    }

    /// Does all that can be claimed at a time, one claim after the other, until none finds any. The keys
    /// in the order of their leases.
    pub(super) async fn drained(&self, now_ms: WallMs) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            let leased = claimed(self.store, 9, now_ms).await;
            if leased.is_empty() {
                return done;
            }
            for one in &leased {
                self.done(one).await;
                done.push(one.job.key.to_string());
            }
        }
    }

    /// Enqueues so many, `000`, `001`, ….
    pub(super) async fn put_many(&mut self, count: usize) {
        let moves = (0..count).map(|n| keep(job(&format!("{n:03}"))));
        self.commit(moves.collect()).await;
    }

    pub(super) fn name(&self, key: &str) -> JobName {
        self.name_of(&job(key))
    }

    pub(super) fn name_of(&self, job: &Job) -> JobName {
        JobName {
            space: self.space.key.clone(),
            kind: job.kind.clone(),
            key: job.key.clone(),
        }
    }

    pub(super) async fn stored(&self, key: &str) -> Option<StoredJob> {
        self.at(&self.name(key)).await
    }

    pub(super) async fn at(&self, name: &JobName) -> Option<StoredJob> {
        self.store.job(name).await.expect("the store answers")
    }

    pub(super) async fn state(&self, key: &str) -> Option<JobState> {
        self.stored(key).await.map(|stored| stored.state)
    }

    /// Puts a job and leases it.
    pub(super) async fn leased(&mut self, key: &str) -> LeasedJob {
        self.put(&[key]).await;
        let mut leased = claimed(self.store, 1, NOW).await;
        assert_eq!(keys(&leased), [key]);
        leased.remove(0)
    }

    /// Puts a job that dies.
    pub(super) async fn dead(&mut self, key: &str, now_ms: WallMs) {
        let lease = self.leased(key).await.lease;
        let outcome = Outcome::Dead { error: why() };
        let answers = self.store.finish(&[Ended { lease, outcome }], now_ms).await;
        assert_eq!(answers, Ok(vec![Ok(())]));
    }
}
