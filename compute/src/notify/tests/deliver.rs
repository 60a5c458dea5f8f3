//! What follows from answers, without sending.

use syncline_storage::jobs::JobError;

use super::super::deliver::{Answer, Ended, Next, Seen, What};
use super::super::progress::{Progress, State};
use super::*;
use crate::jobs::retry::Moment;

fn mail(n: usize) -> Device {
    device(Reached::Mail {
        address: format!("ada{n}@example.com"),
    })
}

fn seen(devices: &[Device]) -> Seen {
    Seen {
        notification: Notification {
            channels: vec![Channel::Mail],
            ..notification(NOW, "a")
        },
        devices: devices.iter().map(|one| (one.id(), one.clone())).collect(),
        before: Progress::default(),
    }
}

fn later(wait_ms: u64) -> What {
    What::Later {
        error: JobError::new("no answer"),
        wait_ms,
    }
}

fn ended(seen: &Seen, what: &[(&Device, What)], now_ms: u64) -> Ended {
    let answers = what.iter().map(|(device, what)| {
        let answer = Answer {
            what: what.clone(),
            at_ms: now_ms,
        };
        (device.id(), answer)
    });
    seen.ended(&answers.collect(), Moment { now_ms, seed: 7 })
}

fn again(ended: &Ended) -> u64 {
    match ended.next {
        Next::Again(at_ms) => at_ms,
        ref other => panic!("not again: {other:?}"),
    }
}

#[test]
fn each_wait_is_longer_than_the_one_before_from_five_seconds_to_half_an_hour() {
    let device = mail(1);
    let mut seen = seen(std::slice::from_ref(&device));
    seen.notification.expires = u64::MAX;
    let mut now_ms = NOW;
    let mut waits = Vec::new();
    for _ in 0..12 {
        let ended = ended(&seen, &[(&device, later(0))], now_ms);
        waits.push(again(&ended) - now_ms);
        now_ms = again(&ended);
        seen.before = ended.progress;
    }
    let mut whole = 10_000;
    for wait in &waits {
        assert!((whole / 2..=whole).contains(wait), "{waits:?}");
        whole = (whole * 2).min(1_800_000);
    }
    assert_eq!(whole, 1_800_000);
}

/// So that those of one server do not come back together.
#[test]
fn devices_and_seeds_wait_apart() {
    let (one, two) = (mail(1), mail(2));
    let seen = seen(&[one.clone(), two.clone()]);
    let at = |progress: &Progress, device: &Device| match progress.0[&device.id()].state {
        State::Waiting { at } => at,
        other => panic!("not waiting: {other:?}"),
    };
    let answers = [(&one, later(0)), (&two, later(0))];
    let progress = ended(&seen, &answers, NOW).progress;
    assert_ne!(at(&progress, &one), at(&progress, &two));
}

#[test]
fn who_asks_to_wait_is_waited_for_and_the_notification_ends_in_time() {
    let device = mail(1);
    let seen = seen(std::slice::from_ref(&device));
    let left_ms = seen.ends_ms() - NOW;
    let waits = ended(&seen, &[(&device, later(left_ms - 1))], NOW);
    assert_eq!(again(&waits), seen.ends_ms() - 1);
    let past = ended(&seen, &[(&device, later(left_ms))], NOW);
    assert!(matches!(&past.next, Next::Done(receipts) if receipts.mail.unwrap().failed == 1));
    assert_eq!(past.told[0].how, Outcome::Failed);
}

#[test]
fn a_notification_that_never_expires_is_tried_for_four_weeks() {
    let device = mail(1);
    let mut seen = seen(std::slice::from_ref(&device));
    seen.notification.expires = u64::MAX;
    let ends_ms = NOW + TRIED_MS_MAX;
    assert_eq!(seen.due(ends_ms - 1).len(), 1);
    assert_eq!(seen.due(ends_ms).len(), 0);
    assert!(matches!(ended(&seen, &[], ends_ms).next, Next::Done(_)));
}

#[test]
fn nothing_is_written_for_who_was_busy_unless_something_else_is() {
    let (one, two) = (mail(1), mail(2));
    let seen = seen(&[one.clone(), two.clone()]);
    let busy = What::Busy { wait_ms: 1_000 };
    let both = ended(&seen, &[(&one, busy.clone()), (&two, busy.clone())], NOW);
    assert_eq!(both.next, Next::Busy(1_000));
    assert_eq!(both.told, []);
    let mixed = ended(&seen, &[(&one, busy), (&two, What::Sent)], NOW);
    assert_eq!(again(&mixed), NOW + 1_000);
    assert_eq!(mixed.progress.0[&one.id()].tries, 0);
    assert_eq!(mixed.told.len(), 1);
}

#[test]
fn a_device_that_comes_while_others_wait_is_told_too() {
    let (one, two) = (mail(1), mail(2));
    let mut seen = seen(std::slice::from_ref(&one));
    seen.before = ended(&seen, &[(&one, later(0))], NOW).progress;
    seen.devices.insert(two.id(), two.clone());
    let due = seen.due(NOW);
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].0, due[0].2), (&two.id(), 0));
}

#[test]
fn progress_is_read_as_it_was_written() {
    let devices = [mail(1), mail(2), mail(3), mail(4)];
    let whats = [
        What::Sent,
        What::Gone,
        What::Failed(JobError::new("no")),
        later(0),
    ];
    let answers: Vec<(&Device, What)> = devices.iter().zip(whats).collect();
    let progress = ended(&seen(&devices), &answers, NOW).progress;
    let value = serde_json::from_str(progress.to_json().as_str()).unwrap();
    let stored = record(vec![("to".to_owned(), value)]);
    assert_eq!(Progress::of(&stored), progress);
    let broken = record(vec![("to".to_owned(), Value::from("x"))]);
    assert_eq!(Progress::of(&broken), Progress::default());
}

/// What waited for the end of quiet hours is not late for it.
#[test]
fn a_delivery_is_late_by_what_came_after_it_could_be_told() {
    let device = mail(1);
    let mut seen = seen(std::slice::from_ref(&device));
    for (due, since, lag_ms) in [
        (NOW, None, 1_000),
        (NOW - 60_000, None, 61_000),
        (NOW - 60_000, Some(NOW - 200), 1_200),
    ] {
        seen.notification.items[0].due = due;
        seen.notification.since = since;
        let told = ended(&seen, &[(&device, What::Sent)], NOW + 1_000).told;
        assert_eq!(told[0].lag_ms, lag_ms);
    }
}
