//! A job that ends its process takes no more than two tries of those beside it.

use syncline_storage::jobs::JobState;

use super::super::*;
use super::desk::{Desk, NOW, job, kind, put, rules, space};
use crate::runner::told::How;

/// A process starts, and is gone as soon as it begins the job `poison`; else it does what it begins. Then
/// what it held may be claimed.
fn live(desk: &mut Desk) {
    desk.state = RunnerState::new(rules(8));
    desk.begun.clear();
    desk.now.run_ms = 0;
    desk.step(Event::Woke);
    for _ in 0..20 {
        if desk.at_work().contains(&"poison") {
            break;
        }
        desk.end_all();
        desk.pass(1_000);
    }
    desk.now.wall_ms += 31_000;
}

fn stored(desk: &Desk, of: &str, key: &str) -> Option<JobState> {
    let name = JobName {
        space: space(of),
        kind: kind(),
        key: syncline_storage::jobs::JobKey::trusted(key),
    };
    desk.store.job(&name).map(|stored| stored.state)
}

#[test]
fn jobs_beside_one_that_ends_its_process_are_done() {
    let mut desk = Desk::new(rules(8));
    put(
        &mut desk.store,
        &space("poison"),
        vec![job("poison", NOW - 9)],
    );
    let others = ["s0", "s1", "s2", "s3"];
    for other in others {
        put(&mut desk.store, &space(other), vec![job("other", NOW)]);
    }
    for _ in 0..6 {
        live(&mut desk);
    }
    let poison = stored(&desk, "poison", "poison");
    assert!(matches!(poison, Some(JobState::Dead { .. })), "{poison:?}");
    for other in others {
        assert_eq!(stored(&desk, other, "other"), None, "{other}");
    }
    assert_eq!(desk.done.len(), others.len());
}

#[test]
fn one_suspected_job_is_held_at_a_time_and_the_others_lose_no_try() {
    let mut desk = Desk::new(rules(8));
    for n in 0..5 {
        put(
            &mut desk.store,
            &space(&format!("s{n}")),
            vec![job("a", NOW)],
        );
    }
    for _ in 0..2 {
        desk.state = RunnerState::new(rules(8));
        desk.begun.clear();
        desk.step(Event::Woke);
        assert_eq!(desk.begun.len(), 5, "they are not suspected yet");
        desk.now.wall_ms += 31_000;
    }
    desk.state = RunnerState::new(rules(8));
    desk.begun.clear();
    desk.step(Event::Woke);
    assert_eq!(desk.begun.len(), 1);
    let ends = desk.ends();
    let given_back = ends.iter().filter(|how| **how == How::GivenBack);
    assert_eq!(given_back.count(), 4);
    let mut done = 0;
    while done < 5 {
        assert!(desk.begun.len() <= 1, "after {done}");
        while !desk.begun.is_empty() {
            assert_eq!(desk.begun[0].1.attempt, 3, "what is given back was no try");
            desk.end(End::Done);
            done += 1;
        }
        desk.pass(100);
    }
}

/// Its worker said why, so it does not end its process.
#[test]
fn a_job_that_failed_is_not_suspected() {
    let mut desk = Desk::new(rules(8));
    for name in ["ada", "bob"] {
        put(&mut desk.store, &space(name), vec![job("a", NOW)]);
    }
    desk.step(Event::Woke);
    for _ in 0..2 {
        assert_eq!(desk.begun.len(), 2);
        for _ in 0..2 {
            desk.end(super::desk::failed("no"));
        }
        desk.pass(10_000);
    }
    assert_eq!(desk.begun.len(), 2);
    assert!(desk.begun.iter().all(|(_, task)| task.attempt == 3));
}
