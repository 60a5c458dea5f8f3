//! How far a notification is delivered, as a record of [`DELIVERIES`](super::DELIVERIES):
//! `{"to": {"<device>": {"channel": "push", "state": "waiting", "at": <ms>, "tries": 1}}}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_protocol::delta::write_data;
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::device::DeviceId;
use super::notification::{Receipt, Receipts};
use crate::reminders::Channel;

/// The record's only field.
pub(super) const TO: &str = "to";

/// The devices that something was tried for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Progress(pub(super) BTreeMap<DeviceId, OfDevice>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfDevice {
    /// What it is, also when it is no more.
    pub(super) channel: Channel,
    /// How far it is.
    #[serde(flatten)]
    pub(super) state: State,
    /// Tries that were made.
    pub(super) tries: u32,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    /// It is tried again.
    Waiting {
        /// Not before.
        at: WallMs,
    },
    /// Who delivers has it.
    Sent,
    /// It was given up.
    Failed,
    /// There is no such device any more.
    Gone,
}

impl State {
    /// Nothing more is done.
    pub(super) fn is_final(self) -> bool {
        !matches!(self, State::Waiting { .. })
    }
}

#[derive(Deserialize)]
struct Written {
    to: Progress,
}

impl Progress {
    /// Reads a record. One that cannot be read counts as none: rather twice than never.
    pub(super) fn of(record: &Record) -> Progress {
        let mut data = String::with_capacity(record.size_bytes());
        write_data(&mut data, record);
        let written = serde_json::from_str(&data);
        written.map_or_else(|_| Progress::default(), |Written { to }| to)
    }

    /// The value of [`TO`].
    pub(super) fn to_json(&self) -> Json {
        Json::trusted(&serde_json::to_string(self).expect("texts and numbers are JSON"))
    }

    /// When the first of those is due that wait; `None`: none waits.
    pub(super) fn next_ms(&self) -> Option<WallMs> {
        let waits = |of_device: &OfDevice| match of_device.state {
            State::Waiting { at } => Some(at),
            _ => None,
        };
        self.0.values().filter_map(waits).min()
    }

    /// What became of them all, at the end.
    pub(super) fn receipts(&self) -> Receipts {
        if self.0.is_empty() {
            return Receipts::nobody();
        }
        let mut receipts = Receipts {
            done: true,
            ..Receipts::default()
        };
        for OfDevice { channel, state, .. } in self.0.values() {
            let receipt = match channel {
                Channel::Push => &mut receipts.push,
                Channel::Mail => &mut receipts.mail,
                Channel::Webhook => &mut receipts.webhook,
                // It is the record itself.
                Channel::Notice => continue,
            };
            let receipt = receipt.get_or_insert_with(Receipt::default);
            match state {
                State::Sent => receipt.sent += 1,
                State::Failed | State::Waiting { .. } => receipt.failed += 1,
                State::Gone => receipt.gone += 1,
            }
        }
        receipts
    }
}
