//! What jobs write: it is stored by the commit that ends their leases, or not at all.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_compute::triggers::{DEPTH_MAX, TriggerConfig, Triggers};
use syncline_protocol::error::Code;
use syncline_protocol::ids::NodeId;
use syncline_storage::jobs::{Claim, Ended, JobKind, LeasedJob, Outcome, Wanted};
use syncline_storage::model::ModelStore;

use super::desk::{Desk, Fate, NOW_MS, insert, mutation, space, update};
use crate::session::event::{CallId, CallReply, Effect, Event, JobCall, JobWrite, NotEnded};
use crate::session::state::SessionParts;

/// A session whose app has triggers.
pub(super) fn desk(triggers: &[Value]) -> Desk {
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
    Desk::with(ModelStore::new(100), parts)
}

/// Every job that is due.
pub(super) fn jobs(desk: &mut Desk) -> Vec<LeasedJob> {
    desk.store.claim(&Claim {
        wanted: vec![Wanted::of(JobKind::trusted("note"), 1_000)],
        holder: NodeId::trusted("n1"),
        now_ms: NOW_MS,
        lease_ms: 1_000,
        per_space: 1_000,
    })
}

/// A job that is leased, of a record `k1`.
pub(super) fn a_job(desk: &mut Desk) -> LeasedJob {
    let phone = desk.hello(1, "phone", None);
    desk.push(phone, &[insert(1, "k1", &json!({"n": 1}))]);
    jobs(desk).remove(0)
}

/// A job's write comes in.
pub(super) fn start(desk: &mut Desk, call: u64, (job, depth): (&LeasedJob, u8), change: &Value) {
    let write = JobWrite {
        epoch: Some(job.job.origin.epoch),
        depth,
        mutation: mutation(change),
        ended: Some(Ended {
            lease: job.lease.clone(),
            outcome: Outcome::Done,
        }),
    };
    desk.step(Event::Job(JobCall {
        call: CallId(call),
        write: Box::new(write),
        permit: None,
    }));
}

/// A job writes, and everything that follows from it happens.
pub(super) fn write(
    desk: &mut Desk,
    call: u64,
    job: (&LeasedJob, u8),
    change: &Value,
) -> Result<(), NotEnded> {
    start(desk, call, job, change);
    desk.settle();
    answer(desk, call)
}

fn answer(desk: &mut Desk, call: u64) -> Result<(), NotEnded> {
    match desk.replies.remove(&CallId(call)) {
        Some(CallReply::Job(ended)) => ended,
        other => panic!("not judged: {other:?}"),
    }
}

fn is_rejected(ended: &Result<(), NotEnded>, code: Code) -> bool {
    matches!(ended, Err(NotEnded::Rejected(refusal)) if refusal.code == code)
}

/// Until the session wants to commit.
fn until_commit(desk: &mut Desk) {
    while !matches!(desk.asked.front(), Some(Effect::Commit(_))) {
        desk.serve_one(None);
    }
}

fn cancel(desk: &mut Desk, job: &LeasedJob) {
    assert!(desk.store.cancel_job(&job.lease.name));
}

#[test]
fn what_a_job_writes_ends_its_lease() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let change = update(1, "k1", "n", &json!(2), 5);
    assert_eq!(write(&mut desk, 1, (&job, DEPTH_MAX), &change), Ok(()));
    assert_eq!(desk.stored("k1").unwrap()["n"], 2);
    assert_eq!(desk.store.job(&job.lease.name), None);
    // A repetition of which nobody heard writes nothing.
    let head = desk.head();
    let change = update(1, "k1", "n", &json!(3), 6);
    let again = write(&mut desk, 2, (&job, DEPTH_MAX), &change);
    assert_eq!((again, desk.head()), (Err(NotEnded::LeaseLost), head));
}

/// All jobs of a space write as one client, so they leave nothing behind.
#[test]
fn jobs_share_a_client() {
    let mut desk = desk(&[json!({})]);
    let phone = desk.hello(1, "phone", None);
    let inserts: Vec<Value> = (1..=20)
        .map(|m| insert(m, &format!("k{m}"), &json!({"n": 1})))
        .collect();
    desk.push(phone, &inserts);
    let writers = desk.state.view().writers;
    for (call, job) in jobs(&mut desk).iter().enumerate() {
        let change = insert(1, &format!("j{call}"), &json!({"n": 2}));
        assert_eq!(
            write(&mut desk, call as u64, (job, DEPTH_MAX), &change),
            Ok(())
        );
    }
    assert_eq!(desk.state.view().writers.0, writers.0 + 1);
}

/// The same on newer records.
#[test]
fn what_changes_nothing_ends_the_lease_too() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let phone = desk.hello(2, "tablet", None);
    desk.push(phone, &[update(1, "k1", "n", &json!(3), 9)]);
    let job = jobs(&mut desk).pop().unwrap_or(job);
    let head = desk.head();
    let change = update(1, "k1", "n", &json!(2), 5);
    assert_eq!(write(&mut desk, 1, (&job, DEPTH_MAX), &change), Ok(()));
    assert_eq!(desk.head(), head);
    assert_eq!(desk.store.job(&job.lease.name), None);
}

