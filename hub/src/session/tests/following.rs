//! The jobs that follow from what a session commits.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_compute::triggers::{DEPTH_MAX, TriggerConfig, Triggers};
use syncline_protocol::ids::{ClientKey, NodeId, UserId};
use syncline_protocol::verdict::Status;
use syncline_protocol::wire::hub::Answer;
use syncline_storage::jobs::{Claim, JobKind, LeasedJob, Wanted};
use syncline_storage::model::ModelStore;

use super::desk::{Desk, Fate, NOW_MS, client, delete, insert, mutation, update};
use crate::session::event::{CallId, CallReply, Effect, Event, Note, Origin, Push, Sender};
use crate::session::state::SessionParts;
use crate::telemetry::labels::JobCut;

/// A session whose app has triggers.
fn desk(triggers: &[Value]) -> Desk {
    desk_on(ModelStore::new(100), triggers)
}

fn desk_on(store: ModelStore, triggers: &[Value]) -> Desk {
    let configs = triggers.iter().map(|trigger| {
        let mut whole = json!({"id": "t", "table": "tasks", "when": "any", "job": "note"});
        let members = whole.as_object_mut().unwrap();
        members.extend(trigger.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    });
    let configs: Vec<TriggerConfig> = configs.collect();
    let parts = SessionParts {
        triggers: Arc::new(Triggers::of(&configs, DEPTH_MAX).unwrap()),
        ..SessionParts::default()
    };
    Desk::with(store, parts)
}

/// Every job that is due.
fn jobs(desk: &mut Desk) -> Vec<LeasedJob> {
    desk.store.claim(&Claim {
        wanted: vec![Wanted {
            kind: JobKind::trusted("note"),
            jobs: 1_000,
        }],
        holder: NodeId::trusted("n1"),
        now_ms: NOW_MS,
        lease_ms: 1_000,
        per_space: 1_000,
    })
}

/// What the jobs are told.
fn told(jobs: &[LeasedJob]) -> Vec<Value> {
    let args = jobs.iter().map(|leased| leased.job.args.as_str());
    args.map(|args| serde_json::from_str(args).unwrap())
        .collect()
}

/// A job pushes.
fn push_as_job(desk: &mut Desk, call: u64, depth: u8, pushed: &Value) -> CallReply {
    let client = ClientKey {
        user: UserId::trusted("@jobs"),
        client: client(&format!("key:job/{call}")).client,
    };
    let sender = Sender {
        client,
        epoch: None,
        depth,
    };
    desk.step(Event::Push(Push {
        origin: Origin::Call(CallId(call), sender),
        muts: vec![mutation(pushed)],
        permit: None,
    }));
    desk.settle();
    desk.replies.remove(&CallId(call)).expect("it is answered")
}

fn status(reply: &CallReply) -> Status {
    let CallReply::Results { results, .. } = reply else {
        panic!("it is judged: {reply:?}");
    };
    let [(_, Answer::Verdict(verdict))] = &results[..] else {
        panic!("one verdict: {results:?}");
    };
    verdict.status.clone()
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
    let reply = push_as_job(&mut desk, 1, 3, &insert(1, "k1", &json!({"n": 1})));
    assert_eq!(status(&reply), Status::Applied);
    let made = jobs(&mut desk);
    assert_eq!(
        (made[0].job.depth, told(&made)[0]["who"].as_str()),
        (3, Some("@jobs"))
    );
}

#[test]
fn a_circle_of_jobs_is_cut_and_counted() {
    let mut desk = desk(&[json!({})]);
    push_as_job(&mut desk, 1, DEPTH_MAX, &insert(1, "k1", &json!({"n": 1})));
    assert_eq!(jobs(&mut desk).len(), 0);
    assert!(desk.notes.contains(&Note::JobCut(JobCut::TooDeep)));
}

/// A device that changes what a job changed too is not cut for that.
#[test]
fn somebody_s_own_change_counts_before_that_of_a_job() {
    let mut desk = desk(&[json!({})]);
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"n": 1}))]);
    drop(jobs(&mut desk));
    // The first waits for its commit, so the next two are committed together.
    desk.start_push(phone, &[insert(2, "k2", &json!({"n": 1}))]);
    let sender = Sender {
        depth: DEPTH_MAX,
        ..Sender::from(client("key:job/1"))
    };
    desk.start_push(phone, &[update(3, "k1", "n", &json!(2), 5)]);
    desk.step(Event::Push(Push {
        origin: Origin::Call(CallId(9), sender),
        muts: vec![mutation(&update(1, "k1", "m", &json!(2), 6))],
        permit: None,
    }));
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

/// When somebody has mended what was in the way, the job may be tried again.
#[test]
fn a_refusal_of_a_job_is_not_remembered() {
    let mut desk = desk(&[]);
    let write = update(1, "k1", "n", &json!(2), 5);
    for _ in 0..2 {
        let refused = push_as_job(&mut desk, 1, 1, &write);
        assert!(matches!(status(&refused), Status::Rejected(_)));
    }
    assert_eq!(desk.head(), 0, "nothing was committed for it");
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"n": 1}))]);
    assert_eq!(
        status(&push_as_job(&mut desk, 1, 1, &write)),
        Status::Applied
    );
    // And what was done is not done again.
    let head = desk.head();
    assert_eq!(
        status(&push_as_job(&mut desk, 1, 1, &write)),
        Status::Applied
    );
    assert_eq!(desk.head(), head);
}
