//! The contract of jobs.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use syncline_protocol::stamp::WallMs;

use super::{claim, finish, people};
use crate::cassandra::CassandraStore;
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::types::StoreError;

#[async_trait]
impl JobStore for CassandraStore {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        Ok(claim::claim(&self.server, claim).await?)
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        finish::extend(&self.server, leases, until_ms).await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        finish::finish(&self.server, ended, now_ms).await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        Ok(people::job(&self.server, name).await?)
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        Ok(people::cancel(&self.server, name).await?)
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        Ok(people::snooze(&self.server, name, due_at_ms).await?)
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        let asked = (between_ms, limit);
        Ok(people::waiting_jobs(&self.server, kind, asked).await?)
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        Ok(people::dead_jobs(&self.server, kind, (after, limit)).await?)
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        Ok(people::replay(&self.server, name, now_ms).await?)
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(people::replay_all(&self.server, kind, (now_ms, limit)).await?)
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(people::forget_dead(&self.server, kind, (before_ms, limit)).await?)
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        Ok(people::next_due(&self.server, kinds).await?)
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        let counting = kinds.iter().map(|kind| people::counts(&self.server, kind));
        Ok(try_join_all(counting).await?)
    }
}
