//! The workers of a kind: actors of a `ractor` factory.
//!
//! The factory gives each try to a worker that is free, and puts another one in the place of one
//! that failed. It never holds more than the state gives it, which counts its workers. A try ends
//! with exactly one word to the runner, whatever becomes of its worker: that word is a guard which
//! is said when it is dropped.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryMessage, Job, Worker, WorkerId, worker_builder,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use syncline_storage::jobs::JobError;
use tokio::sync::{mpsc, oneshot};

use super::attempt::{Means, attempt};
use super::event::TryId;
use super::outcome::End;
use crate::worker::Task;

/// A try that a worker is to make.
pub(super) struct Run {
    /// The job.
    pub(super) task: Box<Task>,
    /// Nothing comes; when its other end goes the try is to stop.
    pub(super) stop: oneshot::Receiver<()>,
    /// Where its end is said.
    pub(super) word: Word,
}

/// Says how a try ended, once.
pub(super) struct Word {
    id: TryId,
    ends: Option<mpsc::UnboundedSender<(TryId, End)>>,
}

impl Word {
    /// For a try. What is sent is never more than there are workers.
    pub(super) fn new(id: TryId, ends: mpsc::UnboundedSender<(TryId, End)>) -> Word {
        let ends = Some(ends);
        Word { id, ends }
    }

    fn say(mut self, end: End) {
        self.send(end);
    }

    fn send(&mut self, end: End) {
        if let Some(ends) = self.ends.take() {
            // A runner that is gone hears nothing: its leases run out.
            let _ = ends.send((self.id, end));
        }
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.send(End::Panicked(JobError::new("its worker was ended")));
    }
}

/// The workers of a kind. They end with it, in the middle of what they do.
pub(super) struct Pool {
    factory: ActorRef<FactoryMessage<TryId, Run>>,
}

/// A worker of a pool.
struct Hand;

impl Pool {
    /// Starts so many workers.
    pub(super) async fn start(means: Arc<Means>, concurrency: usize) -> Result<Pool, SpawnErr> {
        type Pools = Factory<
            TryId,
            Run,
            Arc<Means>,
            Hand,
            QueuerRouting<TryId, Run>,
            DefaultQueue<TryId, Run>,
        >;
        let args = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(move |_| (Hand, means.clone()))))
            .num_initial_workers(concurrency.max(1))
            .router(QueuerRouting::default())
            .queue(DefaultQueue::default())
            .build();
        let (factory, _) = Actor::spawn(None, Pools::default(), args).await?;
        Ok(Pool { factory })
    }

    /// Has a try made. If the pool is gone its word says so.
    pub(super) fn run(&self, id: TryId, run: Run) {
        let job = Job::new(id, run);
        drop(self.factory.cast(FactoryMessage::Dispatch(job)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.factory.stop(None);
    }
}

impl Worker for Hand {
    type Key = TryId;
    type Message = Run;
    type Arguments = Arc<Means>;
    type State = Arc<Means>;

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<TryId, Run>>,
        means: Arc<Means>,
    ) -> Result<Arc<Means>, ActorProcessingErr> {
        Ok(means)
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &ActorRef<FactoryMessage<TryId, Run>>,
        job: Job<TryId, Run>,
        means: &mut Arc<Means>,
    ) -> Result<TryId, ActorProcessingErr> {
        let Run { task, stop, word } = job.msg;
        let work = AssertUnwindSafe(attempt(means, &task)).catch_unwind();
        let end = tokio::select! {
            biased;
            _ = stop => Ok(End::Stopped),
            end = work => end,
        };
        match end {
            Ok(end) => word.say(end),
            Err(panic) => {
                // It is said here, since the factory keeps for itself why a worker failed; then
                // this one fails, and another takes its place.
                let said = said(&*panic);
                word.say(End::Panicked(JobError::new(&format!(
                    "it panicked: {said}"
                ))));
                return Err(said.into());
            }
        }
        Ok(job.key)
    }
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "something that is no text".to_owned())
}
