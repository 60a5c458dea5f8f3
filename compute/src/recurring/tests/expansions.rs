//! What expansions of jobs may take: places, and steps.

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::*;

async fn recurring() -> (Space, Recurring, u32) {
    let space = Space::open().await;
    let worker = Recurring::new(space.store.clone(), Rolling::default(), CHANGES_MAX);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let places = cores.saturating_sub(1).max(1);
    assert_eq!(worker.expansions.available_permits(), places);
    (space, worker, u32::try_from(places).unwrap())
}

#[tokio::test]
async fn one_core_is_left_to_what_else_there_is() {
    let (_space, worker, places) = recurring().await;
    let all = worker.expansions.clone().acquire_many_owned(places).await;
    let (ran, has_run) = oneshot::channel();
    let expansion = worker.apart(move |_| ran.send(()));
    assert!(expansion.now_or_never().is_none(), "it waits for a place");
    assert!(has_run.await.is_err(), "it went without having begun");
    drop(all);
    assert!(matches!(worker.apart(|_| 7).await, Ok(7)));
}

/// A job that is stopped leaves its expansion on the core until that is done.
#[tokio::test]
async fn an_expansion_that_nobody_waits_for_keeps_its_place() {
    let (_space, worker, places) = recurring().await;
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let expansion = worker.apart(move |_| ends.recv().is_ok());
    assert!(expansion.now_or_never().is_none());
    let left = usize::try_from(places).unwrap() - 1;
    assert_eq!(worker.expansions.available_permits(), left);
    end.send(()).unwrap();
    let all = worker.expansions.acquire_many(places).await;
    assert!(all.is_ok(), "it has given it back");
}

/// Where nothing is in the window, whether anything comes later is a second expansion.
#[tokio::test]
async fn all_that_a_job_expands_is_counted_together() {
    let mut space = Space::open().await;
    let args = json!({"do": "occurrences", "into": "occurrences", "days": 7});
    let Ok(RecurringArgs::Occurrences(args)) = args::read(&args) else {
        panic!("they are of occurrences");
    };
    let mut spent = Vec::new();
    for rule in ["FREQ=YEARLY", "FREQ=YEARLY;UNTIL=20400101"] {
        let id = format!("e{}", spent.len());
        let data = json!({"startsAt": "2026-07-01T08:00:00.000Z", "repeat": rule});
        space.insert("events", &id, data).await;
        let key = RecordKey {
            table: TableName::trusted("events"),
            id: RecordId::trusted(&id),
        };
        let seen = Seen {
            event: space.record(&key).await,
            key,
            now_ms: NOW,
            changes_max: CHANGES_MAX,
        };
        let mut work = Work::default();
        let difference = Difference::of(&seen, &args, &mut work);
        assert!(difference.goes_on());
        spent.push(work.spent());
    }
    assert!(spent[1] > spent[0], "{spent:?}");
}
