//! Sessions that put jobs, and a runner that does them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_trait::async_trait;
use syncline_compute::jobs::lease::LeasePolicy;
use syncline_compute::jobs::retry::RetryPolicy;
use syncline_compute::runner::{Bell, How, KindSpec, POLL_MS, Runner, RunnerParts, Told};
use syncline_compute::worker::{self, Changes, Task, Worker};
use syncline_protocol::ids::NodeId;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::fill::NOW;
use super::sessions::Sessions;
use super::{Load, Way, WithJobs, alone, change_with_job, kind};

/// How long it may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(600);

/// What was measured.
pub(super) struct Done {
    /// Jobs put and done a second.
    pub(super) rate: f64,
    /// Jobs put a second, by themselves.
    pub(super) put_rate: f64,
}

/// A worker that answers at once.
struct Worked(Option<Changes>);

#[async_trait]
impl Worker for Worked {
    async fn work(&self, _: &Task) -> worker::Worked {
        worker::Worked::Done(self.0.clone())
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
pub(super) async fn run(store: &Arc<dyn WithJobs>, load: &Load, way: Way) -> Result<Done> {
    let count = Arc::new(Count::default());
    let (sessions, committers) = Sessions::open(store, load.spaces).await?;
    let sessions = Arc::new(sessions);
    let runner = start((store.clone(), sessions.clone()), (load, way), &count).await?;
    let began = Instant::now();
    put_all(&sessions, (load, way), Some(runner.bell())).await?;
    let all = load.jobs / load.spaces * load.spaces;
    let reached = tokio::time::timeout(HUNG, count.reach(all)).await;
    reached.context("jobs are not done")?;
    let rate = all as f64 / began.elapsed().as_secs_f64();
    runner.drain().await;
    let began = Instant::now();
    put_all(&sessions, (load, way), None).await?;
    let put_rate = all as f64 / began.elapsed().as_secs_f64();
    drop(sessions);
    committers.shut_down().await;
    // What was put by itself is in nobody's way.
    alone::end_all(&**store, 256).await?;
    Ok(Done { rate, put_rate })
}

async fn start(
    (store, sessions): (Arc<dyn WithJobs>, Arc<Sessions>),
    (load, way): (&Load, Way),
    count: &Arc<Count>,
) -> Result<Runner> {
    let begin = Instant::now();
    let count = count.clone();
    // What they are is read by nobody here.
    let changes = (way == Way::Writing).then(|| Changes("[]".to_owned()));
    let parts = RunnerParts {
        jobs: store,
        node: NodeId::trusted("bench"),
        now: Arc::new(move || NOW + begin.elapsed().as_millis() as u64),
        seed: 1,
        poll_ms: POLL_MS,
        kinds: vec![KindSpec {
            kind: kind(),
            worker: Arc::new(Worked(changes)),
            concurrency: load.workers,
            lease: LeasePolicy::default(),
            retry: RetryPolicy::default(),
            time_ms: 10_000,
        }],
        schedules: Arc::default(),
        system: sessions,
        told: Arc::new(move |told| count.hear(&told)),
    };
    Ok(Runner::start(parts).await?)
}

/// Each session commits changes of its space one after the other, each with a job.
async fn put_all(
    sessions: &Arc<Sessions>,
    (load, way): (&Load, Way),
    bell: Option<Bell>,
) -> Result<()> {
    let lanes = if way == Way::InLanes { load.lanes } else { 0 };
    let mut putting = JoinSet::new();
    for space in 0..load.spaces {
        let commits = load.jobs / load.spaces;
        let (sessions, bell) = (sessions.clone(), bell.clone());
        putting.spawn(async move {
            for _ in 0..commits {
                let commit = sessions.commit(space, |view| change_with_job(space, view, lanes));
                commit.await?;
                if let Some(bell) = &bell {
                    bell.ring(NOW);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = putting.join_next().await {
        ended??;
    }
    Ok(())
}
