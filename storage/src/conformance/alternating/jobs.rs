//! Jobs of two hubs in turn.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::Alternating;
use crate::Store;
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::types::StoreError;

#[async_trait]
impl<S: Store + JobStore> JobStore for Alternating<S> {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        self.next().claim(claim).await
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.next().extend(leases, until_ms).await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.next().finish(ended, now_ms).await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        self.next().job(name).await
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        self.next().cancel(name).await
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        self.next().snooze(name, due_at_ms).await
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        self.next().waiting_jobs(kind, between_ms, limit).await
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        self.next().dead_jobs(kind, after, limit).await
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        self.next().replay(name, now_ms).await
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.next().replay_all(kind, now_ms, limit).await
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.next().forget_dead(kind, before_ms, limit).await
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        self.next().next_due(kinds).await
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        self.next().job_counts(kinds).await
    }
}
