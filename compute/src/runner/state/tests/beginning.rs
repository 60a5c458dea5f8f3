//! How tries begin, and what is told of it.

use super::super::*;
use super::desk::{Desk, NOW, failed, job, rules};
use crate::runner::told::How;

/// What was turned away has not begun: who counts from when it was due to when it began is told of the
/// try that did.
#[test]
fn a_job_that_finds_no_place_has_not_begun() {
    let mut desk = Desk::with(rules(1), vec![job("a", NOW)]);
    let lags = |desk: &Desk| {
        let told = desk.told.iter().filter_map(|told| match told {
            Told::Began { lag_ms, .. } => Some(*lag_ms),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    for _ in 0..3 {
        desk.pass(200);
        desk.end(End::Busy { wait_ms: 1_000 });
        assert_eq!(lags(&desk), []);
        desk.pass(2_000);
    }
    let ran = desk.told.iter().filter_map(|told| match told {
        Told::Ended { how, ran_ms, .. } => Some((*how, *ran_ms)),
        _ => None,
    });
    let ran: Vec<(How, Option<u64>)> = ran.collect();
    assert_eq!(
        ran,
        vec![(How::GivenBack, None); 3],
        "nor has it taken time"
    );
    let (id, task) = desk.begun[0].clone();
    assert_eq!(task.attempt, 1);
    let late_ms = task.now_ms - NOW;
    assert!(late_ms >= 3_000);
    desk.pass(5_000);
    desk.step(Event::Tried {
        id,
        end: failed("no"),
    });
    assert_eq!(lags(&desk), [Some(late_ms)]);
}
