//! What becomes of tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syncline_storage::JobStore;
use syncline_storage::jobs::{JobError, JobKey, JobName, JobState};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::timeout;

use super::super::*;
use super::site::{HUNG, Site, done, kind, refusal, space, works};
use crate::worker::{NotWritten, Worked};

#[tokio::test]
async fn jobs_are_done_what_they_change_is_written_and_they_are_gone() {
    let mut site = Site::new();
    site.put(&["a", "b", "c"]).await;
    let runner = site.runner(works(|task| async move { done(&task) })).await;
    let ends = site.ends(3).await;
    assert!(ends.iter().all(|(_, how, _)| *how == How::Done), "{ends:?}");
    for key in ["a", "b", "c"] {
        assert_eq!(site.stored(key).await, None);
    }
    let written = site.system.written.lock().unwrap();
    let mut wrote: Vec<(&str, u8)> = written
        .iter()
        .map(|write| (write.changes.0.as_str(), write.depth))
        .collect();
    wrote.sort_unstable();
    assert_eq!(wrote, [("a", 3), ("b", 3), ("c", 3)]);
    drop(runner);
}

/// It has ended with its write, whoever else has the job now.
#[tokio::test]
async fn changes_of_a_lost_lease_are_not_written() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let (store, cancelled) = (site.store.clone(), Arc::new(AtomicU32::new(0)));
    let seen = cancelled.clone();
    let worker = works(move |task| {
        let (store, seen) = (store.clone(), seen.clone());
        async move {
            if seen.fetch_add(1, Ordering::Relaxed) == 0 {
                store.cancel(&task.lease.name).await.unwrap();
            }
            done(&task)
        }
    });
    let _runner = site.runner(worker).await;
    site.until(|told| matches!(told, Told::LeaseLost { .. }))
        .await;
    assert_eq!(site.system.written.lock().unwrap().len(), 0);
    site.put(&["a"]).await;
    assert_eq!(site.ends(1).await[0].1, How::Done);
    assert_eq!(site.system.written.lock().unwrap().len(), 1);
}

/// However often that happens, it is the first try that does it.
#[tokio::test]
async fn who_is_busy_gives_the_job_back_and_has_not_tried() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let asked = Arc::new(AtomicU32::new(0));
    let seen = asked.clone();
    let worker = works(move |task| {
        let asked = seen.fetch_add(1, Ordering::Relaxed);
        async move {
            assert_eq!(task.attempt, 1);
            match asked {
                0..20 => Worked::Busy { wait_ms: 0 },
                _ => done(&task),
            }
        }
    });
    let runner = site.runner(worker).await;
    let ends = site.ends(21).await;
    let given_back = ends.iter().filter(|(_, how, _)| *how == How::GivenBack);
    assert_eq!(given_back.count(), 20, "{ends:?}");
    assert_eq!(site.stored("a").await, None);
    drop(runner);
}

#[tokio::test]
async fn a_runner_that_is_rung_does_what_came() {
    let mut site = Site::new();
    let mut parts = site.parts(works(|task| async move { done(&task) }));
    parts.poll_ms = 3_600_000;
    let runner = Runner::start(parts).await.unwrap();
    for key in ["a", "b"] {
        site.put(&[key]).await;
        runner.bell().ring(super::site::NOW);
        assert_eq!(site.ends(1).await[0].0, key);
    }
}

#[tokio::test]
async fn a_panic_is_a_failed_try_and_another_worker_takes_its_place() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let tries = Arc::new(AtomicU32::new(0));
    let seen = tries.clone();
    let worker = works(move |task| {
        let try_no = seen.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(try_no >= 2, "no {try_no}");
            done(&task)
        }
    });
    let mut parts = site.parts(worker);
    parts.kinds[0].concurrency = 1;
    let _runner = Runner::start(parts).await.unwrap();
    let ends = site.ends(3).await;
    let hows: Vec<How> = ends.iter().map(|(_, how, _)| *how).collect();
    assert_eq!(hows, [How::Failed, How::Failed, How::Done]);
    assert_eq!(ends[0].2.as_deref(), Some("it panicked: no 0"));
}

/// What a worker says is an error of its job; what it does not say in time too.
#[tokio::test]
async fn a_try_that_takes_too_long_fails() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let mut parts = site.parts(works(|_| std::future::pending::<Worked>()));
    parts.kinds[0].time_ms = 30;
    parts.kinds[0].retry.attempts_max = 1;
    let _runner = Runner::start(parts).await.unwrap();
    let ends = site.ends(1).await;
    let error = Some("its work took longer than 30 ms".to_owned());
    assert_eq!(ends, [("a".to_owned(), How::Dead, error)]);
}

