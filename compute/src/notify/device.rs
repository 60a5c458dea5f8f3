//! Where a user is told, as a record.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::{Digest, Sha256};
use syncline_protocol::delta::write_data;
use syncline_protocol::ids::RecordId;
use syncline_protocol::limits::NAME_BYTES_CEILING;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::iso;
use crate::push::SubscriptionText;
use crate::reminders::Channel;

/// Characters of a device's name; what is more is cut.
pub const NAME_CHARS_MAX: usize = 100;

/// Bytes of the hash that is an id.
const HASH_BYTES: usize = 16;

/// One device of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// How it is reached.
    #[serde(flatten)]
    pub reached: Reached,
    /// What its user calls it.
    pub name: String,
    /// The language of what it is told; the user's if it says none.
    pub language: Option<String>,
    /// When it was registered first.
    #[serde(rename = "createdAt", with = "iso")]
    pub created_ms: WallMs,
    /// When it was registered last.
    #[serde(rename = "seenAt", with = "iso")]
    pub seen_ms: WallMs,
}

/// How a device is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reached {
    /// By Web Push.
    Push {
        /// As the browser says it.
        subscription: SubscriptionText,
    },
    /// By mail.
    Mail {
        /// To whom.
        address: String,
    },
    /// By a server of the operator.
    Webhook {
        /// The endpoint's name in the config.
        to: String,
    },
}

/// A device's id: what is reached alike is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(RecordId);

impl Reached {
    /// The channel that it takes.
    pub fn channel(&self) -> Channel {
        match self {
            Reached::Push { .. } => Channel::Push,
            Reached::Mail { .. } => Channel::Mail,
            Reached::Webhook { .. } => Channel::Webhook,
        }
    }

    /// Its kind, as its record has it.
    pub fn kind(&self) -> &'static str {
        self.address().0
    }

    fn address(&self) -> (&'static str, &str) {
        match self {
            Reached::Push { subscription } => ("push", &subscription.endpoint),
            Reached::Mail { address } => ("mail", address),
            Reached::Webhook { to } => ("webhook", to),
        }
    }
}

impl Device {
    /// Reads a record. `None`: it is none, or was deleted.
    pub fn of(record: &Record) -> Option<Device> {
        if !record.is_live() {
            return None;
        }
        let mut data = String::with_capacity(record.size_bytes());
        write_data(&mut data, record);
        serde_json::from_str(&data).ok()
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        let (kind, address) = self.reached.address();
        let digest = Sha256::digest(format!("{kind}\0{address}"));
        let hex = digest[..HASH_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"));
        DeviceId(RecordId::trusted(&hex.collect::<String>()))
    }

    /// The fields of its record, by name.
    pub fn fields(&self) -> Vec<(String, Value)> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields.into_iter().collect(),
            // A struct of texts is an object.
            _ => Vec::new(),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<DeviceId, D::Error> {
        let id = RecordId::parse_within(&String::deserialize(from)?, NAME_BYTES_CEILING);
        id.map(DeviceId)
            .map_err(|refusal| de::Error::custom(refusal.message))
    }
}

impl DeviceId {
    /// Of a record of [`DEVICES`](super::DEVICES).
    pub fn of_record(id: RecordId) -> DeviceId {
        DeviceId(id)
    }

    /// The record's id.
    pub fn as_record(&self) -> &RecordId {
        &self.0
    }

    /// By which devices wait apart: some bits of the id, which is a hash.
    pub(super) fn seed(&self) -> u64 {
        let digest = Sha256::digest(self.0.as_str());
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(bytes)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
