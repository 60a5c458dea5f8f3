//! Sessions that put jobs, and a runner that does them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_trait::async_trait;
use syncline_compute::jobs::lease::LeasePolicy;
use syncline_compute::jobs::retry::RetryPolicy;
use syncline_compute::runner::{Bell, How, KindSpec, POLL_MS, Runner, RunnerParts, Told};
use syncline_compute::worker::{NotWritten, SystemClient, SystemWrite, Task, Worked, Worker};
use syncline_protocol::ids::NodeId;
use syncline_storage::Store;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::types::SpaceView;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::fill::NOW;
use super::{Load, WithJobs, change, kind, moved, opened};

/// How long it may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(600);

/// What was measured.
pub(super) struct Done {
    /// Jobs put and done a second.
    pub(super) rate: f64,
    /// Jobs put a second, by themselves.
    pub(super) put_rate: f64,
}

/// A worker that does nothing.
struct Idle;

#[async_trait]
impl Worker for Idle {
    async fn work(&self, _: &Task) -> Worked {
        Worked::Done(None)
    }
}

#[async_trait]
impl SystemClient for Idle {
    async fn write(&self, _: SystemWrite) -> Result<(), NotWritten> {
        Ok(())
    }
}

/// Counts what is done.
#[derive(Debug, Default)]
struct Count {
    done: AtomicUsize,
    moved: Notify,
}

impl Count {
    fn hear(&self, told: &Told) {
        if let Told::Ended { how: How::Done, .. } = told {
            self.done.fetch_add(1, Ordering::Relaxed);
            self.moved.notify_one();
        }
    }

    async fn reach(&self, jobs: usize) {
        while self.done.load(Ordering::Relaxed) < jobs {
            self.moved.notified().await;
        }
    }
}

/// Measures both.
pub(super) async fn run(store: &Arc<dyn WithJobs>, load: &Load) -> Result<Done> {
    let count = Arc::new(Count::default());
    let runner = start(store.clone(), load, &count).await?;
    let began = Instant::now();
    put_all(store, load, Some(runner.bell())).await?;
    let all = load.jobs / load.spaces * load.spaces;
    let reached = tokio::time::timeout(HUNG, count.reach(all)).await;
    reached.context("jobs are not done")?;
    let rate = all as f64 / began.elapsed().as_secs_f64();
    runner.drain().await;
    let began = Instant::now();
    put_all(store, load, None).await?;
    let put_rate = all as f64 / began.elapsed().as_secs_f64();
    Ok(Done { rate, put_rate })
}

async fn start(store: Arc<dyn WithJobs>, load: &Load, count: &Arc<Count>) -> Result<Runner> {
    let begin = Instant::now();
    let count = count.clone();
    let parts = RunnerParts {
        jobs: store,
        node: NodeId::trusted("bench"),
        now: Arc::new(move || NOW + begin.elapsed().as_millis() as u64),
        seed: 1,
        poll_ms: POLL_MS,
        kinds: vec![KindSpec {
            kind: kind(),
            worker: Arc::new(Idle),
            concurrency: load.workers,
            lease: LeasePolicy::default(),
            retry: RetryPolicy::default(),
            time_ms: 10_000,
        }],
        schedules: Arc::default(),
        system: Arc::new(Idle),
        told: Arc::new(move |told| count.hear(&told)),
    };
    Ok(Runner::start(parts).await?)
}

/// Each session commits changes of its space one after the other, each with a job.
async fn put_all(store: &Arc<dyn WithJobs>, load: &Load, bell: Option<Bell>) -> Result<()> {
    let views = opened(&**store, load.spaces).await?;
    let store: Arc<dyn Store> = store.clone();
    let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
    let mut sessions = JoinSet::new();
    for (space, view) in views.into_iter().enumerate() {
        let commits = load.jobs / load.spaces;
        sessions.spawn(session(group.clone(), (space, view), commits, bell.clone()));
    }
    while let Some(ended) = sessions.join_next().await {
        ended??;
    }
    drop(group);
    committers.shut_down().await;
    Ok(())
}

async fn session(
    group: GroupCommit,
    (space, mut view): (usize, SpaceView),
    commits: usize,
    bell: Option<Bell>,
) -> Result<()> {
    for _ in 0..commits {
        let commit = change(space, &view);
        let head = commit.head;
        group.commit(commit).await?;
        view = moved(&view, head);
        if let Some(bell) = &bell {
            bell.ring(NOW);
        }
    }
    Ok(())
}
