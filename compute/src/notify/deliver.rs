//! To which devices a notification is sent now, and what follows from what became of that. Pure: what
//! is known, the answers and the time come in.
//!
//! Who has it is not sent it again, whatever becomes of the others. What failed is tried again, later
//! and later, and no sooner than it was asked to wait, until the notification is of no use any more. A
//! device that was registered meanwhile is sent it too; one that was removed is gone.

use std::collections::BTreeMap;

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

use super::device::{Device, DeviceId};
use super::notification::{Notification, Receipts};
use super::progress::{OfDevice, Progress, State};
use super::told::{Delivered, Outcome};
use crate::jobs::retry::{Moment, RetryPolicy};
use crate::reminders::Channel;

/// Devices that a notification is sent to: the first of a user.
pub const DEVICES_MAX: usize = 20;

/// How long a notification is tried at most, in milliseconds, whenever it expires: as long as push
/// services hold one.
pub const TRIED_MS_MAX: u64 = 28 * 86_400_000;

/// From 5 to 10 seconds after the first failure to half an hour at most. It is the expiry that ends
/// it.
const WAITS: RetryPolicy = RetryPolicy {
    attempts_max: u32::MAX,
    first_ms: 10_000,
    longest_ms: 1_800_000,
};

/// What is known when a try begins.
#[derive(Debug)]
pub(super) struct Seen {
    /// What is told.
    pub(super) notification: Notification,
    /// The user's devices.
    pub(super) devices: BTreeMap<DeviceId, Device>,
    /// What was done before.
    pub(super) before: Progress,
}

/// What became of sending to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) what: What,
    /// When that was known.
    pub(super) at_ms: WallMs,
}

/// The same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Who delivers has it.
    Sent,
    /// There is no such device any more.
    Gone,
    /// It can never be sent.
    Failed(JobError),
    /// It could not be sent now.
    Later {
        /// Why.
        error: JobError,
        /// No sooner than after so many milliseconds.
        wait_ms: u64,
    },
    /// Nothing was tried, since who delivers has enough to do.
    Busy {
        /// For so many milliseconds.
        wait_ms: u64,
    },
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// How far it is now.
    pub(super) progress: Progress,
    /// Devices that are to be deleted.
    pub(super) gone: Vec<DeviceId>,
    /// What comes then.
    pub(super) next: Next,
    /// What is told of it.
    pub(super) told: Vec<Delivered>,
}

/// What comes after a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing. What became of it.
    Done(Receipts),
    /// Another try then.
    Again(WallMs),
    /// The same try, after so many milliseconds: nothing was done and nothing is to be written.
    Busy(u64),
}

impl Seen {
    /// When nothing is tried any more.
    pub(super) fn ends_ms(&self) -> WallMs {
        let Notification { at, expires, .. } = self.notification;
        expires.min(at.saturating_add(TRIED_MS_MAX))
    }

    /// The devices that it is sent to now, and how often that was tried.
    pub(super) fn due(&self, now_ms: WallMs) -> Vec<(&DeviceId, &Device, u32)> {
        if now_ms >= self.ends_ms() {
            return Vec::new();
        }
        let due = |(id, device)| match self.before.0.get(id) {
            None => Some((id, device, 0)),
            Some(OfDevice { state, tries, .. }) => {
                let is_due = matches!(state, State::Waiting { at } if *at <= now_ms);
                is_due.then_some((id, device, *tries))
            }
        };
        self.wanted().filter_map(due).collect()
    }

    /// Devices that are told by a channel that the notification is told by.
    fn wanted(&self) -> impl Iterator<Item = (&DeviceId, &Device)> {
        let channels = &self.notification.channels;
        let devices = self.devices.iter();
        devices.filter(|(_, device)| channels.contains(&device.reached.channel()))
    }

