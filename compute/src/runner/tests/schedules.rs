//! Schedules fire, go on after a firing that was given up, and end when they are there no more.

use std::sync::Arc;

use syncline_protocol::ids::{AppId, SpaceId};
use syncline_storage::jobs::{JobError, JobMove, Outcome};
use syncline_storage::types::SpaceView;

use super::super::*;
use super::site::{NOW, Site, done, kind, put, space, works};
use crate::jobs::cron::{Missed, Schedule, ScheduleConfig};
use crate::worker::Worked;

/// Every second.
fn schedule() -> Schedule {
    let config = ScheduleConfig {
        id: "digest".to_owned(),
        cron: "* * * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        job: kind().to_string(),
        args: serde_json::Value::Null,
        missed: Missed::Each,
    };
    Schedule::of(&config, NOW).unwrap()
}

async fn with_schedule(site: &Site<syncline_storage::sqlite::SqliteStore>) -> Schedule {
    let schedule = schedule();
    let Some(JobMove::Put { job, .. }) = schedule.put(&SpaceView::NEVER_OPENED, NOW - 5_000) else {
        panic!("it never fires");
    };
    put(&*site.store, &space("system"), vec![job]).await;
    schedule
}

fn of(schedules: Vec<Schedule>) -> Arc<Schedules> {
    let apps = [(AppId::trusted("todo"), schedules)];
    Arc::new(Schedules::of(&SpaceId::trusted("system"), apps))
}

/// Five were missed, and each is made up for, one after the other.
#[tokio::test]
async fn a_schedule_fires_once_for_each_of_its_times() {
    let mut site = Site::new();
    let schedule = with_schedule(&site).await;
    let mut parts = site.parts(works(|task| async move { done(&task) }));
    parts.schedules = of(vec![schedule]);
    let _runner = Runner::start(parts).await.unwrap();
    let ends = site.ends(5).await;
    assert!(ends.iter().all(|(_, how, _)| *how == How::Done), "{ends:?}");
    let written = site.system.written.lock().unwrap();
    let again = written.iter().map(|write| write.ended.outcome.clone());
    let expected = (1..6).map(|n| Outcome::Again {
        due_at_ms: NOW - 4_000 + n * 1_000,
    });
    assert!(again.take(5).eq(expected), "{written:?}");
}

#[tokio::test]
async fn a_firing_that_is_given_up_is_not_the_last() {
    let mut site = Site::new();
    let schedule = with_schedule(&site).await;
    let worker = works(|task| async move {
        match task.job.due_at_ms < NOW - 3_000 {
            true => Worked::Hopeless(JobError::new("no")),
            false => done(&task),
        }
    });
    let mut parts = site.parts(worker);
    parts.schedules = of(vec![schedule]);
    let _runner = Runner::start(parts).await.unwrap();
    let told = site
        .until(|told| matches!(told, Told::Ended { how: How::Done, .. }))
        .await;
    let missed = |told: &&Told| {
        matches!(
            told,
            Told::Ended {
                how: How::Missed,
                error: Some(_),
                ..
            }
        )
    };
    assert_eq!(told.iter().filter(missed).count(), 1);
}

#[tokio::test]
async fn a_job_whose_schedule_is_gone_ends_and_nothing_of_it_is_done() {
    let mut site = Site::new();
    with_schedule(&site).await;
    let mut parts = site.parts(works(|_| async { panic!("it is not done") }));
    parts.schedules = of(Vec::new());
    // Nobody has known it for long.
    let now = parts.now.clone();
    parts.now = Arc::new(move || now() + 15 * 60_000);
    let _runner = Runner::start(parts).await.unwrap();
    assert_eq!(site.ends(1).await[0].1, How::Missed);
    let counts = site.store.job_counts(&[kind()]).await.unwrap()[0];
    assert_eq!(
        counts.scheduled + counts.leased + counts.retry + counts.dead,
        0
    );
}
