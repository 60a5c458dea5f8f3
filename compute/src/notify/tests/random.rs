//! Deliveries at random: answers, devices that come and go, commits that are lost.

use std::collections::{BTreeMap, BTreeSet};

use syncline_storage::faulty::Prng;
use syncline_storage::jobs::JobError;

use super::super::deliver::{Answer, Next, Seen, What};
use super::super::progress::{Progress, State};
use super::*;
use crate::jobs::retry::Moment;

/// Tries until a run is taken for one without an end.
const TRIES_MAX: usize = 10_000;

fn device_of(random: &mut Prng) -> Device {
    let n = random.below(30);
    device(match random.below(2) {
        0 => Reached::Mail {
            address: format!("ada{n}@example.com"),
        },
        _ => Reached::Webhook { to: n.to_string() },
    })
}

fn answer(random: &mut Prng) -> What {
    let error = JobError::new("no");
    let wait_ms = random.below(600_000);
    match random.below(8) {
        0 => What::Gone,
        1 => What::Failed(error),
        2 | 3 => What::Sent,
        4 => What::Busy {
            wait_ms: 1_000 + random.below(30_000),
        },
        5 => What::Later { error, wait_ms },
        _ => What::Later { error, wait_ms: 0 },
    }
}

fn finals(progress: &Progress) -> BTreeMap<DeviceId, State> {
    let all = progress.0.iter();
    let ended = all.filter(|(_, of_device)| of_device.state.is_final());
    ended
        .map(|(id, of_device)| (id.clone(), of_device.state))
        .collect()
}

/// One delivery from its first try to its end.
fn run(seed: u64) {
    let random = &mut Prng::new(seed);
    let mut seen = Seen {
        notification: Notification {
            channels: match random.below(3) {
                0 => vec![Channel::Mail],
                _ => vec![Channel::Mail, Channel::Webhook],
            },
            expires: NOW + random.below(7_200_000),
            ..notification(NOW, "a")
        },
        devices: BTreeMap::new(),
        before: Progress::default(),
    };
    for _ in 0..random.below(DEVICES_MAX as u64 + 1) {
        let device = device_of(random);
        seen.devices.insert(device.id(), device);
    }
    let ends_ms = seen.ends_ms();
    // Those that were sent it by a try whose commit was stored.
    let mut has: BTreeSet<DeviceId> = BTreeSet::new();
    let mut now_ms = NOW;
    for _ in 0..TRIES_MAX {
        let due = seen.due(now_ms);
        for (id, device, _) in &due {
            assert!(now_ms < ends_ms, "seed {seed}: sent after its expiry");
            assert!(!has.contains(id), "seed {seed}: {id} is sent it again");
            let channel = device.reached.channel();
            assert!(seen.notification.channels.contains(&channel), "seed {seed}");
        }
        let due: Vec<DeviceId> = due.into_iter().map(|(id, ..)| id.clone()).collect();
        let answers: BTreeMap<DeviceId, Answer> = due
            .into_iter()
            .map(|id| {
                let what = answer(random);
                (
                    id,
                    Answer {
                        what,
                        at_ms: now_ms,
                    },
                )
            })
            .collect();
        let ended = seen.ended(
            &answers,
            Moment {
                now_ms,
                seed: random.below(u64::MAX),
            },
        );
        if random.below(5) == 0 {
            // The commit is lost, and the job claimed again.
            now_ms += random.below(60_000);
            continue;
        }
        let (before, after) = (finals(&seen.before), finals(&ended.progress));
        assert!(
            before.iter().all(|(id, state)| after[id] == *state),
            "seed {seed}: an end ended"
        );
        match ended.next {
            Next::Busy(wait_ms) => {
                assert!(wait_ms > 0, "seed {seed}");
                assert_eq!(
                    before, after,
                    "seed {seed}: not written, and something was done"
                );
                assert_eq!(ended.told, [], "seed {seed}");
                now_ms += wait_ms;
                continue;
            }
            Next::Again(at_ms) => {
                assert!(at_ms > now_ms && at_ms < ends_ms, "seed {seed}: {at_ms}");
                seen.before = ended.progress;
                now_ms = at_ms + random.below(3_000);
            }
            Next::Done(receipts) => {
                let all = &ended.progress.0;
                assert_eq!(after.len(), all.len(), "seed {seed}: somebody waits");
                let wanted = |device: &&Device| {
                    seen.notification
                        .channels
                        .contains(&device.reached.channel())
                };
                for device in seen.devices.values().filter(wanted) {
                    assert!(
                        all.contains_key(&device.id()),
                        "seed {seed}: one was forgotten"
                    );
                }
                assert_eq!(receipts.nobody, all.is_empty(), "seed {seed}");
                let of = [receipts.push, receipts.mail, receipts.webhook];
                let told = of
                    .iter()
                    .flatten()
                    .map(|one| one.sent + one.failed + one.gone);
                assert_eq!(told.sum::<u32>() as usize, all.len(), "seed {seed}");
                return;
            }
        }
        for (id, state) in after {
            if state == State::Sent {
                has.insert(id);
            }
        }
        for id in &ended.gone {
            assert!(
                seen.devices.remove(id).is_some(),
                "seed {seed}: {id} is unknown"
            );
        }
        if random.below(4) == 0 && seen.devices.len() < DEVICES_MAX {
            let device = device_of(random);
            seen.devices.insert(device.id(), device);
        }
        if random.below(4) == 0 {
            seen.devices.pop_first();
        }
    }
    panic!("seed {seed}: it does not end");
}

#[test]
fn every_delivery_ends_and_nobody_who_has_it_is_sent_it_again() {
    for seed in 0..2_000 {
        run(seed);
    }
}
