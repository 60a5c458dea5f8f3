//! Firings that come late, and schedules that change.

use syncline_protocol::ids::{AppId, SpaceId};
use syncline_storage::jobs::JobMove;
use syncline_storage::types::SpaceView;

use super::super::*;
use super::desk::{Desk, NOW, commit, kind, rules, space};
use crate::jobs::cron::{Missed, Schedule, ScheduleConfig};
use crate::runner::told::How;

/// A time at which every hourly schedule fires.
const HOUR: u64 = NOW - NOW % HOUR_MS;

const HOUR_MS: u64 = 3_600_000;

fn hourly(missed: Missed, args: serde_json::Value) -> Schedule {
    let config = ScheduleConfig {
        id: "digest".to_owned(),
        cron: "@hourly".to_owned(),
        timezone: "UTC".to_owned(),
        job: kind().to_string(),
        args,
        missed,
    };
    Schedule::of(&config, NOW).unwrap()
}

/// A runner that knows these, at a time, and the job of one that is due at `HOUR`.
fn desk(known: Vec<Schedule>, put: &Schedule, now_ms: u64) -> Desk {
    let apps = [(AppId::trusted("todo"), known)];
    let mut rules = rules(4);
    rules.schedules = Arc::new(Schedules::of(&SpaceId::trusted("system"), apps));
    let mut desk = Desk::new(rules);
    desk.now.wall_ms = now_ms;
    let moved = put.put(&SpaceView::NEVER_OPENED, HOUR - 1);
    let moves: Vec<JobMove> = moved.into_iter().collect();
    commit(&mut desk.store, &space("system"), moves);
    desk.step(Event::Woke);
    desk
}

/// The due times of what is at work.
fn firing(desk: &Desk) -> Vec<u64> {
    let begun = desk.begun.iter();
    begun.map(|(_, task)| task.job.due_at_ms).collect()
}

/// Nothing ran for four and a half hours.
#[test]
fn what_nobody_ran_is_left_out_or_made_up_for() {
    let late = HOUR + 4 * HOUR_MS + HOUR_MS / 2;
    for (missed, expected) in [
        (Missed::Skip, vec![]),
        (Missed::Last, vec![HOUR + 4 * HOUR_MS]),
        (Missed::Each, vec![HOUR]),
    ] {
        let schedule = hourly(missed, serde_json::Value::Null);
        let mut desk = desk(vec![schedule.clone()], &schedule, late);
        assert_eq!(firing(&desk), expected, "{missed:?}");
        let passed_over = usize::from(missed != Missed::Each);
        assert_eq!(desk.ends(), vec![How::Missed; passed_over], "{missed:?}");
        if missed == Missed::Skip {
            desk.pass(HOUR_MS / 2);
            assert_eq!(firing(&desk), [HOUR + 5 * HOUR_MS]);
        }
    }
}

/// Its retry comes after its next time.
#[test]
fn what_was_begun_in_time_is_tried_to_its_end() {
    let schedule = hourly(Missed::Skip, serde_json::Value::Null);
    let mut desk = desk(vec![schedule.clone()], &schedule, HOUR);
    desk.end(End::Failed {
        error: syncline_storage::jobs::JobError::new("later"),
        wait_ms: HOUR_MS + 1,
    });
    desk.pass(HOUR_MS + 2);
    assert_eq!(firing(&desk), [HOUR]);
}

#[test]
fn a_firing_has_the_args_that_the_schedule_has_now() {
    let before = hourly(Missed::Last, serde_json::json!({"to": "some"}));
    let after = hourly(Missed::Last, serde_json::json!({"to": "all"}));
    let mut desk = desk(vec![after], &before, HOUR);
    for _ in 0..2 {
        let args = desk.begun[0].1.job.args.as_str();
        assert_eq!(args, r#"{"args":{"to":"all"}}"#);
        desk.end(End::Done);
        desk.pass(HOUR_MS);
    }
}

/// A new node has put the job of a new schedule, and an old one claims it first.
#[test]
fn a_job_of_a_schedule_that_is_not_known_here_is_left_to_others_for_a_while() {
    let schedule = hourly(Missed::Last, serde_json::Value::Null);
    let mut desk = desk(Vec::new(), &schedule, HOUR);
    assert_eq!((desk.begun.len(), desk.leased()), (0, 0));
    assert_eq!(desk.ends(), [How::GivenBack]);
    let next = desk.store.next_due(&[kind()]).unwrap();
    assert_eq!(next, HOUR + 60_000);
    desk.pass(15 * 60_000 - 1);
    assert_eq!(desk.ends(), [How::GivenBack; 15]);
    desk.pass(60_000);
    assert_eq!(desk.ends()[15..], [How::Missed]);
    assert_eq!(desk.store.next_due(&[kind()]), None);
    assert!(desk.begun.is_empty());
}

/// The same for one that comes when it was late already.
#[test]
fn a_job_of_no_schedule_that_is_late_by_a_quarter_of_an_hour_is_ended() {
    let schedule = hourly(Missed::Last, serde_json::Value::Null);
    for (late_ms, how) in [
        (15 * 60_000 - 1, How::GivenBack),
        (15 * 60_000, How::Missed),
    ] {
        let desk = desk(Vec::new(), &schedule, HOUR + late_ms);
        assert_eq!(desk.ends(), [how], "{late_ms}");
    }
}
