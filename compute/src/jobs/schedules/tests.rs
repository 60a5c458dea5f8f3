//! Which jobs are of schedules.

use serde_json::Value;
use syncline_storage::jobs::{JobState, StoredJob};

use super::super::cron::{Missed, ScheduleConfig};
use super::*;

const NOW: WallMs = 1_700_000_000_000;

fn schedule(id: &str, cron: &str) -> Schedule {
    let config = ScheduleConfig {
        id: id.to_owned(),
        cron: cron.to_owned(),
        timezone: "UTC".to_owned(),
        job: "mail".to_owned(),
        args: Value::Null,
        missed: Missed::Last,
    };
    Schedule::of(&config, NOW).unwrap()
}

fn space(app: &str, name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted(app),
        space: SpaceId::trusted(name),
    }
}

fn two() -> Schedules {
    let apps = [
        (
            AppId::trusted("todo"),
            vec![schedule("a", "@daily"), schedule("b", "@hourly")],
        ),
        (AppId::trusted("notes"), vec![schedule("a", "@weekly")]),
    ];
    Schedules::of(&SpaceId::trusted("system"), apps)
}

#[test]
fn a_job_is_of_the_schedule_of_its_app_as_it_is_now() {
    let schedules = two();
    let name = |schedule: &Schedule, at| schedule.name(at);
    let daily = schedule("a", "@daily");
    let here = name(&daily, space("todo", "system"));
    assert!(matches!(schedules.firing(&here), Firing::Of(_)));
    let other_app = name(&daily, space("notes", "system"));
    assert!(matches!(schedules.firing(&other_app), Firing::Gone));
    let changed = name(&schedule("a", "@monthly"), space("todo", "system"));
    assert!(matches!(schedules.firing(&changed), Firing::Gone));
    let somebodys = name(&daily, space("todo", "ada"));
    assert!(matches!(schedules.firing(&somebodys), Firing::Not));
}

#[test]
fn without_schedules_no_job_is_one_s() {
    let name = schedule("a", "@daily").name(space("todo", "system"));
    assert!(matches!(Schedules::default().firing(&name), Firing::Not));
}

#[test]
fn only_what_is_not_there_is_put() {
    let schedules = [schedule("a", "@daily"), schedule("b", "@hourly")];
    let view = SpaceView::NEVER_OPENED;
    let all = missing(&schedules, &[], &view, NOW);
    let [JobMove::Put { job, .. }, JobMove::Put { .. }] = &all[..] else {
        panic!("{all:?}");
    };
    let stored = StoredJob {
        job: job.clone(),
        state: JobState::Dead { at_ms: NOW },
        attempt: 3,
        error: None,
    };
    let rest = missing(&schedules, &[stored], &view, NOW);
    assert_eq!(rest, all[1..]);
    let changed = [schedule("a", "@weekly")];
    assert_eq!(missing(&changed, &[], &view, NOW).len(), 1);
}
