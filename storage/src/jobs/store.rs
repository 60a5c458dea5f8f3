//! The contract of a store of jobs. Jobs are put and cancelled by commits
//! ([`crate::types::Commit::jobs`]); here is what becomes of them.

use async_trait::async_trait;
use syncline_protocol::stamp::WallMs;

use super::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, Lease, LeaseError, LeasedJob,
    StoredJob,
};
use crate::types::StoreError;

/// A durable store of jobs. Every call is a transaction of its own and durable before it is
/// answered. An error says that nobody knows whether it was done, and then it may be asked again:
/// leases of a claim whose answer was lost run out, and of a finish that was done the repetition
/// is [`LeaseError::Lost`].
///
/// Of a lane one living job can be claimed: the one that is leased, also if its lease has run out;
/// if none is, the one with the smallest number. The others are *behind*: however long they are due,
/// no claim meets them, and people see them as scheduled, or as waiting for their next try. Whatever
/// ends the one that can be claimed, takes it away, gives it up or moves it to the end makes the next
/// one claimable in the same transaction, once it is due, and so [`JobStore::next_due`] says when.
/// One that waits for its next try, was given back or is snoozed keeps its place, and the others
/// wait with it. The dead hold nobody up; one that is replayed has its old place again, but behind
/// one that is leased.
///
/// Times are those of the callers' clocks. Who is ahead of the others takes jobs early, and keeps
/// them, and the turn of the spaces it took them from, from the others for as long as it is ahead.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Leases jobs that are due: scheduled ones, those that wait for another try, and those whose
    /// lease was not extended. Spaces take turns: each gives its share, at most `per_space`, and
    /// goes behind those that were due before; inside a space the longest due come first. Spaces that
    /// are [full](super::Wanted::full) give nothing and take no turn. No job is leased twice at once. May return fewer than are due; whoever got any asks again. Cost
    /// follows what is claimed, whatever waits.
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError>;

    /// Leases last until then, each that is not lost. The answers stand in the order asked. What fails
    /// of one space only is told of its leases alone, by [`LeaseError::Store`].
    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError>;

    /// Ends leases, each that is not lost. The answers stand in the order asked, likewise.
    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError>;

    /// The job of a name; `None` if there is none (any more).
    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError>;

    /// Removes the job of a name, in whatever state it is, as
    /// [`JobMove::Cancel`](super::JobMove::Cancel) does. False if there was none.
    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError>;

    /// Makes a job that waits, also behind others, due at another time, which is then the one it is for; one that was
    /// tried stays for the time it is for, by which what it did is known. False if there is none, or it
    /// is leased or dead.
    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError>;

    /// Jobs of a kind that wait, also behind others, for a time after the first and up to the second, at
    /// most `limit`, in no order: so people find what a clock that ran ahead has put off, which a store
    /// cannot tell from what is meant for later. Asked seldom, and reads what waits of the kind.
    /// Cassandra, where each space must be asked, looks through 5,000 turns of each of eight parts.
    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError>;

    /// Dead jobs of a kind after a place, the newest first, at most `limit`.
    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError>;

    /// Gives a dead job all its tries again, from now on. Its due time stays. False if there is no
    /// dead job of the name.
    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError>;

    /// The same of the oldest dead jobs of a kind that died by now, at most `limit`. Returns
    /// how many: fewer than `limit` were all.
    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Removes the oldest dead jobs of a kind that died before then, at most `limit`. Returns how
    /// many.
    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// When a claim of these kinds may find something, leases that run out included; `None` if
    /// nothing waits. Never later than that; it may be earlier, and is not said again once a claim
    /// at that time found nothing.
    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError>;

    /// Jobs by state, of each kind in the order asked. There are at least as many as it says: see
    /// [`super::JOBS_COUNTED_MAX`].
    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError>;
}
