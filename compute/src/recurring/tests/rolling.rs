//! A window goes on as its trigger says now, and no longer than there is one.

use syncline_protocol::ids::NodeId;
use syncline_storage::JobStore;
use syncline_storage::jobs::{Claim, Ended, IfThere, JobMove, Outcome, Wanted};

use super::occurrences::{args, with_event};
use super::*;
use crate::jobs::schedules::{GONE_MS, GONE_WAIT_MS};

/// A job that was put when its trigger said three days.
async fn put() -> (Space, Task) {
    let space = with_event(json!({})).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 3})));
    (space, task)
}

/// How many changes it writes.
fn written(worked: Worked) -> usize {
    let Worked::Again { changes, .. } = worked else {
        panic!("it goes on: {worked:?}");
    };
    let changes: Vec<Value> = serde_json::from_str(&changes.unwrap().0).unwrap();
    changes.len()
}

#[tokio::test]
async fn a_window_is_kept_as_its_trigger_says_now() {
    let (space, task) = put().await;
    for days in [2, 3, 30] {
        let now = trigger("events", &args(json!({"days": days})));
        let worked = space.work_with(&[now], CHANGES_MAX, &task).await;
        assert_eq!(written(worked), days + 1);
    }
}

/// What is said of the event itself is known to its job alone.
#[tokio::test]
async fn a_trigger_that_says_something_of_the_event_leaves_it_to_the_job() {
    let (space, task) = put().await;
    let of_event = trigger(
        "events",
        &args(json!({"days": 30, "rule": "$after.ruleField"})),
    );
    let worked = space.work_with(&[of_event], CHANGES_MAX, &task).await;
    assert_eq!(written(worked), 4);
    let (mut space, _) = put().await;
    let rule = json!({"$rule": "FREQ=DAILY", "repeat": null});
    space.update("events", "e1", rule).await;
    let task = space.task(("events", "e1"), &args(json!({"days": 3, "rule": "$rule"})));
    let escaped = trigger("events", &args(json!({"days": 5, "rule": "$$rule"})));
    let worked = space.work_with(&[escaped], CHANGES_MAX, &task).await;
    assert_eq!(written(worked), 6, "two dollars are one");
}

#[tokio::test]
async fn a_job_without_its_trigger_waits_for_another_node_and_is_given_up() {
    let (space, mut task) = put().await;
    let occurrences = |table: &str| trigger(table, &args(json!({"days": 3})));
    let other_id = TriggerConfig {
        id: "other".to_owned(),
        ..occurrences("events")
    };
    let all = [
        Vec::new(),
        vec![other_id],
        vec![occurrences("meetings")],
        vec![trigger("events", &json!({"do": "next"}))],
    ];
    let due_at_ms = task.job.due_at_ms;
    for (late_ms, expected) in [
        (
            0,
            Worked::Busy {
                wait_ms: GONE_WAIT_MS,
            },
        ),
        (
            GONE_MS - 1,
            Worked::Busy {
                wait_ms: GONE_WAIT_MS,
            },
        ),
        (GONE_MS, given_up()),
    ] {
        task.now_ms = due_at_ms + late_ms;
        for triggers in &all {
            let worked = space.work_with(triggers, CHANGES_MAX, &task).await;
            assert_eq!(worked, expected, "{late_ms}: {triggers:?}");
        }
    }
    // Another app's trigger is another.
    let app = AppId::trusted("calendar");
    let triggers = [occurrences("events")];
    let rolling = Rolling::of([(&app, &triggers[..])]);
    let worker = Recurring::new(space.store.clone(), rolling, CHANGES_MAX);
    assert_eq!(worker.work(&task).await, given_up());
}

fn given_up() -> Worked {
    let error = "trigger_gone: no trigger \"t\" keeps occurrences of the table \"events\"";
    Worked::Hopeless(JobError::new(error))
}

impl Space {
    /// Leases the one job that is due by then.
    async fn claim(&self, task: &Task, now_ms: u64) -> Task {
        let claim = Claim {
            wanted: vec![Wanted::of(task.job.kind.clone(), 2)],
            holder: NodeId::trusted("n1"),
            now_ms,
            lease_ms: 30_000,
            per_space: 2,
        };
        let mut leased = self.store.claim(&claim).await.unwrap();
        assert_eq!(leased.len(), 1);
        Task::of(leased.remove(0), now_ms)
    }
}

/// A config that was rolled back, and then forward again.
#[tokio::test]
async fn a_window_whose_trigger_comes_back_rolls_on_once_its_job_is_replayed() {
    let (space, task) = put().await;
    let view = space.store.space(&space.key).await.unwrap().unwrap();
    let put = JobMove::Put {
        job: task.job.clone(),
        if_there: IfThere::Keep,
    };
    space
        .commit(Commit {
            jobs: vec![put],
            ..space.nothing(view)
        })
        .await;
    let late_ms = task.job.due_at_ms + GONE_MS;
    let task = space.claim(&task, late_ms).await;
    let Worked::Hopeless(error) = space.work_with(&[], CHANGES_MAX, &task).await else {
        panic!("nobody knows its trigger");
    };
    let ended = Ended {
        lease: task.lease.clone(),
        outcome: Outcome::Dead { error },
    };
    let answers = space.store.finish(&[ended], late_ms).await.unwrap();
    assert_eq!(answers, [Ok(())]);
    let dead = space.store.dead_jobs(&task.job.kind, None, 2).await;
    assert_eq!(dead.unwrap().len(), 1, "it is kept for people");
    let name = &task.lease.name;
    assert!(space.store.replay(name, late_ms).await.unwrap());
    let task = space.claim(&task, late_ms).await;
    assert_eq!(written(space.work(&task).await), 4);
}

/// It follows from a change that was made, whatever the config says since.
#[tokio::test]
async fn a_next_instance_needs_no_trigger_any_more() {
    let mut space = Space::open().await;
    let done = json!({"done": true, "due": "2026-11-24", "repeat": "FREQ=DAILY"});
    space.insert("tasks", "k1", done).await;
    let task = space.task(("tasks", "k1"), &json!({"do": "next"}));
    let worked = space.work_with(&[], CHANGES_MAX, &task).await;
    assert!(matches!(worked, Worked::Done(Some(_))), "{worked:?}");
}
