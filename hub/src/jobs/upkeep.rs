//! What is done about jobs now and then: the jobs of schedules that are not there are put, those that
//! were given up long ago are forgotten, and all are counted. Every node that does jobs does all of
//! it; the store sees to it that twice is as good as once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use syncline_cluster::ChangeLog;
use syncline_compute::jobs::cron::Schedule;
use syncline_compute::jobs::schedules::missing;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_storage::jobs::{JobKind, StoredJob, first_due_ms};
use syncline_storage::types::{CommitError, StoreError};
use syncline_storage::{JobStore, Store};
use tracing::{error, info, warn};

use super::metrics::JobMetrics;
use super::{JobsBell, jobs_alone};
use crate::clock::Clock;

/// The space of an app's schedules. No user can have it: `@` never begins a `sub`.
pub(crate) const SCHEDULES_SPACE: &str = "@schedules";

/// From one count of jobs, and one look whether schedules are there, to the next.
const LOOK_APART: Duration = Duration::from_secs(15);

/// Looks from one time of forgetting to the next: an hour.
const LOOKS_TO_FORGETTING: u64 = 240;

/// Jobs forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 500;

const DAY_MS: u64 = 86_400_000;

/// What it takes.
pub(super) struct Upkeep {
    pub(super) jobs: Arc<dyn JobStore>,
    pub(super) store: Arc<dyn Store>,
    pub(super) log: ChangeLog,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bell: JobsBell,
    pub(super) metrics: JobMetrics,
    pub(super) kinds: Vec<JobKind>,
    /// Of each app that has any.
    pub(super) schedules: Vec<(AppId, Vec<Schedule>)>,
    pub(super) dead_days: u64,
}

impl Upkeep {
    /// Goes on for ever, also when a look panics. To be dropped at any moment.
    pub(super) async fn run(self) {
        for look in 0.. {
            if AssertUnwindSafe(self.look(look))
                .catch_unwind()
                .await
                .is_err()
            {
                error!("a look after jobs ended by a fault; the next one is made");
            }
            tokio::time::sleep(LOOK_APART).await;
        }
    }

    async fn look(&self, look: u64) {
        self.put_schedules().await;
        self.count().await;
        if look.is_multiple_of(LOOKS_TO_FORGETTING) {
            self.forget().await;
        }
    }

    async fn count(&self) {
        match self.jobs.job_counts(&self.kinds).await {
            Ok(counts) => self.metrics.stand(&self.kinds, &counts),
            Err(error) => warn!(%error, "jobs could not be counted"),
        }
    }

    async fn forget(&self) {
        let before_ms = self.clock.now_ms().saturating_sub(self.dead_days * DAY_MS);
        for kind in &self.kinds {
            loop {
                let forgotten = self
                    .jobs
                    .forget_dead(kind, before_ms, FORGOTTEN_AT_ONCE)
                    .await;
                match forgotten {
                    Ok(FORGOTTEN_AT_ONCE) => {}
                    Ok(0) => break,
                    Ok(jobs) => {
                        info!(%kind, jobs, "jobs that were given up long ago are forgotten");
                        break;
                    }
                    Err(error) => {
                        warn!(%kind, %error, "jobs that were given up could not be forgotten");
                        break;
                    }
                }
            }
        }
    }

    async fn put_schedules(&self) {
        for (app, schedules) in &self.schedules {
            let space = SpaceKey {
                app: app.clone(),
                space: SpaceId::trusted(SCHEDULES_SPACE),
            };
            match self.put_missing(&space, schedules).await {
                Ok(()) => {}
                // Another node was first: the next look finds them there.
                Err(CommitError::Conflict) => {}
                Err(error) => warn!(%app, %error, "schedules could not be put"),
            }
        }
    }

    async fn put_missing(
        &self,
        space: &SpaceKey,
        schedules: &[Schedule],
    ) -> Result<(), CommitError> {
        let now_ms = self.clock.now_ms();
        let existing = self.existing(space, schedules).await?;
        if existing.iter().all(Option::is_some) {
            return Ok(());
        }
        let view = self.store.open_space(space, now_ms).await?;
        let existing: Vec<_> = existing.into_iter().flatten().collect();
        let moves = missing(schedules, &existing, &view, now_ms);
        let commit = jobs_alone::commit(space.clone(), &view, (now_ms, moves));
        let due_ms = first_due_ms(&[], &commit.jobs);
        self.log.commit(commit).await?;
        if let Some(due_ms) = due_ms {
            self.bell.ring(due_ms);
        }
        Ok(())
    }

    async fn existing(
        &self,
        space: &SpaceKey,
        schedules: &[Schedule],
    ) -> Result<Vec<Option<StoredJob>>, StoreError> {
        let mut existing = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            existing.push(self.jobs.job(&schedule.name(space.clone())).await?);
        }
        Ok(existing)
    }
}
