//! The contract of jobs: what changes something goes to the writer, the rest to the readers.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{claim, finish, people};
use crate::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, JobStore, Lease, LeaseError,
    LeasedJob, StoredJob,
};
use crate::sqlite::SqliteStore;
use crate::types::StoreError;

#[async_trait]
impl JobStore for SqliteStore {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        let asked = claim.clone();
        let is_due = self.readers.read(move |conn| claim::is_due(conn, &asked));
        if !is_due.await? {
            return Ok(Vec::new());
        }
        let claim = claim.clone();
        self.writer
            .run(move |conn| claim::claim(conn, &claim))
            .await
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        let leases = leases.to_vec();
        self.writer
            .run(move |conn| finish::extend(conn, &leases, until_ms))
            .await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        let ended = ended.to_vec();
        self.writer
            .run(move |conn| finish::finish(conn, &ended, now_ms))
            .await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        let name = name.clone();
        self.readers
            .read(move |conn| people::job(conn, &name))
            .await
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.writer
            .run(move |conn| people::cancel(conn, &name))
            .await
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        let name = name.clone();
        self.writer
            .run(move |conn| people::snooze(conn, &name, due_at_ms))
            .await
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        let kind = kind.clone();
        self.readers
            .read(move |conn| people::waiting_jobs(conn, &kind, (between_ms, limit)))
            .await
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        let kind = kind.clone();
        self.readers
            .read(move |conn| people::dead_jobs(conn, &kind, (after, limit)))
            .await
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        let name = name.clone();
        self.writer
            .run(move |conn| people::replay(conn, &name, now_ms))
            .await
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let kind = kind.clone();
        self.writer
            .run(move |conn| people::replay_all(conn, &kind, (now_ms, limit)))
            .await
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let kind = kind.clone();
        self.writer
            .run(move |conn| people::forget_dead(conn, &kind, (before_ms, limit)))
            .await
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        let kinds = kinds.to_vec();
        self.readers
            .read(move |conn| {
                let mut first = None;
                for kind in &kinds {
                    let of_kind = claim::first_turn(conn, kind)?;
                    first = [first, of_kind].into_iter().flatten().min();
                }
                Ok(first)
            })
            .await
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        let kinds = kinds.to_vec();
        self.readers
            .read(move |conn| {
                kinds
                    .iter()
                    .map(|kind| people::counts(conn, kind))
                    .collect()
            })
            .await
    }
}
