//! A message, and what its push service is told of it (RFC 8030 section 5).

use sha2::{Digest, Sha256};

use super::text::encoded;

/// The longest that push services hold a message, in seconds: four weeks. A longer time counts as it.
pub const TTL_S_MAX: u32 = 28 * 24 * 3_600;

/// Bytes of a topic's hash: 32 characters of base64url, which is what a topic may have.
const TOPIC_BYTES: usize = 24;

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct Push {
    /// What the browser's worker is given, up to [`PAYLOAD_BYTES_MAX`](super::PAYLOAD_BYTES_MAX).
    pub payload: Vec<u8>,
    /// How long it is held for a device that is off, in seconds; 0 is now or never.
    pub ttl_s: u32,
    /// Whether a device is woken for it.
    pub urgency: Urgency,
    /// What it is about: while it is held, a newer message about the same takes its place.
    pub topic: Option<Topic>,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push")
            .field("payload_bytes", &self.payload.len())
            .field("ttl_s", &self.ttl_s)
            .field("urgency", &self.urgency)
            .field("topic", &self.topic)
            .finish()
    }
}

/// When a device is to be told, by its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// While it charges and has Wi-Fi.
    VeryLow,
    /// While it charges or has Wi-Fi.
    Low,
    /// While its battery is not low.
    Normal,
    /// At once.
    High,
}

impl Urgency {
    /// The value of the header.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Urgency::VeryLow => "very-low",
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::High => "high",
        }
    }
}

/// What a message is about, for a push service: no more than that two are about the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic(String);

impl Topic {
    /// Of whatever names it.
    pub fn of(named: &str) -> Topic {
        let digest = Sha256::digest(named.as_bytes());
        Topic(encoded(&digest[..TOPIC_BYTES]))
    }

    /// The value of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No more than 32 characters of base64url (RFC 8030 section 5.4).
    #[test]
    fn a_topic_is_one_for_a_name_and_says_nothing_of_it() {
        let names = ["", "reminders/r1@0", "reminders/r1@1", &"ä".repeat(1_000)];
        let topics = names.map(Topic::of);
        for (n, topic) in topics.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert!(topic.as_str().chars().all(is_plain));
            assert_eq!(topic.as_str().len(), 32);
            assert_eq!(*topic, Topic::of(names[n]));
            assert!(!topics[..n].contains(topic));
        }
    }
}