#[test]
fn whoever_has_lost_the_lease_keeps_no_others() {
    let mut desk = desk(&[json!({})]);
    let phone = desk.hello(1, "phone", None);
    let inserts = [1, 2, 3].map(|m| insert(m, &format!("k{m}"), &json!({"n": 1})));
    desk.push(phone, &inserts);
    let jobs = jobs(&mut desk);
    // The first waits for its commit, so all others are in the next.
    desk.start_push(phone, &[insert(4, "k4", &json!({"n": 1}))]);
    for (call, job) in (1..).zip(&jobs) {
        let change = update(1, &format!("k{call}"), "n", &json!(2), 5);
        start(&mut desk, call, (job, DEPTH_MAX), &change);
    }
    desk.start_push(phone, &[update(5, "k4", "n", &json!(2), 5)]);
    cancel(&mut desk, &jobs[1]);
    desk.settle();
    let answers = [1, 2, 3].map(|call| answer(&mut desk, call));
    assert_eq!(answers, [Ok(()), Err(NotEnded::LeaseLost), Ok(())]);
    let shown = ["k1", "k2", "k3", "k4"].map(|id| desk.stored(id).unwrap()["n"].clone());
    assert_eq!(shown, [json!(2), json!(1), json!(2), json!(2)]);
}

/// A store that was restored gives its leases again, and what was written in the lost history may still
/// be there.
#[test]
fn of_two_writes_of_one_lease_the_first_is_stored() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let phone = desk.hello(1, "phone", None);
    desk.start_push(phone, &[insert(2, "k2", &json!({"n": 1}))]);
    for call in [1, 2] {
        let change = insert(1, &format!("j{call}"), &json!({"n": call}));
        start(&mut desk, call, (&job, DEPTH_MAX), &change);
    }
    desk.settle();
    let answers = [1, 2].map(|call| answer(&mut desk, call));
    assert_eq!(answers, [Ok(()), Err(NotEnded::LeaseLost)]);
    assert_eq!(desk.stored("j1").unwrap()["n"], 1);
    assert_eq!(desk.stored("j2"), None);
}

/// The next one's look finds the lease ended.
#[test]
fn a_write_whose_answer_was_lost_takes_effect_once() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let head = desk.head();
    start(
        &mut desk,
        1,
        (&job, DEPTH_MAX),
        &insert(1, "k2", &json!({"n": 2})),
    );
    until_commit(&mut desk);
    desk.serve_one(Some(Fate::AnswerLost));
    desk.settle();
    assert_eq!(answer(&mut desk, 1), Err(NotEnded::LeaseLost));
    assert_eq!(desk.head(), head + 1);
    assert_eq!(desk.stored("k2").unwrap()["n"], 2);
}

#[test]
fn what_is_refused_leaves_the_lease_and_no_trace() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    let before = desk.state.view();
    let change = update(1, "nobody", "n", &json!(2), 5);
    let refused = write(&mut desk, 1, (&job, DEPTH_MAX), &change);
    assert!(is_rejected(&refused, Code::RecordUnknown), "{refused:?}");
    assert_eq!(desk.state.view(), before, "nothing was committed for it");
    // When somebody has mended what was in the way it may be tried again.
    let change = update(1, "k1", "n", &json!(2), 5);
    assert_eq!(write(&mut desk, 2, (&job, DEPTH_MAX), &change), Ok(()));
}

#[test]
fn what_is_more_than_the_store_takes_is_refused() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    start(
        &mut desk,
        1,
        (&job, DEPTH_MAX),
        &insert(1, "k2", &json!({"n": 2})),
    );
    until_commit(&mut desk);
    desk.serve_one(Some(Fate::TooLarge));
    desk.settle();
    let refused = answer(&mut desk, 1);
    assert!(is_rejected(&refused, Code::MutationTooLarge), "{refused:?}");
    assert!(desk.store.job(&job.lease.name).is_some());
}

/// It is about data that is not there any more.
#[test]
fn after_an_erasure_nothing_is_written() {
    let mut desk = desk(&[json!({})]);
    let job = a_job(&mut desk);
    start(
        &mut desk,
        1,
        (&job, DEPTH_MAX),
        &insert(1, "k2", &json!({"n": 2})),
    );
    desk.store.erase(&space(), NOW_MS).unwrap();
    desk.settle();
    let reply = desk.replies.remove(&CallId(1));
    assert!(matches!(reply, Some(CallReply::Erased)), "{reply:?}");
    start(
        &mut desk,
        2,
        (&job, DEPTH_MAX),
        &insert(1, "k2", &json!({"n": 2})),
    );
    desk.settle();
    let reply = desk.replies.remove(&CallId(2));
    assert!(matches!(reply, Some(CallReply::Erased)), "{reply:?}");
    assert_eq!(desk.stored("k2"), None);
}
