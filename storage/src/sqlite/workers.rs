//! Threads that own a connection each and share one bounded queue of jobs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::types::StoreError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;
type Queue = Arc<Mutex<mpsc::Receiver<Job>>>;

/// The threads. Dropping them lets them finish the queue and joins them.
#[derive(Debug)]
pub(super) struct Workers {
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts a thread for every connection. `after` runs on the thread after each job.
    pub(super) fn start(
        name: &str,
        connections: Vec<Connection>,
        waiting_max: usize,
        after: impl FnMut(&Connection) + Clone + Send + 'static,
    ) -> std::io::Result<Workers> {
        let (jobs, queue) = mpsc::channel(waiting_max);
        let queue: Queue = Arc::new(Mutex::new(queue));
        let threads = connections
            .into_iter()
            .map(|conn| {
                let (queue, after) = (queue.clone(), after.clone());
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || work(&queue, conn, after))
            })
            .collect::<Result<_, _>>()?;
        Ok(Workers {
            jobs: Some(jobs),
            threads,
        })
    }

    /// Runs a job on a thread and waits for its answer. The job runs to its end even if the
    /// caller stops waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            // The caller may be gone; then nobody wants the answer.
            let _ = answer.send(job(conn));
        });
        let failed = || StoreError::Unavailable("a thread of the store failed".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(failed)?;
        jobs.send(job).await.map_err(|_| failed())?;
        answered.await.map_err(|_| failed())?
    }

    /// [`Workers::run`] inside one read transaction: all that the job reads is one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |conn| {
            let snapshot = conn.transaction()?;
            job(&snapshot)
        })
        .await
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("a thread of the store ended by a panic");
            }
        }
    }
}

fn work(queue: &Queue, mut conn: Connection, mut after: impl FnMut(&Connection)) {
    while let Some(job) = next(queue) {
        // A panicking job drops its answer, which its caller sees; its transaction is rolled
        // back on the way, so the connection is good for the next one.
        if catch_unwind(AssertUnwindSafe(|| job(&mut conn))).is_err() {
            error!("a job of the store panicked");
        }
        after(&conn);
    }
}

fn next(queue: &Queue) -> Option<Job> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}
