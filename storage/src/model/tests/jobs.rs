//! Jobs of the model as of a store.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::Shared;
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeaseLost, LeasedJob, StoredJob,
};
use crate::types::StoreError;

/// As a store tells it.
fn told(answers: Vec<Result<(), LeaseLost>>) -> Vec<Result<(), LeaseError>> {
    let told = |answer: Result<(), LeaseLost>| answer.map_err(LeaseError::from);
    answers.into_iter().map(told).collect()
}

#[async_trait]
impl JobStore for Shared {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        Ok(self.0.lock().unwrap().claim(claim))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        Ok(told(self.0.lock().unwrap().extend(leases, until_ms)))
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        Ok(told(self.0.lock().unwrap().finish(ended, now_ms)))
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        Ok(self.0.lock().unwrap().job(name))
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().cancel_job(name))
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().snooze(name, due_at_ms))
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        Ok(self.0.lock().unwrap().waiting_jobs(kind, between_ms, limit))
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        Ok(self.0.lock().unwrap().dead_jobs(kind, after, limit))
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().replay(name, now_ms))
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.0.lock().unwrap().replay_all(kind, now_ms, limit))
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.0.lock().unwrap().forget_dead(kind, before_ms, limit))
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        Ok(self.0.lock().unwrap().next_due(kinds))
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        Ok(self.0.lock().unwrap().job_counts(kinds))
    }
}
