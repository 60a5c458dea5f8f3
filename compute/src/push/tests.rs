//! Pushes to a browser and a push service of this machine.

pub(crate) mod browser;
mod config;
mod encryption;
mod replies;
mod sending;

use super::*;
use crate::outgoing::tests::server::{Answer, Server, reply};
use browser::Browser;

/// 2026-11-24T10:00:00.123Z.
const NOW: u64 = 1_795_514_400_123;

/// The sender's key of RFC 8291 section 5.
const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

fn config() -> PushConfig {
    PushConfig {
        private_key: PRIVATE.to_owned(),
        contact: "mailto:ada@example.com".to_owned(),
        timeout_ms: TIMEOUT_MS,
        private: true,
        ports: Vec::new(),
    }
}

fn service() -> PushService {
    PushService::of(&config()).unwrap()
}

fn push(payload: &[u8]) -> Push {
    Push {
        payload: payload.to_vec(),
        ttl_s: 3_600,
        urgency: Urgency::High,
        topic: Some(Topic::of("reminders/r1@1")),
    }
}
