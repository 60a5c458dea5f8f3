//! Jobs of a store that fails.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{FaultyStore, Operation};
use crate::Store;
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::types::StoreError;

#[async_trait]
impl<S: Store + JobStore> JobStore for FaultyStore<S> {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        let call = self.inner.claim(claim);
        self.with_fault(Operation::Claim, call).await
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        let call = self.inner.extend(leases, until_ms);
        self.with_fault(Operation::Finish, call).await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        let call = self.inner.finish(ended, now_ms);
        self.with_fault(Operation::Finish, call).await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        let call = self.inner.job(name);
        self.with_fault(Operation::ReadJobs, call).await
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        let call = self.inner.cancel(name);
        self.with_fault(Operation::MoveJobs, call).await
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        let call = self.inner.snooze(name, due_at_ms);
        self.with_fault(Operation::MoveJobs, call).await
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        let call = self.inner.waiting_jobs(kind, between_ms, limit);
        self.with_fault(Operation::ReadJobs, call).await
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        let call = self.inner.dead_jobs(kind, after, limit);
        self.with_fault(Operation::ReadJobs, call).await
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        let call = self.inner.replay(name, now_ms);
        self.with_fault(Operation::MoveJobs, call).await
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let call = self.inner.replay_all(kind, now_ms, limit);
        self.with_fault(Operation::MoveJobs, call).await
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let call = self.inner.forget_dead(kind, before_ms, limit);
        self.with_fault(Operation::MoveJobs, call).await
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        let call = self.inner.next_due(kinds);
        self.with_fault(Operation::ReadJobs, call).await
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        let call = self.inner.job_counts(kinds);
        self.with_fault(Operation::ReadJobs, call).await
    }
}
