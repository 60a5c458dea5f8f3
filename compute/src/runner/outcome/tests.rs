//! What becomes of jobs, by how their tries ended.

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    first_ms: 1_000,
    longest_ms: 10_000,
};

const AT: Moment = Moment {
    now_ms: 5_000,
    seed: 1,
};

fn after(end: End, attempt: u32) -> Concluded {
    let tried = Tried {
        attempt,
        due_at_ms: 0,
        schedule: None,
    };
    concluded(end, tried, &POLICY, AT)
}

fn no() -> JobError {
    JobError::new("no")
}

#[test]
fn ends_that_are_well_have_no_error() {
    let done = after(End::Done, 1);
    assert_eq!(
        (done.outcome, done.how, done.error),
        (Outcome::Done, How::Done, None)
    );
    let again = after(End::Again(9), 1);
    assert_eq!(again.outcome, Outcome::Again { due_at_ms: 9 });
}

#[test]
fn the_last_try_that_fails_or_panics_or_is_stopped_is_the_end() {
    let failed = || End::Failed {
        error: no(),
        wait_ms: 0,
    };
    for end in [failed, || End::Panicked(no()), || End::Stopped] {
        assert_eq!(after(end(), 2).how, How::Failed);
        assert_eq!(after(end(), 3).how, How::Dead);
    }
}

#[test]
fn a_try_waits_no_shorter_than_its_worker_and_its_policy_say() {
    for (wait_ms, expected) in [(0, 5_500..=6_000), (700_000, 705_000..=705_000)] {
        let error = no();
        let Outcome::Retry { at_ms, .. } = after(End::Failed { error, wait_ms }, 1).outcome else {
            panic!("it is tried again");
        };
        assert!(expected.contains(&at_ms), "{at_ms}");
    }
}

#[test]
fn what_was_not_begun_waits_however_often() {
    for attempt in [1, 3, 100] {
        let waits = after(End::Busy { wait_ms: 700 }, attempt);
        assert_eq!(waits.outcome, Outcome::Wait { at_ms: 5_700 });
        assert_eq!((waits.how, waits.error), (How::GivenBack, None));
    }
}

#[test]
fn what_is_hopeless_has_no_other_try() {
    let dead = after(End::Hopeless(no()), 1);
    assert_eq!((dead.how, dead.error), (How::Dead, Some(no())));
}
