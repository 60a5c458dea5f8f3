//! How leases end.

use syncline_storage::jobs::{JobError, JobState};

use super::super::*;
use super::desk::{Desk, NOW, failed, job, kind, many, put, rules, space, told};
use crate::runner::told::{How, StoreCall};

#[test]
fn a_job_that_is_done_is_gone() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    desk.pass(250);
    desk.end(End::Done);
    assert_eq!(desk.stored("a"), None);
    let ran = desk.told.iter().find_map(|told| match told {
        Told::Ended { ran_ms, .. } => *ran_ms,
        _ => None,
    });
    assert_eq!((desk.ends(), ran), (vec![How::Done], Some(250)));
}

#[test]
fn a_try_that_fails_is_made_again_until_it_is_given_up() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    desk.end(failed("no answer"));
    let Some(JobState::Retry { at_ms }) = desk.stored("a") else {
        panic!("{:?}", desk.stored("a"));
    };
    assert!((NOW + 500..=NOW + 1_000).contains(&at_ms));
    desk.pass(1_000);
    desk.end(End::Panicked(JobError::new("oh")));
    desk.pass(2_000);
    assert_eq!(desk.begun[0].1.attempt, 3);
    desk.end(failed("no answer"));
    assert!(matches!(desk.stored("a"), Some(JobState::Dead { .. })));
    assert_eq!(desk.ends(), [How::Failed, How::Failed, How::Dead]);
    let panicked = Told::Panicked {
        kind: kind(),
        error: JobError::new("oh"),
    };
    assert!(desk.told.contains(&panicked));
}

#[test]
fn a_worker_may_say_how_long_to_wait() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    desk.end(End::Failed {
        error: JobError::new("later"),
        wait_ms: 77_000,
    });
    let at_ms = NOW + 77_000;
    assert_eq!(desk.stored("a"), Some(JobState::Retry { at_ms }));
}

#[test]
fn what_is_hopeless_is_given_up_at_once() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    desk.end(End::Hopeless(JobError::new("gone")));
    assert_eq!(desk.stored("a"), Some(JobState::Dead { at_ms: NOW }));
    assert_eq!(desk.ends(), [How::Dead]);
}

/// Its workers never say how it ended, so nobody asks a fourth one.
#[test]
fn a_job_that_ends_its_workers_is_given_up_before_it_begins_once_more() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    for _ in 0..3 {
        assert_eq!(desk.at_work(), ["a"]);
        // The process is gone.
        desk.begun.clear();
        desk.state = RunnerState::new(rules(4));
        desk.pass(30_000);
        desk.step(Event::Woke);
        desk.pass(1_000);
    }
    assert_eq!(desk.at_work(), [] as [&str; 0]);
    assert!(matches!(desk.stored("a"), Some(JobState::Dead { .. })));
}

/// What ends while the store is told of others is told next, all at once.
#[test]
fn ends_are_told_many_at_a_time() {
    let mut desk = Desk::with(rules(32), many(8));
    let ids: Vec<TryId> = desk.begun.iter().map(|(id, _)| *id).collect();
    let (mut calls, mut asked) = (0, Vec::new());
    for id in &ids {
        let end = End::Done;
        for effect in desk.state.step(Event::Tried { id: *id, end }, desk.now) {
            if let Effect::Finish { ended, .. } = effect {
                calls += 1;
                asked = ended;
            }
        }
    }
    assert_eq!((calls, asked.len()), (1, 1));
    let answer = Ok(told(desk.store.finish(&asked, NOW)));
    let effects = desk.state.step(Event::Finished(answer), desk.now);
    let next = effects.iter().find_map(|effect| match effect {
        Effect::Finish { ended, .. } => Some(ended.len()),
        _ => None,
    });
    assert_eq!(next, Some(7));
}

#[test]
fn an_end_that_the_store_did_not_take_is_told_again() {
    let mut desk = Desk::with(rules(12), many(3));
    desk.is_away = true;
    while !desk.begun.is_empty() {
        desk.end(End::Done);
    }
    assert_eq!(desk.ends(), []);
    desk.pass(3_000);
    let failures = desk.told.iter().filter(|told| {
        let call = StoreCall::Finish;
        matches!(told, Told::StoreFailed { call: of, .. } if *of == call)
    });
    assert!((3..9).contains(&failures.count()));
    desk.is_away = false;
    desk.pass(5_000);
    assert_eq!((desk.ends(), desk.leased()), (vec![How::Done; 3], 0));
}

