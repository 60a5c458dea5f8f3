//! What a user is told, as a record.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use syncline_protocol::delta::write_data;
use syncline_protocol::ids::RecordId;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::iso;
use crate::reminders::Channel;

/// Bytes of the hash in an id.
const HASH_BYTES: usize = 8;

/// One notification of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What kind it is, such as `reminder` or `missed`: preferences and templates are of kinds.
    pub kind: String,
    /// When it was told.
    #[serde(with = "iso")]
    pub at: WallMs,
    /// From when on it could be told: when the first of it was due, or when quiet hours or a limit let
    /// it be. `None` in those of before there was this.
    #[serde(default, with = "iso::maybe")]
    pub since: Option<WallMs>,
    /// When it is of no use any more, and nobody tries to deliver it.
    #[serde(with = "iso")]
    pub expires: WallMs,
    /// It is told later than it should have been.
    pub late: bool,
    /// One line, in the user's language.
    pub title: String,
    /// The rest; may be empty.
    pub body: String,
    /// The language of both.
    pub language: String,
    /// What it is about: the first of them.
    pub items: Vec<Item>,
    /// How many more there are.
    pub more: usize,
    /// What its words are made of, for those that are rendered in a device's language.
    pub values: BTreeMap<String, String>,
    /// By what it is told; without any it only stands in the history.
    pub channels: Vec<Channel>,
    /// What became of it; `None` until it was delivered, as far as it could be.
    pub receipts: Option<Receipts>,
}

/// One thing that a notification is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is known by, in every try: a device that has shown it does not show it again.
    pub key: String,
    /// The record's table.
    pub table: String,
    /// The record.
    pub id: String,
    /// The task that it is about, if it is about one.
    pub task: Option<String>,
    /// When it was due.
    #[serde(with = "iso")]
    pub due: WallMs,
    /// What it is called.
    pub title: String,
}

/// What became of a notification, by channels that deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// By Web Push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Receipt>,
    /// By mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Receipt>,
    /// By webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Receipt>,
    /// Nothing is tried any more.
    pub done: bool,
    /// There was no device to deliver it to.
    #[serde(default, skip_serializing_if = "is_not")]
    pub nobody: bool,
}

fn is_not(it: &bool) -> bool {
    !it
}

/// Devices, by what became of it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who delivers has it.
    pub sent: u32,
    /// It was given up.
    pub failed: u32,
    /// There is no such device any more.
    pub gone: u32,
}

/// A notification's id: sorted, ids are in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationId(RecordId);

impl Receipts {
    /// There is no device that it could be delivered to.
    pub(crate) fn nobody() -> Receipts {
        Receipts {
            done: true,
            nobody: true,
            ..Receipts::default()
        }
    }

    /// How many devices have it.
    pub(super) fn sent(&self) -> u32 {
        let all = [self.push, self.mail, self.webhook];
        all.iter().flatten().map(|receipt| receipt.sent).sum()
    }
}

impl Notification {
    /// Reads a record. `None`: it is none, or was deleted.
    pub fn of(record: &Record) -> Option<Notification> {
        if !record.is_live() {
            return None;
        }
        let mut data = String::with_capacity(record.size_bytes());
        write_data(&mut data, record);
        serde_json::from_str(&data).ok()
    }

    /// Its id.
    pub fn id(&self) -> NotificationId {
        let mut hash = Sha256::new();
        for item in &self.items {
            hash.update(item.key.as_bytes());
            // No key holds one.
            hash.update([0]);
        }
        let hex = hash.finalize();
        let hex = hex[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}"));
        let text = format!("{:013}-{}", self.at, hex.collect::<String>());
        NotificationId(RecordId::trusted(&text))
    }

    /// The fields of its record, by name.
    pub fn fields(&self) -> Vec<(String, Value)> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields.into_iter().collect(),
            // A struct of texts and numbers is an object.
            _ => Vec::new(),
        }
    }
}

impl NotificationId {
    /// Of a record of [`NOTIFICATIONS`](super::NOTIFICATIONS).
    pub fn of_record(id: RecordId) -> NotificationId {
        NotificationId(id)
    }

    /// Before all that were told from then on.
    pub fn from(at_ms: WallMs) -> NotificationId {
        NotificationId(RecordId::trusted(&format!("{at_ms:013}")))
    }

    /// The record's id.
    pub fn as_record(&self) -> &RecordId {
        &self.0
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
