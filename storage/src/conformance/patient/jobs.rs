//! Jobs asked for again.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{Patient, TRIES_MAX};
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::types::StoreError;

#[async_trait]
impl<S: JobStore> JobStore for Patient<S> {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        again!(self.0.claim(claim))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        again!(self.0.extend(leases, until_ms))
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        again!(self.0.finish(ended, now_ms))
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        again!(self.0.job(name))
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        again!(self.0.cancel(name))
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        again!(self.0.snooze(name, due_at_ms))
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        again!(self.0.waiting_jobs(kind, between_ms, limit))
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        again!(self.0.dead_jobs(kind, after, limit))
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        again!(self.0.replay(name, now_ms))
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        again!(self.0.replay_all(kind, now_ms, limit))
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        again!(self.0.forget_dead(kind, before_ms, limit))
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        again!(self.0.next_due(kinds))
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        again!(self.0.job_counts(kinds))
    }
}
