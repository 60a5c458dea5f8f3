//! The jobs that follow from what a session commits.

use serde_json::{Value, json};
use syncline_compute::triggers::DEPTH_MAX;
use syncline_storage::jobs::LeasedJob;

use super::desk::{Fate, NOW_MS, delete, insert, update};
use super::jobs::{a_job, desk, jobs, start, write};
use crate::session::event::{Effect, Note};
use crate::telemetry::labels::JobCut;

/// What the jobs are told.
fn told(jobs: &[LeasedJob]) -> Vec<Value> {
    let args = jobs.iter().map(|leased| leased.job.args.as_str());
    args.map(|args| serde_json::from_str(args).unwrap())
        .collect()
}

#[test]
fn a_commit_puts_the_jobs_of_its_triggers_and_rings() {
    let mut desk = desk(&[json!({"args": {"title": "$after.title", "was": "$before.title"}})]);
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"title": "a"}))]);
    assert_eq!(desk.rung, [NOW_MS]);
    assert!(desk.notes.contains(&Note::JobsPut(1)));
    let made = jobs(&mut desk);
    let origin = &made[0].job.origin;
    assert_eq!(
        (origin.epoch.to_string(), origin.seq.0),
        (desk.cursor().epoch, desk.head())
    );
    let about = |when: &str, args: Value| json!({"table": "tasks", "id": "k1", "when": when, "who": "ada", "args": args});
    assert_eq!(
        told(&made),
        [about("insert", json!({"title": "a", "was": null}))]
    );
    desk.push(phone, &[update(2, "k1", "title", &json!("b"), 5)]);
    desk.push(phone, &[delete(3, "k1", 9)]);
    let then = told(&jobs(&mut desk));
    assert_eq!(then[0], about("update", json!({"title": "b", "was": "a"})));
    assert_eq!(then[1], about("delete", json!({"title": null, "was": "b"})));
}

#[test]
fn what_shows_nothing_makes_no_job() {
    let mut desk = desk(&[
        json!({"table": "files"}),
        json!({"id": "u", "fields": ["done"]}),
    ]);
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"title": "a"}))]);
    desk.push(phone, &[update(2, "k1", "title", &json!("b"), 5)]);
    assert_eq!((jobs(&mut desk).len(), desk.rung.len()), (0, 0));
}

/// Several mutations of one commit are one change of the record.
#[test]
fn mutations_that_are_committed_together_make_one_job_of_a_record() {
    let mut desk = desk(&[json!({"args": "$after.n"})]);
    let phone = desk.hello(1, "phone", None);
    desk.push(
        phone,
        &[
            insert(1, "k1", &json!({"n": 1})),
            update(2, "k1", "n", &json!(2), 5),
            insert(3, "k2", &json!({"n": 7})),
        ],
    );
    assert_eq!(desk.commits, 1);
    let told: Vec<Value> = told(&jobs(&mut desk));
    assert_eq!([&told[0]["args"], &told[1]["args"]], [&json!(2), &json!(7)]);
}

/// The changes of the first user's clients have jobs too.
#[test]
fn a_changeset_makes_jobs() {
    let mut desk = desk(&[json!({})]);
    let data = json!({"title": "a"});
    desk.sync("old", &[super::desk::insertion("tasks", "k1", &data)]);
    assert_eq!(told(&jobs(&mut desk))[0]["who"], "ada");
}

/// The same commit, made again, makes the same jobs; and none is put by one that was refused.
#[test]
fn a_commit_that_is_made_again_makes_its_jobs_once() {
    for fate in [Fate::Fails, Fate::AnswerLost] {
        let mut desk = desk(&[json!({})]);
        let phone = desk.hello(1, "phone", None);
        desk.start_push(phone, &[insert(1, "k1", &json!({"title": "a"}))]);
        while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
            desk.serve_one(None);
        }
        desk.serve_one(Some(fate));
        desk.settle();
        assert_eq!(jobs(&mut desk).len(), 1, "{fate:?}");
    }
}

#[test]
fn a_job_s_own_changes_make_jobs_that_are_one_deeper() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let change = insert(1, "k2", &json!({"n": 1}));
    assert_eq!(write(&mut desk, 1, (&job, 3), &change), Ok(()));
    let made = jobs(&mut desk);
    assert_eq!(
        (made[0].job.depth, told(&made)[0]["who"].as_str()),
        (3, Some("@jobs"))
    );
}

#[test]
fn a_circle_of_jobs_is_cut_and_counted() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let change = insert(1, "k2", &json!({"n": 1}));
    assert_eq!(write(&mut desk, 1, (&job, DEPTH_MAX), &change), Ok(()));
    assert_eq!(jobs(&mut desk).len(), 0);
    assert!(desk.notes.contains(&Note::JobCut(JobCut::TooDeep)));
}

/// A device that changes what a job changed too is not cut for that.
#[test]
fn somebody_s_own_change_counts_before_that_of_a_job() {
    let mut desk = desk(&[json!({})]);
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"n": 1}))]);
    let job = jobs(&mut desk).remove(0);
    // The first waits for its commit, so the next two are committed together.
    desk.start_push(phone, &[insert(2, "k2", &json!({"n": 1}))]);
    desk.start_push(phone, &[update(3, "k1", "n", &json!(2), 5)]);
    let change = update(1, "k1", "m", &json!(2), 6);
    start(&mut desk, 9, (&job, DEPTH_MAX), &change);
    desk.settle();
    let told = told(&jobs(&mut desk));
    let ids: Vec<&str> = told
        .iter()
        .map(|told| told["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["k2", "k1"]);
    assert_eq!(
        desk.notes
            .iter()
            .filter(|note| matches!(note, Note::JobCut(_)))
            .count(),
        0
    );
}

/// More follow from two mutations than one commit may put: each has its own commit.
#[test]
fn of_mutations_that_make_too_many_jobs_fewer_are_committed_at_once() {
    let triggers = ["a", "b", "c"].map(|id| json!({"id": id}));
    let mut desk = desk(&triggers);
    let phone = desk.hello(1, "phone", None);
    let inserts = |m: u64| {
        let change = |n: u64| {
            let id = format!("k{m}-{n}");
            json!({"table": "tasks", "id": id, "op": "insert", "data": {"n": n}})
        };
        json!({"m": m, "changes": (0..2_000).map(change).collect::<Vec<_>>()})
    };
    // The first waits for its commit, so the next two would be committed together.
    desk.start_push(phone, &[insert(1, "k1", &json!({"n": 1}))]);
    desk.start_push(phone, &[inserts(2), inserts(3)]);
    let commits = desk.commits;
    desk.settle();
    assert_eq!(desk.commits - commits, 3);
    let put = desk.notes.iter().filter_map(|note| match note {
        Note::JobsPut(jobs) => Some(*jobs),
        _ => None,
    });
    assert_eq!(put.collect::<Vec<_>>(), [3, 6_000, 6_000]);
    assert!(
        !desk
            .notes
            .iter()
            .any(|note| matches!(note, Note::JobCut(_)))
    );
}
