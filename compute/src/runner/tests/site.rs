//! A store with jobs, a worker made of a closure, a system client that remembers, a runner.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, Epoch, NodeId, Seq, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{
    Ended, IfThere, Job, JobArgs, JobKey, JobKind, JobMove, JobName, JobState, Origin, StoredJob,
    TriggerId,
};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::{Commit, CommitError};
use syncline_storage::{JobStore, Store};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::*;
use crate::worker::{Changes, NotWritten, SystemWrite, Task, Worked};

/// Longer than anything takes that is not hung.
pub(super) const HUNG: Duration = Duration::from_secs(60);

/// The hub's clock when a site is made.
pub(super) const NOW: WallMs = 1_700_000_000_000;

pub(super) fn kind() -> JobKind {
    JobKind::trusted("webhook")
}

pub(super) fn space(name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(name),
    }
}

pub(super) fn job(key: &str) -> Job {
    Job {
        kind: kind(),
        key: JobKey::trusted(key),
        due_at_ms: NOW - 1,
        lane: None,
        args: JobArgs::trusted("null"),
        depth: 2,
        origin: Origin {
            epoch: Epoch(1),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    }
}

/// Enqueues jobs.
pub(super) async fn put(store: &dyn Store, space: &SpaceKey, jobs: Vec<Job>) {
    let if_there = IfThere::Keep;
    let moves: Vec<JobMove> = jobs
        .into_iter()
        .map(|job| JobMove::Put { job, if_there })
        .collect();
    while commit(store, space, (Vec::new(), moves.clone())).await != Ok(()) {}
}

/// A commit of nothing but jobs.
async fn commit(
    store: &dyn Store,
    space: &SpaceKey,
    (ends, jobs): (Vec<Ended>, Vec<JobMove>),
) -> Result<(), CommitError> {
    let view = store.open_space(space, NOW).await?;
    let commit = Commit {
        space: space.clone(),
        expect_epoch: view.epoch,
        expect_head: view.head,
        head: view.head,
        clock: view.clock,
        live: view.live,
        writers: view.writers,
        now_ms: NOW,
        records: Vec::new(),
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends,
        jobs,
    };
    let mut answers = store.commit(vec![commit]).await;
    answers.remove(0)
}

type Work = dyn Fn(Task) -> BoxFuture<'static, Worked> + Send + Sync;

/// A worker.
struct Works(Box<Work>);

#[async_trait]
impl Worker for Works {
    async fn work(&self, task: &Task) -> Worked {
        (self.0)(task.clone()).await
    }
}

/// A worker that does what a closure says.
pub(super) fn works<F>(work: impl Fn(Task) -> F + Send + Sync + 'static) -> Arc<dyn Worker>
where
    F: Future<Output = Worked> + Send + 'static,
{
    Arc::new(Works(Box::new(move |task| Box::pin(work(task)))))
}

/// Done, with changes that name the job.
pub(super) fn done(task: &Task) -> Worked {
    Worked::Done(Some(Changes(task.job.key.to_string())))
}

/// Ends leases as a hub does, and remembers what was written.
pub(super) struct System {
    store: Arc<dyn Store>,
    pub(super) written: Mutex<Vec<SystemWrite>>,
    /// What the next writes are answered instead.
    pub(super) answers: Mutex<Vec<NotWritten>>,
}

#[async_trait]
impl SystemClient for System {
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten> {
        if let Some(answer) = self.answers.lock().unwrap().pop() {
            return Err(answer);
        }
        let space = &write.ended.lease.name.space;
        let ends = vec![write.ended.clone()];
        match commit(&*self.store, space, (ends, Vec::new())).await {
            Ok(()) => {
                self.written.lock().unwrap().push(write);
                Ok(())
            }
            Err(CommitError::LeasesLost(_)) => Err(NotWritten::LeaseLost),
            Err(error) => {
                let refusal = Refusal::new(Code::Unavailable, error.to_string());
                Err(NotWritten::Later(refusal))
            }
        }
    }
}

pub(super) fn refusal() -> Refusal {
    Refusal::new(Code::RecordTooLarge, "that is too much")
}

/// A store, what was written, and what the runners told.
pub(super) struct Site<S> {
    pub(super) store: Arc<S>,
    pub(super) system: Arc<System>,
    tell: mpsc::UnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
    begin: Instant,
    _dir: TempDir,
}

pub(super) fn sqlite() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    (SqliteStore::open(&options).unwrap(), dir)
}

impl Site<SqliteStore> {
    pub(super) fn new() -> Site<SqliteStore> {
        let (store, dir) = sqlite();
        Site::on(store, dir)
    }
}

impl<S: Store + JobStore> Site<S> {
    pub(super) fn on(store: S, dir: TempDir) -> Site<S> {
        let (tell, told) = mpsc::unbounded_channel();
        let store = Arc::new(store);
        let system = System {
            store: store.clone(),
            written: Mutex::default(),
            answers: Mutex::default(),
        };
        Site {
            store,
            system: Arc::new(system),
            tell,
            told,
            begin: Instant::now(),
            _dir: dir,
        }
    }

    /// With jobs of one space.
    pub(super) async fn put(&self, keys: &[&str]) {
        let jobs = keys.iter().map(|key| job(key)).collect();
        put(&*self.store, &space("ada"), jobs).await;
    }

    /// A runner with one kind, whose leases last half a second.
    pub(super) fn parts(&self, worker: Arc<dyn Worker>) -> RunnerParts {
        let begin = self.begin;
        let tell = self.tell.clone();
        RunnerParts {
            jobs: self.store.clone(),
            node: NodeId::trusted("n1"),
            now: Arc::new(move || NOW + begin.elapsed().as_millis() as u64),
            seed: 7,
            poll_ms: 20,
            kinds: vec![KindSpec {
                kind: kind(),
                worker,
                concurrency: 12,
                lease: LeasePolicy {
                    lease_ms: 600,
                    margin_ms: 200,
                },
                retry: RetryPolicy {
                    attempts_max: 3,
                    first_ms: 10,
                    longest_ms: 20,
                },
                time_ms: 60_000,
            }],
            schedules: Arc::default(),
            system: self.system.clone(),
            told: Arc::new(move |told| drop(tell.send(told))),
        }
    }

    pub(super) async fn runner(&self, worker: Arc<dyn Worker>) -> Runner {
        Runner::start(self.parts(worker)).await.unwrap()
    }

    /// The next ends of tries.
    pub(super) async fn ends(&mut self, count: usize) -> Vec<(String, How, Option<String>)> {
        let mut ends = Vec::new();
        while ends.len() < count {
            let told = timeout(HUNG, self.told.recv()).await;
            if let Told::Ended {
                name, how, error, ..
            } = told.expect("it ends").expect("the site tells")
            {
                let error = error.map(|error| error.as_str().to_owned());
                ends.push((name.key.to_string(), how, error));
            }
        }
        ends.sort_by(|one, other| one.0.cmp(&other.0));
        ends
    }

    /// What it tells until something is told.
    pub(super) async fn until(&mut self, is_it: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            let told = timeout(HUNG, self.told.recv()).await;
            let told = told.expect("it is told").expect("the site tells");
            let found = is_it(&told);
            all.push(told);
            if found {
                return all;
            }
        }
    }

    pub(super) async fn stored(&self, key: &str) -> Option<StoredJob> {
        let name = JobName {
            space: space("ada"),
            kind: kind(),
            key: JobKey::trusted(key),
        };
        self.store.job(&name).await.unwrap()
    }

    pub(super) async fn state(&self, key: &str) -> Option<JobState> {
        self.stored(key).await.map(|stored| stored.state)
    }
}