    /// What follows from what became of those that were due.
    pub(super) fn ended(&self, answers: &BTreeMap<DeviceId, Answer>, at: Moment) -> Ended {
        let mut ended = Ended {
            progress: self.before.clone(),
            gone: Vec::new(),
            next: Next::Done(Receipts::default()),
            told: Vec::new(),
        };
        let mut is_noted = false;
        for (id, device) in self.wanted() {
            let channel = device.reached.channel();
            let first = OfDevice {
                channel,
                state: State::Waiting { at: at.now_ms },
                tries: 0,
            };
            let of_device = ended.progress.0.entry(id.clone()).or_insert(first);
            if of_device.state.is_final() {
                continue;
            }
            let answer = answers.get(id);
            let then = self.after(of_device, (id, answer), at);
            let is_busy = matches!(
                answer,
                Some(Answer {
                    what: What::Busy { .. },
                    ..
                })
            );
            is_noted |= then.state != of_device.state && (!is_busy || then.state.is_final());
            if then.state == State::Gone {
                ended.gone.push(id.clone());
            }
            ended.told.extend(self.delivered(&then, answer, at.now_ms));
            *of_device = then;
        }
        for (id, of_device) in &mut ended.progress.0 {
            if !of_device.state.is_final() && !self.devices.contains_key(id) {
                of_device.state = State::Gone;
                is_noted = true;
                ended
                    .told
                    .extend(self.delivered(of_device, None, at.now_ms));
            }
        }
        ended.next = match ended.progress.next_ms() {
            None => Next::Done(ended.progress.receipts()),
            Some(next_ms) if is_noted => Next::Again(next_ms.max(at.now_ms + 1)),
            Some(next_ms) => Next::Busy(next_ms.saturating_sub(at.now_ms).max(1)),
        };
        ended
    }

    /// How far it is with a device, after an answer or without one.
    fn after(
        &self,
        of_device: &OfDevice,
        (id, answer): (&DeviceId, Option<&Answer>),
        at: Moment,
    ) -> OfDevice {
        let ends_ms = self.ends_ms();
        let until = |wait_ms: u64| match at.now_ms.saturating_add(wait_ms) {
            at if at < ends_ms => State::Waiting { at },
            _ => State::Failed,
        };
        let tries = of_device.tries.saturating_add(1);
        let (state, tries) = match answer.map(|answer| &answer.what) {
            Some(What::Sent) => (State::Sent, tries),
            Some(What::Gone) => (State::Gone, tries),
            Some(What::Failed(_)) => (State::Failed, tries),
            Some(What::Later { wait_ms, .. }) => {
                let own_ms = WAITS.wait_ms(tries, at.seed ^ id.seed());
                (until(own_ms.max(*wait_ms)), tries)
            }
            Some(What::Busy { wait_ms }) => (until(*wait_ms), of_device.tries),
            None if at.now_ms >= ends_ms => (State::Failed, of_device.tries),
            None => (of_device.state, of_device.tries),
        };
        OfDevice {
            channel: of_device.channel,
            state,
            tries,
        }
    }

    /// What is told of a device; `None`: nothing became of it.
    fn delivered(
        &self,
        then: &OfDevice,
        answer: Option<&Answer>,
        now_ms: WallMs,
    ) -> Option<Delivered> {
        let error = match answer.map(|answer| &answer.what) {
            Some(What::Failed(error) | What::Later { error, .. }) => Some(error.clone()),
            _ => None,
        };
        let how = match then.state {
            State::Sent => Outcome::Sent,
            State::Gone => Outcome::Gone,
            State::Failed => Outcome::Failed,
            State::Waiting { .. } => {
                error.as_ref()?;
                Outcome::Retried
            }
        };
        let at_ms = answer.map_or(now_ms, |answer| answer.at_ms);
        Some(Delivered {
            channel: then.channel,
            how,
            lag_ms: at_ms.saturating_sub(self.since_ms()),
            error,
        })
    }

    /// From when on it could be told.
    fn since_ms(&self) -> WallMs {
        let due = self.notification.items.iter().map(|item| item.due).min();
        let since = self.notification.since.or(due);
        since.unwrap_or(self.notification.at)
    }
}

/// Whether a channel is somebody's to deliver by.
pub(super) fn is_delivered(channels: &[Channel]) -> bool {
    channels.iter().any(|channel| *channel != Channel::Notice)
}