/// One call tells of both.
#[test]
fn a_space_that_fails_leaves_the_ends_of_others() {
    let mut desk = Desk::with(rules(8), many(2));
    put(&mut desk.store, &space("bob"), vec![job("b", NOW)]);
    desk.step(Event::Rung(NOW));
    let mut asked = Vec::new();
    for (id, _) in std::mem::take(&mut desk.begun) {
        let end = End::Done;
        asked.extend(desk.state.step(Event::Tried { id, end }, desk.now));
    }
    let ended = asked.into_iter().find_map(|effect| match effect {
        Effect::Finish { ended, .. } => Some(ended),
        _ => None,
    });
    let ended = ended.expect("the first is told");
    assert_eq!(ended.len(), 1, "the others are told next");
    desk.failing = Some(space("ada"));
    let answer = Ok(told(desk.store.finish(&ended, NOW)));
    desk.step(Event::Finished(answer));
    assert_eq!((desk.ends(), desk.leased()), (vec![How::Done; 2], 1));
    desk.failing = None;
    desk.pass(5_000);
    assert_eq!((desk.ends(), desk.leased()), (vec![How::Done; 3], 0));
}

/// The first call took effect, so the second finds nothing to end.
#[test]
fn an_end_whose_answer_was_lost_is_no_lost_lease() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    let (id, _) = desk.begun.remove(0);
    let end = End::Done;
    let mut effects = desk.state.step(Event::Tried { id, end }, desk.now);
    effects.retain(|effect| matches!(effect, Effect::Finish { .. }));
    let [Effect::Finish { ended, now_ms }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(desk.store.finish(ended, *now_ms), [Ok(())]);
    let lost = syncline_storage::types::StoreError::Unavailable("lost".to_owned());
    desk.step(Event::Finished(Err(lost)));
    desk.pass(5_000);
    assert_eq!(desk.ends(), [How::Done]);
    assert!(
        !desk
            .told
            .iter()
            .any(|told| matches!(told, Told::LeaseLost { .. }))
    );
}

/// Somebody cancelled it meanwhile.
#[test]
fn an_end_that_comes_too_late_is_a_lost_lease() {
    let mut desk = Desk::with(rules(4), vec![job("a", NOW)]);
    let name = desk.begun[0].1.lease.name.clone();
    assert!(desk.store.cancel_job(&name));
    desk.end(End::Done);
    assert_eq!(desk.ends(), []);
    assert!(desk.told.contains(&Told::LeaseLost { kind: kind() }));
}

#[test]
fn an_end_that_damages_the_call_keeps_no_other() {
    let mut desk = Desk::with(rules(16), many(4));
    let damaged = || syncline_storage::types::StoreError::Damaged("a row".to_owned());
    let mut refused = 0;
    for id in desk.begun.iter().map(|(id, _)| *id).collect::<Vec<_>>() {
        let end = End::Done;
        let mut effects = desk.state.step(Event::Tried { id, end }, desk.now);
        for _ in 0..20 {
            let Some(ended) = effects.iter().find_map(|effect| match effect {
                Effect::Finish { ended, .. } => Some(ended.clone()),
                _ => None,
            }) else {
                break;
            };
            let is_bad =
                |one: &syncline_storage::jobs::Ended| one.lease.name.key.as_str() == "000001";
            let answer = if ended.iter().any(is_bad) {
                refused += 1;
                Err(damaged())
            } else {
                Ok(told(desk.store.finish(&ended, NOW)))
            };
            effects = desk.state.step(Event::Finished(answer), desk.now);
            desk.now.run_ms += 6_000;
            effects.extend(desk.state.step(Event::Woke, desk.now));
        }
    }
    assert!(refused > 0);
    assert_eq!(desk.leased(), 1, "only the damaged one is left");
}

#[test]
fn a_drain_claims_nothing_gives_back_what_waits_and_lets_finish_what_began() {
    let mut desk = Desk::with(rules(8), many(3));
    assert_eq!((desk.begun.len(), desk.leased()), (2, 3));
    desk.step(Event::Drain);
    assert_eq!((desk.drained, desk.leased()), (false, 2));
    assert_eq!(desk.ends(), [How::GivenBack]);
    super::desk::put(&mut desk.store, &super::desk::space("bob"), many(3));
    desk.step(Event::Rung(NOW));
    desk.end(End::Done);
    assert!(!desk.drained);
    desk.end(failed("no"));
    assert!(desk.drained);
    let counts = desk.store.job_counts(&[kind()])[0];
    assert_eq!((counts.leased, counts.scheduled, counts.retry), (0, 4, 1));
    desk.pass(10_000);
    assert!(desk.begun.is_empty());
}

/// It was asked for before the drain.
#[test]
fn what_is_leased_while_it_drains_is_given_back() {
    let mut desk = Desk::new(rules(2));
    super::desk::put(&mut desk.store, &super::desk::space("ada"), many(3));
    let effects = desk.state.step(Event::Woke, desk.now);
    let [Effect::Claim(claim)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let leased = desk.store.claim(claim);
    desk.step(Event::Drain);
    assert!(!desk.drained, "its claim has no answer yet");
    desk.step(Event::Claimed(Ok(leased)));
    assert!(desk.drained);
    assert_eq!(desk.leased(), 0);
}

#[test]
fn a_runner_without_jobs_is_drained_at_once() {
    let mut desk = Desk::with(rules(2), Vec::new());
    desk.step(Event::Drain);
    assert!(desk.drained);
}
