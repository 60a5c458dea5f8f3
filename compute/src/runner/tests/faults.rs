//! Stores that fail, and several runners on one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use syncline_storage::JobStore;
use syncline_storage::faulty::{Fault, FaultRates, FaultyStore, Operation};

use super::super::*;
use super::site::{HUNG, Site, done, job, kind, put, space, sqlite, works};

/// One call of six fails, and what is told of each job is written once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_on_a_store_that_fails_do_all_jobs() {
    for seed in 0..5 {
        let (inner, dir) = sqlite();
        let rates = FaultRates {
            refused: 170,
            ..FaultRates::default()
        };
        let site = Site::on(FaultyStore::seeded(inner, seed, rates), dir);
        for n in 0..8 {
            let jobs = (0..10).map(|m| job(&format!("{n}-{m}"))).collect();
            put(&*site.store, &space(&format!("s{n}")), jobs).await;
        }
        let tries = Arc::new(AtomicU32::new(0));
        let mut runners = Vec::new();
        for _ in 0..2 {
            let tries = tries.clone();
            let worker = works(move |task| {
                let try_no = tries.fetch_add(1, Ordering::Relaxed);
                async move {
                    assert!(try_no % 7 != 3, "a worker may panic");
                    done(&task)
                }
            });
            let mut parts = site.parts(worker);
            parts.kinds[0].retry.attempts_max = 20;
            runners.push(Runner::start(parts).await.unwrap());
        }
        // A try that is stopped over its write may have ended its job without a word.
        let none = [syncline_storage::jobs::JobCounts::default()];
        let all_done = async {
            while site.store.inner().job_counts(&[kind()]).await.unwrap() != none {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let all_done = tokio::time::timeout(HUNG, all_done).await;
        all_done.unwrap_or_else(|_| panic!("seed {seed}: jobs are left"));
        let written = site.system.written.lock().unwrap();
        let leases: std::collections::HashSet<&str> = written
            .iter()
            .map(|write| write.ended.lease.name.key.as_str())
            .collect();
        assert_eq!(
            leases.len(),
            written.len(),
            "seed {seed}: one was written twice"
        );
        assert!(leases.len() > 70, "seed {seed}: {} were told", leases.len());
    }
}

#[tokio::test]
async fn what_a_claim_leased_whose_answer_was_lost_is_done_when_its_lease_is_over() {
    let (inner, dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    store.script(Operation::Claim, Some(Fault::AnswerLost));
    let mut site = Site::on(store, dir);
    site.put(&["a"]).await;
    let _runner = site.runner(works(|task| async move { done(&task) })).await;
    let told = site
        .until(|told| matches!(told, Told::Ended { how: How::Done, .. }))
        .await;
    let failed = |told: &&Told| matches!(told, Told::StoreFailed { .. });
    assert_eq!(told.iter().filter(failed).count(), 1);
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_told_once() {
    let (inner, dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    store.script(Operation::Finish, Some(Fault::AnswerLost));
    let mut site = Site::on(store, dir);
    site.put(&["a"]).await;
    let _runner = site.runner(works(|task| async move { done(&task) })).await;
    assert_eq!(site.ends(1).await, [("a".to_owned(), How::Done, None)]);
    site.put(&["b"]).await;
    assert_eq!(site.ends(1).await, [("b".to_owned(), How::Done, None)]);
}

/// What is told of is not the runner's, so it may have a fault.
#[tokio::test]
async fn a_runner_that_fails_is_known_to_have_ended() {
    let site = Site::new();
    site.put(&["a"]).await;
    let mut parts = site.parts(works(|task| async move { done(&task) }));
    parts.told = Arc::new(|told| panic!("it cannot count {told:?}"));
    let mut runner = Runner::start(parts).await.unwrap();
    for _ in 0..2 {
        let ended = tokio::time::timeout(super::site::HUNG, runner.ended());
        ended.await.expect("it is said");
    }
    runner.drain().await;
}

#[tokio::test]
async fn a_runner_that_ended_by_a_fault_is_followed_by_another_until_it_is_drained() {
    let mut site = Site::new();
    site.put(&["a"]).await;
    let mut parts = site.parts(works(|task| async move { done(&task) }));
    let (tell, failed) = (parts.told.clone(), AtomicBool::new(false));
    parts.told = Arc::new(move |told| {
        assert!(failed.swap(true, Ordering::Relaxed), "it cannot count");
        tell(told);
    });
    let runner = Runner::start(parts.clone()).await.unwrap();
    let bell = runner.bell();
    let (drain, draining) = tokio::sync::oneshot::channel();
    let (says, mut said) = tokio::sync::mpsc::unbounded_channel();
    let doing = move |doing| says.send(doing).unwrap_or(());
    let kept = tokio::spawn(kept(runner, parts, draining, doing));
    assert_eq!(site.ends(1).await, [("a".to_owned(), How::Done, None)]);
    site.put(&["b"]).await;
    bell.ring(super::site::NOW);
    assert_eq!(site.ends(1).await, [("b".to_owned(), How::Done, None)]);
    drain.send(()).unwrap();
    let drained = tokio::time::timeout(HUNG, kept).await;
    drained.expect("it drains").unwrap();
    let mut all = Vec::new();
    while let Some(doing) = said.recv().await {
        all.push(doing);
    }
    assert_eq!(all, [true, false, true]);
}

#[tokio::test]
async fn a_call_of_the_store_that_panics_has_failed() {
    let (inner, dir) = sqlite();
    let store = FaultyStore::scripted(inner);
    for operation in [Operation::Claim, Operation::ReadJobs, Operation::Finish] {
        store.script(operation, Some(Fault::Panicked));
    }
    let mut site = Site::on(store, dir);
    site.put(&["a"]).await;
    let _runner = site.runner(works(|task| async move { done(&task) })).await;
    assert_eq!(site.ends(1).await, [("a".to_owned(), How::Done, None)]);
}