#[tokio::test]
async fn changes_that_are_refused_are_the_end_of_a_job() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let refused = NotWritten::Refused(refusal());
    site.system.answers.lock().unwrap().push(refused);
    let _runner = site.runner(works(|task| async move { done(&task) })).await;
    let ends = site.ends(1).await;
    assert_eq!(ends[0].1, How::Dead);
    let stored = site.stored("a").await.unwrap();
    assert!(matches!(stored.state, JobState::Dead { .. }));
    assert_eq!(
        stored.error,
        Some(JobError::new(
            "its changes were refused: record_too_large: that is too much"
        ))
    );
}

#[tokio::test]
async fn changes_that_were_not_written_now_are_written_by_another_try() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let later = NotWritten::Later(refusal());
    site.system.answers.lock().unwrap().push(later);
    let _runner = site.runner(works(|task| async move { done(&task) })).await;
    let hows: Vec<How> = site.ends(2).await.iter().map(|(_, how, _)| *how).collect();
    assert_eq!(hows, [How::Failed, How::Done]);
    assert_eq!(site.system.written.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_may_ask_to_be_due_once_more() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let worker = works(|task| async move {
        if task.job.due_at_ms > super::site::NOW {
            return Worked::Done(None);
        }
        Worked::Again {
            due_at_ms: super::site::NOW + 1,
            changes: None,
        }
    });
    let _runner = site.runner(worker).await;
    let hows: Vec<How> = site.ends(2).await.iter().map(|(_, how, _)| *how).collect();
    assert_eq!(hows, [How::Done, How::Done]);
    assert_eq!(site.stored("a").await, None);
}

/// Says when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_try_whose_lease_is_lost_is_stopped() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let (dropped, mut was_dropped) = mpsc::unbounded_channel();
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let worker = works(move |_| {
        let guard = Dropped(dropped.clone());
        begins.notify_one();
        async move {
            let _guard = guard;
            std::future::pending::<Worked>().await
        }
    });
    let _runner = site.runner(worker).await;
    timeout(HUNG, begun.notified()).await.unwrap();
    let name = JobName {
        space: space("ada"),
        kind: kind(),
        key: JobKey::trusted("a"),
    };
    assert!(site.store.cancel(&name).await.unwrap());
    timeout(HUNG, was_dropped.recv()).await.unwrap();
    site.until(|told| matches!(told, Told::LeaseLost { .. }))
        .await;
}

#[tokio::test]
async fn a_drain_waits_for_what_began_and_gives_back_what_did_not() {
    let mut site = Site::new();
    site.put(&["a", "b", "c", "d"]).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let opens = gate.clone();
    let worker = works(move |task| {
        let _ = begun.send(task.job.key.to_string());
        let gate = gate.clone();
        async move {
            drop(gate.acquire().await);
            done(&task)
        }
    });
    let mut parts = site.parts(worker);
    parts.kinds[0].concurrency = 1;
    let runner = Runner::start(parts).await.unwrap();
    let first = timeout(HUNG, begins.recv()).await.unwrap().unwrap();
    site.until(|told| matches!(told, Told::Claimed { .. }))
        .await;
    let draining = tokio::spawn(runner.drain());
    site.until(|told| {
        matches!(
            told,
            Told::Ended {
                how: How::GivenBack,
                ..
            }
        )
    })
    .await;
    assert!(!draining.is_finished());
    opens.add_permits(9);
    timeout(HUNG, draining).await.unwrap().unwrap();
    assert_eq!(site.stored(&first).await, None);
    let counts = site.store.job_counts(&[kind()]).await.unwrap()[0];
    assert_eq!((counts.scheduled, counts.leased, counts.retry), (3, 0, 0));
    assert!(begins.try_recv().is_err(), "no other was begun");
}

/// As a process that is killed: its leases run out, and another one does the jobs.
#[tokio::test]
async fn what_a_runner_leaves_when_it_is_gone_another_one_does() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let stuck = works(move |_| {
        begins.notify_one();
        std::future::pending::<Worked>()
    });
    let first = site.runner(stuck).await;
    timeout(HUNG, begun.notified()).await.unwrap();
    drop(first);
    assert!(matches!(
        site.state("a").await,
        Some(JobState::Leased { .. })
    ));
    let _second = site.runner(works(|task| async move { done(&task) })).await;
    assert_eq!(site.ends(1).await, [("a".to_owned(), How::Done, None)]);
    assert_eq!(site.stored("a").await, None);
}
