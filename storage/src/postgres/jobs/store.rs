//! The contract of jobs. A call whose connection ended is made once more: a claim of before leaves
//! leases that run out, and an end of before is told as a lost lease.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::claim::{Claiming, NextDue};
use super::finish::{Extend, Finish};
use super::people::{
    Cancel, Counting, DeadOnes, ForgetDead, OldDead, One, ReplayAll, WaitingOnes, Waits,
};
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::postgres::PostgresStore;
use crate::types::StoreError;

#[async_trait]
impl JobStore for PostgresStore {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        self.call(Claiming(claim)).await
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.call(Extend { leases, until_ms }).await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.call(Finish { ended, now_ms }).await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        self.call(One(name)).await
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        self.call(Cancel(name)).await
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        self.call(Waits::snooze(name, due_at_ms)).await
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        let waiting = WaitingOnes {
            kind,
            between_ms,
            limit,
        };
        self.call(waiting).await
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        self.call(DeadOnes { kind, after, limit }).await
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        self.call(Waits::replay(name, now_ms)).await
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        at_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let old = OldDead { kind, at_ms, limit };
        self.call(ReplayAll(old)).await
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        at_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let old = OldDead { kind, at_ms, limit };
        self.call(ForgetDead(old)).await
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        self.call(NextDue(kinds)).await
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        self.call(Counting(kinds)).await
    }
}
